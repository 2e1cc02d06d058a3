"""The codec table: one row for each codec and each container. To add one, add a row (and a YAML that names it).

The options are for 1280x720 on two cores (5 to 40 ms a frame). ``quality`` is the encoder's own number, and smaller is
better. Knows nothing about frames.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vidseg.errors import InputError
from vidseg.types import Depth, Mastering

QP_TO_LAMBDA = 118
"""libavutil's FF_QP2LAMBDA: ``global_quality`` is a quantiser times this."""


@dataclass(frozen=True, slots=True)
class Quality:
    """The encoder's own number for quality: its name in FFmpeg, best, worst, default, and the default of deep sources.

    The options ``quantiser`` and ``qscale`` are both ``-q:v`` of FFmpeg's command line. The MPEG-4 encoder reads it
    from each frame, where PyAV can't set it; for ``quantiser`` the lower and the upper limit are set to it instead.
    """

    option: str
    best: float
    worst: float
    default: float
    deep: float | None = None


@dataclass(frozen=True, slots=True)
class Codec:
    """An encoder of FFmpeg, its options, and the muxers that it goes into.

    - ``own_clock``: the encoder can't count in the source's time base (MPEG-4 part 2 stops at 1/65535 s). Its frames
      are numbered, and its packets get the true time stamps afterwards; it must not reorder them.
    - ``fallback``: the row to use instead if the encoder can't be opened, as without its hardware.
    - ``smallest``: the least width and height in pixels (SVT-AV1 4.1 hangs below 64).
    - ``deep``: the pixel formats for sources with more than 8 bits, of fewer bits first; ``pix_fmt`` is for 8.
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
    deep: tuple[str, ...] = ()

    def options_for(self, quality: float | None, depth: Depth | None = None) -> dict[str, str]:
        """FFmpeg's options for a quality; None is the default, that of deep sources if they have a ``depth``."""
        if self.quality is None:
            return dict(self.options)
        default = self.quality.deep if depth and self.quality.deep is not None else self.quality.default
        value = default if quality is None else quality
        own = {self.quality.option: f"{value:g}"}
        if self.quality.option == "qscale":
            own = {"flags": "+qscale", "global_quality": str(round(value * QP_TO_LAMBDA))}
        elif self.quality.option == "quantiser":
            own = {"flags": "+qscale", "qmin": str(round(value)), "qmax": str(round(value))}
        if self.encoder == "libx265":
            exact = ["lossless=1"] if value == 0 else []  # as CRF 0 of x264 is; x265's would be 12 codes of 10 bits off
            hdr10 = _hdr10(depth.mastering) if depth and depth.mastering else []
            own["x265-params"] = ":".join([self.options["x265-params"], *exact, *hdr10])
        return {**self.options, **own}

    def pixels_for(self, bits: int) -> str:
        """The pixel format that keeps ``bits`` of a source, or as many of them as the encoder can."""
        if bits == 8 or not self.deep:
            return self.pix_fmt
        return next((name for name in self.deep if int(name[-4:-2]) >= bits), self.deep[-1])


def _hdr10(mastering: Mastering) -> list[str]:
    """x265's parameters for HDR10's static metadata."""
    words = ["hdr10=1"]
    if mastering.display:
        words.append("master-display=G({},{})B({},{})R({},{})WP({},{})L({},{})".format(*mastering.display))
    if mastering.content:
        words.append("max-cll={},{}".format(*mastering.content))
    return words


@dataclass(frozen=True, slots=True)
class Container:
    """FFmpeg's muxer for a suffix, and the codecs that can be copied into it ("pcm_" is all kinds of PCM).

    - ``chapters``: whether it has them.
    - ``constant_rate``: it has no time stamps (AVI): its frames are shown at a constant rate.
    - ``starts_at_zero``: its muxer (Matroska) shifts the whole file if a time stamp is negative.
    """

    muxer: str
    sound: tuple[str, ...]
    subtitles: tuple[str, ...] = ()
    chapters: bool = True
    constant_rate: bool = False
    starts_at_zero: bool = False

    def holds(self, kind: str, codec: str) -> bool:
        """Whether an "audio" or "subtitle" stream of this codec can be copied."""
        known = self.sound if kind == "audio" else self.subtitles
        return any(codec == name or (name == "pcm_" and codec.startswith(name)) for name in known)


_SOUND = ("aac", "mp3", "mp2", "ac3", "eac3", "alac")
CONTAINERS: Mapping[str, Container] = {
    ".mp4": Container("mp4", (*_SOUND, "opus", "flac"), ("mov_text",)),
    ".mov": Container("mov", (*_SOUND, "pcm_"), ("mov_text",)),
    ".webm": Container("webm", ("opus", "vorbis"), ("webvtt",), starts_at_zero=True),
    ".mkv": Container(
        "matroska",
        (*_SOUND, "opus", "flac", "vorbis", "dts", "truehd", "pcm_"),
        ("subrip", "ass", "webvtt", "dvd_subtitle", "dvb_subtitle", "hdmv_pgs_subtitle"),
        starts_at_zero=True,
    ),
    ".avi": Container("avi", (), chapters=False, constant_rate=True),
}

