"""When each frame of a file is shown, from its packets, and whether the file was cut off, from the sizes in its boxes.

Frame number i is the i-th time stamp in the order of display. Nothing is decoded. Formats with sizes: ISO/IEC 14496-12
section 4.2 (MP4, MOV), Matroska (RFC 8794 section 6, RFC 9559) and RIFF (AVI, with OpenDML's further RIFF chunks).
"""

import struct
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
from av.container import InputContainer
from numpy.typing import NDArray

from vidseg.video.demux import clock_origin

MAX_REORDER = 16
"""No codec shows a frame more than 16 frames after its packet (H.264's and HEVC's largest picture buffer)."""

MOST_TWICE = 0.1
"""Of all time stamps so many may be those of two pictures."""

DEFAULT_RATE = Fraction(25)
"""FFmpeg's own, for raw streams without a rate."""

_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
_BOXES = {b"ftyp", b"moov", b"mdat", b"moof", b"free", b"skip", b"wide", b"styp", b"sidx", b"pnot", b"uuid", b"meta"}
_TOLERANCE = 8
"""Some AVI writers count the RIFF header, too."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """The time stamps of a file's frames.

    - ``pts``: of each frame, ascending, in units of ``time_base`` seconds. ``origin`` (s) is time 0.
    - ``rate``: the average rate.
    - ``counted``: the file has no usable time stamps (AVI, raw streams, many duplicates). Its frames are numbered as
      they are decoded, at a constant ``rate``.
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

    def time_s(self, number: int) -> float:
        """When frame ``number`` is shown."""
        return float(int(self.pts[number]) * self.time_base - self.origin)

    def announced_times_s(self) -> NDArray[np.float64]:
        """When each frame is shown, float64; those that were cut off at the average rate."""
        missing = np.arange(1, self.announced - len(self) + 1) / float(self.rate)
        times_s = self.pts * float(self.time_base) - float(self.origin)
        return np.concatenate([times_s, times_s[-1] + missing])

    def number(self, pts: int | None, previous: int) -> int:
        """The number of a frame decoded after frame ``previous`` (-1: none); a smaller one means that it comes late."""
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
    """Reads all packets of ``stream``. Those before ``first_pts``, the first time stamp that can be decoded, belong to
    a group of pictures that was cut away; they aren't counted."""
    packets, broken = _packets(stream)
    truncated = broken or missing_bytes(path) > 0
    time_base = Fraction(stream.time_base or Fraction(1, 1000))
    pts = _ascending(np.array([p[0] for p in packets if p[0] is not None], dtype=np.int64))
    keys = sorted((p[0], p[0] if p[1] is None else p[1]) for p in packets if p[2] and p[0] is not None)
    key_pts, key_dts = np.array(keys, dtype=np.int64).reshape(-1, 2).T
    raw = bool(container.format.flags & av.format.Flags.no_timestamps.value)  # FFmpeg makes some up, wrong after damage
    counted = raw or container.format.name == "avi" or len(pts) < len(packets)
    if first_pts is None or counted:
        counted, origin, rate = True, Fraction(0), Fraction(stream.guessed_rate or DEFAULT_RATE)
        pts, time_base = np.arange(len(packets), dtype=np.int64), 1 / rate
    else:
        pts, origin = pts[pts >= first_pts], clock_origin(container)
        pts = _without_holes(pts, packets[-1][1]) if truncated else pts
        rate = Fraction(stream.average_rate or stream.guessed_rate or DEFAULT_RATE)
        if (
            len(pts) > 1
        ):  # FFmpeg guesses the header's rate from a few packets: the time stamps may show that it is wrong
            measured = Fraction(len(pts) - 1, int(pts[-1] - pts[0])) / time_base
            rate = rate if abs(rate - measured) < measured / 20 else measured.limit_denominator(1001)
    announced = len(pts)
    if truncated:
        duration_s = Fraction(container.duration or 0, av.time_base)
        if stream.duration is not None and stream.time_base is not None:
            duration_s = Fraction(stream.duration) * Fraction(stream.time_base)
        announced = max(stream.frames or round(duration_s * rate), announced + broken)
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


