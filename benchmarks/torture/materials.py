"""What is damaged: whole clips in six containers, masks in the forms that people have, prompts, and a recorded run."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import yaml
from PIL import Image

from vidseg.record.files import JsonLines
from vidseg.record.label_maps import write_label_map
from vidseg.record.masks import mask_line
from vidseg.types import RGB, Frame, FrameMasks

WIDTH, HEIGHT, FRAMES, FPS = 64, 48, 12, 10


@dataclass(frozen=True)
class _Clip:
    """How a clip is encoded: the codecs of its pictures and of its sound, and what the muxer is told."""

    video: str
    pix_fmt: str = "yuv420p"
    audio: str | None = None
    options: tuple[tuple[str, str], ...] = ()
    muxer: tuple[tuple[str, str], ...] = ()


CLIPS = {
    "h264.mp4": _Clip("libx264", audio="aac", options=(("g", "4"), ("bf", "2"))),
    "fragments.mp4": _Clip("libx264", options=(("g", "4"),), muxer=(("movflags", "frag_keyframe+empty_moov"),)),
    "hevc.mkv": _Clip("libx265", audio="libopus", options=(("x265-params", "log-level=none:keyint=6"),)),
    "prores.mov": _Clip("prores_ks", pix_fmt="yuv422p10le", audio="pcm_s16le"),
    "vp9.webm": _Clip("libvpx-vp9", audio="libopus", options=(("g", "6"), ("deadline", "realtime"))),
    "mpeg4.avi": _Clip("mpeg4", audio="mp2", options=(("g", "5"),)),
    "h264.ts": _Clip("libx264", audio="aac", options=(("g", "6"),)),
}


def picture(index: int) -> RGB:
    """A gradient with two bright squares that move a pixel a frame."""
    rgb_hw3 = np.full((HEIGHT, WIDTH, 3), 50, np.uint8)
    rgb_hw3[..., 2] = np.linspace(20, 90, WIDTH)
    x = index % (WIDTH - 16)
    rgb_hw3[6:22, x : x + 16] = (225, 180, 40)
    rgb_hw3[28:44, x : x + 16] = (40, 200, 220)
    return rgb_hw3


def write_clip(path: Path, clip: _Clip = CLIPS["h264.mp4"], frames: int = FRAMES) -> Path:
    """Encodes ``frames`` pictures, and a tone of the same length if the clip has sound."""
    with av.open(str(path), "w", options=dict(clip.muxer)) as container:
        stream = container.add_stream(clip.video, FPS, options=dict(clip.options))
        stream.width, stream.height, stream.pix_fmt, stream.time_base = WIDTH, HEIGHT, clip.pix_fmt, Fraction(1, FPS)
        sound = container.add_stream(clip.audio, 48000) if clip.audio else None
        for index in range(frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(index), format="rgb24")))
        container.mux(stream.encode())
        if sound is not None:
            wave = np.sin(np.arange(48000 * frames // FPS) / 20).astype(np.float32)[None]
            tone = av.AudioFrame.from_ndarray(np.repeat(wave, 2, axis=0), format="fltp", layout="stereo")
            tone.sample_rate, tone.pts = 48000, 0
            resampler = av.AudioResampler(sound.format, sound.layout, 48000, sound.frame_size or 1024)
            for piece in [*resampler.resample(tone), *resampler.resample(None)]:
                container.mux(sound.encode(piece))
            container.mux(sound.encode(None))
    return path


def masks(index: int) -> FrameMasks:
    """The squares of ``picture``."""
    channels = np.moveaxis(picture(index)[..., [0, 2]], 2, 0)
    return FrameMasks(index, (1, 2), channels.astype(np.float32) - 128, (0.9, 0.8))


PROMPTS = {
    "prompts": [
        {"frame": 0, "object": 1, "points": [[8, 14], [40, 40]], "labels": [1, 0]},
        {"frame": 0, "object": 2, "box": [0, 28, 16, 44]},
        {"frame": 5, "object": 2, "mask": "palette.png"},
        {"frame": 7, "object": 1, "points": [[12, 12]], "box": [7, 6, 23, 22]},
    ]
}


def write_materials(folder: Path) -> Path:
    """Writes all of it into ``folder``, which is made."""
    (maps := folder / "maps" / "h264").mkdir(parents=True)
    for name, clip in CLIPS.items():
        write_clip(folder / name, clip)
    (folder / "prompts.yaml").write_text(yaml.safe_dump(PROMPTS))
    label_hw = np.zeros((HEIGHT, WIDTH), np.uint8)
    label_hw[masks(0).masks_nhw[0]], label_hw[masks(0).masks_nhw[1]] = 1, 2
    palette = np.random.default_rng(0).integers(0, 256, (256, 3), np.uint8)
    palette[0] = 0
    write_label_map(folder / "palette.png", label_hw, palette)
    one_hw = (label_hw == 1) * np.uint8(255)
    Image.fromarray(one_hw).save(folder / "one.png")
    Image.fromarray(one_hw).save(folder / "one.jpg", quality=70)
    Image.fromarray(one_hw.astype(np.uint16) * 257).save(folder / "deep.png")
    Image.fromarray(palette[label_hw]).save(folder / "colours.png")
    Image.fromarray(np.dstack([picture(0), one_hw])).save(folder / "alpha.png")
    lines = JsonLines(folder / "masks.jsonl")
    for index in range(FRAMES):
        write_label_map(maps / f"{index:05d}.png", label_hw, palette)
        lines.write(mask_line(Frame(index, index / FPS, picture(index)), masks(index)))
    lines.close()
    return folder
