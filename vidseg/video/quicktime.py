"""Languages of the tracks of a MOV, where FFmpeg writes fewer than the format has.

FFmpeg's muxer knows a list of Macintosh codes only, in which German is "ger" and not "deu", and leaves out the others.
The format has every code of ISO 639-2, too, in the same 16 bits, as MP4 does (QuickTime File Format, "Language code
values"). Knows nothing about streams.
"""

import re
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

_CODE = re.compile("[a-z]{3}")
_FIELD = {0: 20, 1: 32}
"""By the version of ``mdhd``, where in its content the language is."""


def write_languages(path: Path, languages: Mapping[int, str]) -> None:
    """Writes languages, three letters by ISO 639-2, into a finished MOV by the positions of their tracks."""
    with path.open("r+b") as file:
        movie = _within(file, 0, path.stat().st_size, b"moov")[0]
        for position, track in enumerate(_within(file, *movie, b"trak")):
            if _CODE.fullmatch(code := languages.get(position, "")):
                (media,) = _within(file, *track, b"mdia")
                ((start, _),) = _within(file, *media, b"mdhd")
                file.seek(start)
                file.seek(start + _FIELD[file.read(1)[0]])
                first, second, third = (ord(letter) - 0x60 for letter in code)
                file.write(struct.pack(">H", first << 10 | second << 5 | third))


def _within(file: BinaryIO, start: int, end: int, kind: bytes) -> list[tuple[int, int]]:
    """Where the content of each box of a kind begins and ends."""
    return [(begin, finish) for found, begin, finish in _boxes(file, start, end) if found == kind]


def _boxes(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    while start + 8 <= end:
        file.seek(start)
        length, kind = struct.unpack(">I4s", file.read(8))
        header = 8
        if length == 1:  # 64 bits follow
            (length,), header = struct.unpack(">Q", file.read(8)), 16
        yield kind, start + header, start + length
        start += max(length, header)