_QUANTISER = Quality("quantiser", 1, 31, 3)
_H264 = ("mp4", "mov", "matroska")
# With B-frames x265 4.2 doesn't set the decoding times of clips of one to three frames.
_X265 = {"preset": "ultrafast", "x265-params": "log-level=none:bframes=0"}
_VP9 = {"b": "0", "deadline": "realtime", "row-mt": "1"}
_VP9_ALPHA = {**_VP9, "cpu-used": "5", "auto-alt-ref": "0"}
# Pictures have 8 bits of alpha, which come back exactly: 29 core-ms a frame at 720p, where 16 bits take 40.
_PRORES = {"profile": "4444", "alpha_bits": "8", "vendor": "apl0"}
_PRORES_XQ = {**_PRORES, "profile": "4444xq"}
# Of 877 grey levels of 10 bits 660 survive qscale 4 and 877 survive 2
_QSCALE = Quality("qscale", 1, 31, 4, deep=2)
_PRORES_PIXELS = "yuva444p10le"  # prores_ks takes no 12 bits

CODECS: Mapping[str, Codec] = {
    "h264": Codec("libx264", "yuv420p", _H264, Quality("crf", 0, 51, 20), {"preset": "veryfast"}),
    "h264_nvenc": Codec(
        "h264_nvenc", "yuv420p", _H264, Quality("cq", 1, 51, 23), {"rc": "vbr", "b": "0"}, fallback="h264"
    ),
    "hevc": Codec("libx265", "yuv420p", _H264, Quality("crf", 0, 51, 24), _X265, tag="hvc1"),
    "hevc10": Codec(
        "libx265", "yuv420p10le", _H264, Quality("crf", 0, 51, 16), _X265, tag="hvc1", deep=("yuv420p10le",)
    ),
    "av1": Codec(
        "libsvtav1", "yuv420p", ("mp4", "webm", "matroska"), Quality("crf", 1, 63, 30), {"preset": "9"}, smallest=64
    ),
    "xvid": Codec("mpeg4", "yuv420p", ("avi",), _QUANTISER, tag="XVID", own_clock=True),
    "mpeg4": Codec("mpeg4", "yuv420p", ("mp4", "mov", "avi", "matroska"), _QUANTISER, own_clock=True),
    "vp9": Codec(
        "libvpx-vp9", "yuv420p", ("webm", "mp4", "matroska"), Quality("crf", 0, 63, 30), {**_VP9, "cpu-used": "7"}
    ),
    "vp9_alpha": Codec(
        "libvpx-vp9", "yuva420p", ("webm", "matroska"), Quality("crf", 0, 63, 12), _VP9_ALPHA, alpha=True
    ),
    "prores4444": Codec(
        "prores_ks", _PRORES_PIXELS, ("mov", "matroska"), _QSCALE, _PRORES, alpha=True, deep=(_PRORES_PIXELS,)
    ),
    "prores4444xq": Codec(
        "prores_ks",
        _PRORES_PIXELS,
        ("mov", "matroska"),
        Quality("qscale", 1, 31, 2, deep=1),
        _PRORES_XQ,
        alpha=True,
        deep=(_PRORES_PIXELS,),
    ),
    "qtrle": Codec("qtrle", "argb", ("mov",), alpha=True),
    "png": Codec("png", "rgba", ("mov", "avi"), options={"pred": "up"}, alpha=True),
    "ffv1": Codec(
        "ffv1",
        "bgr0",
        ("matroska", "avi"),
        options={"level": "3", "slices": "4", "slicecrc": "1"},
        deep=("yuv444p10le", "yuv444p12le", "yuv444p14le", "yuv444p16le"),
    ),
}


def check_codec(codec: str, path: str | Path, quality: float | None = None) -> tuple[Codec, Container]:
    """The rows of ``codec`` and of the container that the suffix of ``path`` names.

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
    if quality is None:
        return row, container
    if row.quality is None:
        raise InputError(f"quality: codec {codec} is lossless and takes none; leave quality={quality} out")
    number = isinstance(quality, int | float) and not isinstance(quality, bool)
    if not number or not row.quality.best <= quality <= row.quality.worst:
        raise InputError(
            f"quality: {quality} is not a {row.quality.option} of codec {codec}: "
            f"{row.quality.best:g} (best) to {row.quality.worst:g} (smallest file)"
        )
    return row, container
