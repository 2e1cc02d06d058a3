"""Small real clips for the tests of this folder, encoded on the spot."""

from fractions import Fraction
from itertools import pairwise

import av
import numpy as np

from vidseg.types import Colour, VideoInfo
from vidseg.video.colour import colour_of, to_rgb
from vidseg.video.encoder import Encoder


def picture(index, width=160, height=120):
    """A gradient with a moving square; its brightness and place tell frames apart."""
    image = np.empty((height, width, 3), np.uint8)
    image[..., 0] = np.linspace(20, 120, width)
    image[..., 1] = np.linspace(30, 150, height)[:, None]
    image[..., 2] = 60 + index % 100
    x = 3 * index % (width - width // 4)
    image[height // 4 : height // 2, x : x + width // 4] = (220, 180, 40)
    return image


def make_clip(
    path,
    codec="libx264",
    frames=40,
    size=(160, 120),
    rate=24,
    time_base=None,
    pts=None,
    options=None,
    container_options=None,
    pix_fmt="yuv420p",
    muxer=None,
    sound=None,
    sound_s=None,
    attributes=None,
    metadata=None,
):
    """Encodes ``frames`` pictures at ``pts``, with a sine in the audio codec ``sound`` of ``sound_s`` seconds."""
    time_base = time_base or Fraction(1, rate)
    pts = pts if pts is not None else [round(i / rate / time_base) for i in range(frames)]
    with av.open(str(path), "w", format=muxer, container_options=container_options or {}) as container:
        container.metadata.update(metadata or {})
        video = container.add_stream(codec, rate=rate, options=options or {})
        video.width, video.height, video.pix_fmt = *size, pix_fmt
        video.codec_context.time_base = time_base
        for name, value in (attributes or {}).items():
            setattr(video.codec_context, name, value)
        audio = container.add_stream(sound, rate=48000) if sound else None
        packets = []
        for index, stamp in enumerate(pts):
            frame = av.VideoFrame.from_ndarray(picture(index, *size), format="rgb24").reformat(format=pix_fmt)
            frame.pts, frame.time_base = stamp, time_base
            packets += video.encode(frame)
        packets += video.encode()
        if audio is not None:
            packets += sine(audio, sound_s or float(pts[-1] * time_base) + 1 / rate)
        for packet in sorted(packets, key=lambda p: p.dts * p.time_base):
            container.mux(packet)
    return path


def sine(audio, seconds, rate=48000):
    """The packets of a stereo tone of 440 Hz."""
    resampler = av.AudioResampler(format=audio.codec_context.format.name, layout="stereo", rate=rate)
    wave = (8000 * np.sin(2 * np.pi * 440 / rate * np.arange(int(seconds * rate)))).astype(np.int16)
    packets = []
    for start in range(0, len(wave), 960):
        part = np.repeat(wave[start : start + 960], 2).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(part, format="s16", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
        for resampled in resampler.resample(frame):
            packets += audio.encode(resampled)
    return packets + audio.encode()


def irregular_pts(frames, start=0, seed=0):
    """Stamps in 1/90000 s: steps of 17 to 67 ms in random order, so that B-frames meet every kind of gap."""
    return (start + np.cumsum(np.random.default_rng(seed).integers(1500, 6000, frames))).tolist()


def copy_video(source, path, codec, **options):
    """What the runner does with every frame of a source, without masks: read, write."""
    encoder = Encoder(path, codec, source.info, audio=source.audio, offset_s=source.offset_s, **options)
    for frame in source:
        image = frame.rgb_hw3
        if encoder.alpha:
            image = np.dstack([image, np.full(image.shape[:2], 255, np.uint8)])
        encoder.write(image, frame.time_s)
    encoder.close()
    return path


def read_packets(path, kind):
    """(bytes, pts in seconds, duration in seconds) of each packet of the best stream, or None without one."""
    with av.open(str(path)) as container:
        stream = container.streams.best(kind)
        if stream is None:
            return None
        return [
            (bytes(p), p.pts * p.time_base, (p.duration or 0) * p.time_base) for p in container.demux(stream) if p.size
        ]


def shown(frame):
    """A picture of PyAV as R'G'B', uint8 (h, w, 3); tests/video/test_colour.py checks the conversion itself."""
    return to_rgb(frame, frame.width, frame.height, colour_of(frame, Colour(2, 2, 2)))


def read_frames(path, pix_fmt="rgb24", decoder=None):
    """Every decoded picture as an array, and its time, read with plain PyAV."""
    images, times_s = [], []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context = av.CodecContext.create(decoder, "r") if decoder else stream.codec_context
        for packet in container.demux(stream):
            for frame in context.decode(packet):
                images.append(shown(frame) if pix_fmt == "rgb24" else frame.to_ndarray(format=pix_fmt))
                times_s.append(frame.time)
    assert all(a < b for a, b in pairwise(times_s))
    return images, times_s


def info_of(width, height, rate=24, time_base=None, frames=None, **others):
    return VideoInfo(width, height, Fraction(rate), frames, time_base or Fraction(1, rate), **others)


def set_display_matrix(path, a, b, c, d):
    """Has an MP4 or MOV show the pixel (x, y) at (a x + c y, b x + d y) (ISO/IEC 14496-12, 8.3.2)."""
    content = bytearray(path.read_bytes())
    matrix = np.array([a, b, 0, c, d, 0, 0, 0, 0x4000], dtype=">i4") * np.array([65536] * 9)
    start = content.index(b"tkhd") + 4 + 40
    content[start : start + 36] = matrix.astype(">i4").tobytes()
    path.write_bytes(content)
