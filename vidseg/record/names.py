"""What the names of images say: their order, and the numbers of their frames.

Whatever is ambiguous is refused: images in a wrong order look like a video, and nobody would notice.
"""

import logging
import os
import re
from collections.abc import Container, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from vidseg.errors import InputError

log = logging.getLogger(__name__)

Words = tuple[str | int, ...]  # a name cut into text and numbers in turn, text first and last (it may be empty)

NUMBER = re.compile(r"(\d+)")
SIGNED = re.compile(r"((?:(?<![^\W_])(?<!-)-)?\d+)")  # a minus neither after a letter or digit nor after another minus
_DAY_FIRST = re.compile(r"(?<!\d)(\d{1,2})([-._])(\d{1,2})\2((?:19|20)\d\d)(?!\d)")
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")


@dataclass(frozen=True, slots=True)
class Numbering:
    """Images in order. ``numbers`` are those of their frames, ascending; None where no single number tells, and the
    position counts. ``how`` says which, for the log."""

    files: tuple[Path, ...]
    numbers: tuple[int, ...] | None
    how: str


def readable(path: Path) -> str:
    """A file's name for messages, also if it isn't UTF-8."""
    return os.fsencode(path.name).decode(errors="backslashreplace")


def images(folder: Path, suffixes: Container[str], key: str) -> list[Path]:
    """The files of a folder with one of ``suffixes`` (lower case), by name; no hidden ones, no folders.

    Raises InputError, naming ``key``, if the folder can't be read.
    """
    try:
        names = sorted(f for f in folder.iterdir() if f.suffix.lower() in suffixes and not f.name.startswith("."))
    except PermissionError as error:
        raise InputError(f"{key}: {folder} can't be read: permission denied") from error
    return [file for file in names if not file.is_dir()]


def in_order(files: Sequence[Path], key: str) -> Numbering:
    """The images of one folder in the natural order of their names: numbers in them are compared as numbers.

    - Where exactly one number varies, it is the frame's: 0000_cam2.png, 1080p_00001_x264.jpg, frame_-3.png.
    - Where several vary, as in time stamps, or none is there, the position counts.
    - Among numbered images, those without a number are left out with a warning.

    Raises InputError, naming ``key``, where more than numbers decides the order (several series in one folder,
    hexadecimal numbers, names of months), where two images have the same number, and for the other ways of writing
    numbers whose order can't be told: see the functions that this one calls.
    """
    with_number = [file for file in files if NUMBER.search(file.stem)]
    if not with_number:
        ordered = sorted(files, key=lambda file: (file.stem.casefold(), file.name))
        for one, other in pairwise(ordered):
            if one.stem == other.stem:
                raise same_frame(one, other, key)
        return Numbering(tuple(ordered), None, "in the order of their names")
    _leave_out(set(files) - set(with_number), with_number[0], key)
    words = _read_numbers(with_number, key)
    read = _read_decimals(words, key)
    ordered = sorted(words, key=lambda file: read[file])
    decided = {_deciding(one, other, read, key) for one, other in pairwise(ordered)}
    column = _frame_number(words, ordered, decided, key)
    if column is None or read is not words:
        return Numbering(tuple(ordered), None, "numbered by position")
    numbers = tuple(int(words[file][column]) for file in ordered)
    count = len(NUMBER.findall(ordered[0].stem))
    which = "" if count == 1 else f"{_ORDINALS[column // 2]} " if column // 2 < len(_ORDINALS) else "last "
    how = f"frames {numbers[0]} to {numbers[-1]} by the {which}number in {readable(ordered[0])}"
    gaps = numbers[-1] - numbers[0] >= len(numbers)
    return Numbering(tuple(ordered), numbers, how + (", with gaps" if gaps else ""))


def cut(stem: str, pattern: re.Pattern[str] = NUMBER) -> Words:
    """A name as words, which sort in natural order: 2 before 10."""
    return tuple(int(word) if at % 2 else word.casefold() for at, word in enumerate(pattern.split(stem)))


def _read_numbers(files: Sequence[Path], key: str) -> dict[Path, Words]:
    """The names cut into text and numbers. A minus is a sign where only some names have it.

    Raises InputError where all have one that may be a sign: with it, their order would be the reverse.
    """
    plain = {file: cut(file.stem) for file in files}
    signed = {file: cut(file.stem, SIGNED) for file in files}
    if len({words[::2] for words in plain.values()}) > 1:
        return signed if len({words[::2] for words in signed.values()}) == 1 else plain
    first, first_signed = plain[files[0]], signed[files[0]]
    for at in range(1, len(first), 2):
        if first[at - 1] != first_signed[at - 1] and len({words[at] for words in plain.values()}) > 1:
            raise InputError(
                f"{key}: {files[0].parent}: is the - in {readable(files[0])} the sign of the number? "
                "Rename the images, 00000.png and so on"
            )
    return plain


