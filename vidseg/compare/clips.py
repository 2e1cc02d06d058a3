"""Overlay videos made small enough for the page: H.264 without sound, a key frame every 15 frames."""

import io
import logging
import math
from collections.abc import Iterator
from pathlib import Path

import av

log = logging.getLogger(__name__)

WIDTHS = (480, 320, 224)  # pixels; the first at which the file fits its budget is taken
MOST_FRAMES = 900  # of a longer video every n-th frame is kept
CRF = 27


def shrink_video(path: Path, budget_bytes: int) -> bytes | None:
    """The video as an MP4 with the same time stamps, of at most 1.1 times ``budget_bytes``.

    None, with a warning, if it can't be read or can't be made that small.
    """
    try:
        for width in WIDTHS:
            small = _encode(path, width, budget_bytes)
            if len(small) <= 1.1 * budget_bytes:
                return small
        log.warning("%s doesn't fit into the page", path)
    except (av.error.FFmpegError, OSError, StopIteration) as error:
        log.warning("%s can't be read (%s): the page is without it", path, getattr(error, "strerror", error))
    return None


def _encode(path: Path, width: int, budget_bytes: int) -> bytes:
    """The MP4 from one pass of x264: constant quality, and a maximum rate that keeps the budget."""
    small = io.BytesIO()
    with av.open(str(path)) as source, av.open(small, "w", format="mp4") as made:
        pictures = source.streams.video[0]
        pictures.thread_type = "AUTO"
        count = pictures.frames or sum(packet.size > 0 for packet in source.demux(pictures))
        source.seek(0)
        length_s = max(float((pictures.duration or 0) * (pictures.time_base or 0)), count / 60, 0.1)
        kbps = max(1, int(budget_bytes * 8 / length_s / 1000))
        stream = made.add_stream("libx264", rate=pictures.average_rate or 30)
        scale = min(1.0, width / pictures.width)
        stream.width, stream.height = (
            max(2, round(side * scale / 2) * 2) for side in (pictures.width, pictures.height)
        )
        stream.pix_fmt, stream.time_base = "yuv420p", pictures.time_base
        stream.options = {
            "preset": "faster", "crf": str(CRF), "g": "15", "bf": "0",
            "maxrate": f"{kbps}k", "bufsize": f"{kbps}k",
        }  # fmt: skip
        for frame in _thinned(source, pictures, math.ceil(count / MOST_FRAMES)):
            picture = frame.reformat(stream.width, stream.height, "yuv420p")
            picture.pts, picture.time_base = frame.pts, frame.time_base
            made.mux(stream.encode(picture))
        made.mux(stream.encode())
    return small.getvalue()


def _thinned(source: av.container.InputContainer, pictures: av.VideoStream, step: int) -> Iterator[av.VideoFrame]:
    """Every ``step``-th frame, roughly."""
    if step > 1:
        pictures.codec_context.skip_frame = "NONREF"  # decodes about half of the frames, and twice as fast
        step = max(1, step // 2)
    for place, frame in enumerate(source.decode(pictures)):
        if place % step == 0:
            yield frame