def _ascending(stamps: NDArray[np.int64]) -> NDArray[np.int64]:
    """Time stamps in order, each once. Of two pictures with the same one, as between two entries of an edit list, the
    second is a tick later. Where many have, the stamps mean nothing, and such are left out."""
    ordered, once = np.sort(stamps), np.unique(stamps)
    if len(ordered) - len(once) > len(ordered) * MOST_TWICE:
        return once
    steps = np.arange(len(ordered))
    return np.maximum.accumulate(ordered - steps) + steps


def _without_holes(pts: NDArray[np.int64], last_dts: int | None) -> NDArray[np.int64]:
    """Drops the last frames of a cut file if frames before them are missing, since their numbers aren't certain."""
    # A missing packet would be decoded, and so shown, after the last packet that is there: only later gaps count.
    steps = np.diff(pts)
    certain = len(pts) - MAX_REORDER if last_dts is None else int(np.searchsorted(pts, last_dts, side="right"))
    holes = np.flatnonzero(steps > 1.5 * np.median(steps)) + 1 if len(steps) else steps
    holes = holes[holes >= max(certain, 1)]
    return pts[: holes[0]] if len(holes) else pts


def missing_bytes(path: Path) -> int:
    """How many bytes are missing at the end by the container's own sizes; 0 if it has none."""
    with path.open("rb") as file:
        size = path.stat().st_size
        magic = file.read(8)
        file.seek(0)
        if magic[:4] == _EBML:
            end = _matroska_end(file)
        elif magic[:4] == b"RIFF":
            end = _chunks_end(file, size)
        elif magic[4:] in _BOXES:
            end = _boxes(file, size)[0]
        else:
            end = 0
    return end - size if end - size > _TOLERANCE else 0


def lacks_index(path: Path) -> bool:
    """Whether this is an MP4 or MOV without ``moov``, or with half of it, as a recorder without power leaves it."""
    with path.open("rb") as file:
        if file.read(8)[4:] not in _BOXES:
            return False
        end, kinds = _boxes(file, size := path.stat().st_size)
        return b"moov" not in kinds or (kinds[-1] == b"moov" and end > size)


def _boxes(file: BinaryIO, size: int) -> tuple[int, list[bytes]]:
    """Where the last top-level box ends, and the kinds of all boxes in order."""
    start = 0
    kinds: list[bytes] = []
    while start + 8 <= size:
        file.seek(start)
        length, kind = struct.unpack(">I4s", file.read(8))
        if length == 1:
            length = struct.unpack(">Q", file.read(8).rjust(8, b"\0"))[0]
        elif length == 0:  # to the end of the file
            length = size - start
        if length < 8 or (kind not in _BOXES and not kind.isalnum()):  # no box: appended by another program
            break
        kinds.append(kind)
        start += length
    return start, kinds


def _chunks_end(file: BinaryIO, size: int) -> int:
    end = 0
    while end + 8 <= size:
        file.seek(end)
        kind, length = struct.unpack("<4sI", file.read(8))
        if kind != b"RIFF" or length == 0:
            break
        end += 8 + length + length % 2
    return end


def _matroska_end(file: BinaryIO) -> int:
    """The end of the Segment, or 0 if its size is unknown."""
    for _ in range(4):  # the EBML header, perhaps a Void or a CRC, then the Segment
        identifier = file.read(4)
        if identifier[:1] == b"\xec":  # Void has an identifier of one byte
            file.seek(-3, 1)
        first = file.read(1)
        if not first or not first[0]:
            return 0
        width = 9 - first[0].bit_length()
        value = int.from_bytes(bytes([first[0] & (0xFF >> width)]) + file.read(width - 1), "big")
        if value == (1 << 7 * width) - 1:  # all ones: unknown, a live recording
            return 0
        if identifier == _SEGMENT:
            return file.tell() + value
        file.seek(value, 1)
    return 0
