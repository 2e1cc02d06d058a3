"""When each frame of a file is shown, from its packets, without decoding.

Frame number i is the i-th time stamp in the order of display. Knows nothing about pictures.
"""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from numpy.typing import NDArray

from vidseg.video.demux import clock_origin
from vidseg.video.truncation import missing_bytes

MAX_REORDER = 16
"""No codec shows a frame more than 16 frames after its packet (H.264's and HEVC's largest picture buffer)."""

DEFAULT_RATE = Fraction(25)
"""FFmpeg's own, for raw streams without a rate."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """The time stamps of a file's frames.

    - ``pts``: of each frame, ascending, in units of ``time_base`` seconds. ``origin`` (s) is time 0.
    - ``rate``: the average rate.
    - ``counted``: the file has no usable time stamps (AVI, raw streams, duplicates). Its frames are numbered as they
      are decoded, at a constant ``rate``.
    - ``key_pts``, ``key_dts``: of the packets at which decoding can start, in the order of display.
    - ``announced``: the number of frames; if the file was cut off, the number that it should have.
    """

    pts: NDArray[np.int64]
    time_base: Fraction
    origin: Fraction
    rate: Fraction
    counted: bool
    key_pts: NDArray[np.int64]
    key_dts: NDArray[np.int64]
    announced: int

    def __len__(self) -> int:
        return len(self.pts)

    @property
    def truncated(self) -> bool:
        """Whether the file ends before its last frame."""
        return self.announced > len(self)

    def time_s(self, number: int) -> float:
        """When frame ``number`` is shown."""
        return float(int(self.pts[number]) * self.time_base - self.origin)

    def announced_times_s(self) -> NDArray[np.float64]:
        """When each frame is shown, float64; those that were cut off at the average rate."""
        missing = np.arange(1, self.announced - len(self) + 1) / float(self.rate)
        times_s = self.pts * float(self.time_base) - float(self.origin)
        return np.concatenate([times_s, times_s[-1] + missing])

    def number(self, pts: int | None, previous: int) -> int:
        """The number of a decoded frame; ``previous`` is that of the frame decoded before it, or -1.

        A number below ``previous`` is a frame that comes too late.
        """
        if self.counted or pts is None:
            return previous + 1
        number = int(np.searchsorted(self.pts, pts))
        return previous + 1 if number == previous else number  # two frames of one time stamp

    def key_before(self, number: int) -> tuple[int, int] | None:
        """(pts, dts) of the last packet at which decoding can start for frame ``number``; None: the start of the file.

        Its key frame is shown at the frame or before it: in an open group of pictures, frames that are shown before the
        key frame need the group before.
        """
        index = int(np.searchsorted(self.key_pts, self.pts[number], side="right")) - 1
        return None if self.counted or index < 1 else (int(self.key_pts[index]), int(self.key_dts[index]))


def read_timeline(path: Path, container: InputContainer, stream: av.VideoStream, first_pts: int | None) -> Timeline:
    """Reads all packets of ``stream``. ``first_pts`` is the time stamp of the first frame that can be decoded.

    Packets before it belong to a group of pictures that was cut away; they aren't counted.
    """
    packets, broken = _packets(stream)
    truncated = broken or missing_bytes(path) > 0
    time_base = Fraction(stream.time_base or Fraction(1, 1000))
    pts = np.unique(np.array([p[0] for p in packets if p[0] is not None], dtype=np.int64))
    keys = sorted((p[0], p[0] if p[1] is None else p[1]) for p in packets if p[2] and p[0] is not None)
    key_pts, key_dts = np.array(keys, dtype=np.int64).reshape(-1, 2).T
    counted = container.format.name == "avi" or len(pts) < len(packets)
    if first_pts is None or counted:
        counted, origin, rate = True, Fraction(0), Fraction(stream.guessed_rate or DEFAULT_RATE)
        pts, time_base = np.arange(len(packets), dtype=np.int64), 1 / rate
    else:
        pts, origin = pts[pts >= first_pts], clock_origin(container)
        pts = _without_holes(pts, packets[-1][1]) if truncated else pts
        rate = _average_rate(stream, pts, time_base)
    announced = len(pts)
    if truncated:
        said = stream.frames or round(_duration_s(container, stream) * rate)
        announced = max(said, announced + broken)
    return Timeline(pts, time_base, origin, rate, counted, key_pts, key_dts, announced)


def _packets(stream: av.VideoStream) -> tuple[list[tuple[int | None, int | None, bool]], bool]:
    """(pts, dts, is key frame) of every packet that is shown, and whether reading ended with an error."""
    packets: list[tuple[int | None, int | None, bool]] = []
    corrupt = False
    try:
        for packet in stream.container.demux(stream):
            if packet.size and not packet.is_discard:
                packets.append((packet.pts, packet.dts, packet.is_keyframe))
                corrupt = packet.is_corrupt
    except av.error.FFmpegError:
        return packets, True
    if corrupt:  # half a packet, at the end of a cut file
        packets.pop()
    return packets, corrupt


def _without_holes(pts: NDArray[np.int64], last_dts: int | None) -> NDArray[np.int64]:
    """Drops the last frames of a cut file if frames before them are missing, since their numbers aren't certain.

    A missing packet would be decoded, and so shown, after the last packet that is there. So only gaps after that packet
    count.
    """
    steps = np.diff(pts)
    certain = len(pts) - MAX_REORDER if last_dts is None else int(np.searchsorted(pts, last_dts, side="right"))
    holes = np.flatnonzero(steps > 1.5 * np.median(steps)) + 1 if len(steps) else steps
    holes = holes[holes >= max(certain, 1)]
    return pts[: holes[0]] if len(holes) else pts


def _average_rate(stream: av.VideoStream, pts: NDArray[np.int64], time_base: Fraction) -> Fraction:
    """The rate of the header, unless the time stamps show that it is wrong (FFmpeg guesses it from a few packets)."""
    header = Fraction(stream.average_rate or stream.guessed_rate or DEFAULT_RATE)
    if len(pts) < 2:
        return header
    measured = Fraction(len(pts) - 1, int(pts[-1] - pts[0])) / time_base
    return header if abs(header - measured) < measured / 20 else measured.limit_denominator(1001)


def _duration_s(container: InputContainer, stream: av.VideoStream) -> Fraction:
    if stream.duration is not None and stream.time_base is not None:
        return Fraction(stream.duration) * Fraction(stream.time_base)
    return Fraction(container.duration or 0, av.time_base)