def _read_decimals(words: dict[Path, Words], key: str) -> dict[Path, Words]:
    """Reads 0.5 and 0.25 as decimal fractions where they are. 1.9 and 1.10 are a ninth and a tenth.

    Both orders are the same where all have as many digits. Else zeros tell: numbers written without padding have none
    in front, and fractions none at the end. Raises InputError where they don't.
    """
    for at in range(3, min(map(len, words.values())), 2):
        if {entry[at - 1] for entry in words.values()} != {"."} or _in_chain(words, at):
            continue
        digits = {file: NUMBER.findall(file.stem)[at // 2] for file in words}
        width = max(map(len, digits.values()))
        padded = {
            file: (*entry[:at], int(digits[file].ljust(width, "0")), *entry[at + 1 :]) for file, entry in words.items()
        }
        if sorted(words, key=lambda file: words[file]) == sorted(words, key=lambda file: padded[file]):
            continue
        in_front = any(len(number) > 1 and number[0] == "0" for number in digits.values())
        at_end = any(len(number) > 1 and number[-1] == "0" for number in digits.values())
        if in_front == at_end:
            short, long = (pick(words, key=lambda file: (len(digits[file]), digits[file])) for pick in (min, max))
            raise InputError(
                f"{key}: {short.parent}: {readable(short)} and {readable(long)}: are these decimal fractions or two "
                "numbers? Write all with the same number of digits"
            )
        return padded if in_front else words
    return words


def _in_chain(words: dict[Path, Words], at: int) -> bool:
    """Whether a number is one of three or more with dots between them, as in 10.30.5."""
    return any((at > 3 and entry[at - 3] == ".") or entry[at + 1] == "." for entry in words.values())


def _deciding(one: Path, other: Path, words: dict[Path, Words], key: str) -> int:
    """Where the names of two neighbours first differ: a number. Raises InputError if it is text, or nowhere."""
    a, b = words[one], words[other]
    if a == b:
        raise same_frame(one, other, key)
    at = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), 0)
    if at % 2 == 0:
        raise _several_kinds(one, other, key)
    return at


def _frame_number(words: dict[Path, Words], ordered: Sequence[Path], decided: set[int], key: str) -> int | None:
    """Which of the words is the frame's number; None if several numbers vary.

    Text after the number may vary (0001_cat.png, 0002_dog.png) if it isn't joined to it, as hexadecimal digits are, and
    nothing else varies. Raises InputError otherwise.
    """
    first = words[ordered[0]]
    if len({entry[::2] for entry in words.values()}) > 1:
        (at, *more) = sorted(decided)
        after = {entry[at + 1] for entry in words.values()}
        joined = len(after) > 1 and any(str(text)[:1].isalnum() for text in after)
        if more or joined or len({entry[at + 2 :: 2] for entry in words.values()}) > 1:
            odd = next(file for file in ordered if words[file][::2] != first[::2])
            raise _several_kinds(ordered[0], odd, key)
        return at
    varying = [at for at in range(1, len(first), 2) if len({entry[at] for entry in words.values()}) > 1]
    if len(varying) > 1:
        _check_dates(ordered, key)
    candidates = varying if len(ordered) > 1 else range(1, len(first), 2)
    return candidates[0] if len(candidates) == 1 else None


def _check_dates(files: Sequence[Path], key: str) -> None:
    """Raises InputError for dates such as 30-11-2026 and 01-12-2026, whose order isn't that of time."""
    dates = [match.groups() for file in files if (match := _DAY_FIRST.search(file.stem))]
    month_first = any(int(second) > 12 for _, _, second, _ in dates)
    if len({year if month_first else (second, year) for _, _, second, year in dates}) > 1:
        raise InputError(
            f"{key}: {files[0].parent}: the order of dates such as that in {readable(files[0])} isn't that of time; "
            "write the year first, then the month"
        )


def _leave_out(files: set[Path], numbered: Path, key: str) -> None:
    """Warns of files without a number. Raises InputError if one may be the first of a series: image, image (1)."""
    start = str(cut(numbered.stem)[0])
    for file in sorted(files):
        if start.startswith(file.stem.casefold()):
            raise InputError(
                f"{key}: {file.parent}: is {readable(file)} the first image, before {readable(numbered)}? "
                "Give it a number, or move it elsewhere"
            )
        log.warning("%s: %s is left out: it has no number, as %s has", key, readable(file), readable(numbered))


def same_frame(one: Path, other: Path, key: str) -> InputError:
    """The error for two images of one frame."""
    names = " and ".join(sorted((readable(one), readable(other))))
    return InputError(f"{key}: {one.parent}: {names} have the same number; keep one kind of image")


def _several_kinds(one: Path, other: Path, key: str) -> InputError:
    return InputError(
        f"{key}: {one.parent}: {readable(one)} and {readable(other)} differ in more than a number, which leaves their "
        "order open; keep one series of images in the folder, or rename them"
    )
