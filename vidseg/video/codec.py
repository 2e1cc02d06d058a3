"""The codec table: one row a codec, one row a container. To add one, add its row (and a YAML that names it).

Options were chosen for 1280x720 on two cores, 5 to 40 ms a frame; ``quality`` is always the encoder's own number, of
which smaller is better. This module knows nothing about frames: the encoder reads it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from vidseg.errors import InputError


@dataclass(frozen=True, slots=True)
class Quality:
    """A range of the encoder's own number, smaller is better: ``option`` is FFmpeg's name for it.

    ``quantiser`` and ``qscale`` are both the command line's ``-q:v``; MPEG-4 takes it from each frame, where PyAV can't
    put it, so that its quantiser is held between equal limits instead.
    """

    option: str
    best: float
    worst: float
    default: float


@dataclass(frozen=True, slots=True)
class Codec:
    """What FFmpeg is told. ``fallback`` names the row to use where this one can't be opened (no such hardware).

    ``smallest`` is the least width and height (SVT-AV1 4.1 opens below 64 pixels, then hangs).

    ``own_clock`` marks encoders that can't count in the source's time base (MPEG-4 part 2 stops at 1/65535 s): their
    frames are numbered, and the packets are given the true time stamps afterwards, which needs packets in order.
    """

    encoder: str
    pix_fmt: str
    containers: tuple[str, ...]
    quality: Quality | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    alpha: bool = False
    tag: str | None = None
    own_clock: bool = False
    fallback: str | None = None
    smallest: int = 1


@dataclass(frozen=True, slots=True)
class Container:
    """FFmpeg's muxer for a suffix, and the audio codecs that may be copied into it ("pcm_" stands for all of them).

    ``constant_rate`` marks AVI, which has no time stamps: its frames are shown one after the other. ``starts_at_zero``
    marks Matroska, whose muxer shifts everything where a stamp is negative.
    """

    muxer: str
    sound: tuple[str, ...]
    constant_rate: bool = False
    starts_at_zero: bool = False


CONTAINERS: Mapping[str, Container] = MappingProxyType(
    {
        ".mp4": Container("mp4", ("aac", "mp3", "mp2", "ac3", "eac3", "alac", "opus", "flac")),
        ".mov": Container("mov", ("aac", "mp3", "mp2", "ac3", "eac3", "alac", "pcm_")),
        ".webm": Container("webm", ("opus", "vorbis"), starts_at_zero=True),
        ".mkv": Container(
            "matroska",
            ("aac", "mp3", "mp2", "ac3", "eac3", "alac", "opus", "flac", "vorbis", "dts", "truehd", "pcm_"),
            starts_at_zero=True,
        ),
        ".avi": Container("avi", (), constant_rate=True),
    }
)

_QUANTISER = Quality("quantiser", 1, 31, 3)
_H264 = ("mp4", "mov", "matroska")

CODECS: Mapping[str, Codec] = MappingProxyType(
    {
        "h264": Codec("libx264", "yuv420p", _H264, Quality("crf", 0, 51, 20), {"preset": "veryfast"}),
        "h264_nvenc": Codec(
            "h264_nvenc", "yuv420p", _H264, Quality("cq", 1, 51, 23), {"rc": "vbr", "b": "0"}, fallback="h264"
        ),
        "hevc": Codec(
            "libx265",
            "yuv420p",
            _H264,
            Quality("crf", 0, 51, 24),
            # With B-frames, x265 4.2 gives clips of one to three frames decoding times that it never set.
            {"preset": "ultrafast", "x265-params": "log-level=none:bframes=0"},
            tag="hvc1",
        ),
        "av1": Codec(
            "libsvtav1", "yuv420p", ("mp4", "webm", "matroska"), Quality("crf", 1, 63, 30), {"preset": "9"}, smallest=64
        ),
        "xvid": Codec("mpeg4", "yuv420p", ("avi",), _QUANTISER, tag="XVID", own_clock=True),
        "mpeg4": Codec("mpeg4", "yuv420p", ("mp4", "mov", "avi", "matroska"), _QUANTISER, own_clock=True),
        "vp9": Codec(
            "libvpx-vp9",
            "yuv420p",
            ("webm", "mp4", "matroska"),
            Quality("crf", 0, 63, 30),
            {"b": "0", "deadline": "realtime", "cpu-used": "7", "row-mt": "1"},
        ),
        "vp9_alpha": Codec(
            "libvpx-vp9",
            "yuva420p",
            ("webm", "matroska"),
            Quality("crf", 0, 63, 12),
            {"b": "0", "deadline": "realtime", "cpu-used": "5", "row-mt": "1", "auto-alt-ref": "0"},
            alpha=True,
        ),
        "prores4444": Codec(
            "prores_ks",
            "yuva444p10le",
            ("mov", "matroska"),
            Quality("qscale", 1, 31, 4),
            {"profile": "4444", "alpha_bits": "16", "vendor": "apl0"},
            alpha=True,
        ),
        "qtrle": Codec("qtrle", "argb", ("mov",), alpha=True),
        "png": Codec("png", "rgba", ("mov", "avi"), options={"pred": "up"}, alpha=True),
        "ffv1": Codec("ffv1", "bgr0", ("matroska", "avi"), options={"level": "3", "slices": "4", "slicecrc": "1"}),
    }
)


def check_codec(codec: str, path: str | Path, quality: float | None = None) -> tuple[Codec, Container]:
    """The rows of a codec and of the container that ``path`` ends in.

    Raises InputError for an unknown codec or suffix, a codec that the container can't hold, and a quality out of range.
    """
    if codec not in CODECS:
        raise InputError(f"codec: there is no {codec!r}; choose from {', '.join(CODECS)}")
    suffix = Path(path).suffix.lower()
    if suffix not in CONTAINERS:
        raise InputError(f"path: {path}: {suffix or 'no suffix'} is no video container; use {', '.join(CONTAINERS)}")
    row, container = CODECS[codec], CONTAINERS[suffix]
    if container.muxer not in row.containers:
        fitting = [name for name, other in CONTAINERS.items() if other.muxer in row.containers]
        codecs = [name for name, other in CODECS.items() if container.muxer in other.containers]
        raise InputError(
            f"path: {path}: {suffix} can't hold codec {codec}, which goes into {', '.join(fitting)}\n"
            f"({suffix} holds {', '.join(codecs)})"
        )
    _check_quality(codec, row, quality)
    return row, container


def _check_quality(codec: str, row: Codec, quality: float | None) -> None:
    if quality is None:
        return
    if row.quality is None:
        raise InputError(f"quality: codec {codec} is lossless and takes none; leave quality={quality} out")
    number = isinstance(quality, int | float) and not isinstance(quality, bool)
    if not number or not row.quality.best <= quality <= row.quality.worst:
        raise InputError(
            f"quality: {quality} is not a {row.quality.option} of codec {codec}: "
            f"{row.quality.best:g} (best) to {row.quality.worst:g} (smallest file)"
        )
