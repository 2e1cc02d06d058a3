"""Finds out whether a file was cut off, from the sizes that containers write into their outermost elements.

Reads a few bytes of each element and decodes nothing. Formats: ISO/IEC 14496-12 section 4.2 (MP4, MOV), Matroska (RFC
8794 section 6, RFC 9559) and RIFF (AVI, with OpenDML's further RIFF chunks). MPEG-TS and live WebM have no sizes.
"""

import struct
from pathlib import Path
from typing import BinaryIO

_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
_BOXES = {b"ftyp", b"moov", b"mdat", b"moof", b"free", b"skip", b"wide", b"styp", b"sidx", b"pnot", b"uuid", b"meta"}
_TOLERANCE = 8
"""Some AVI writers count the RIFF header, too."""


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
