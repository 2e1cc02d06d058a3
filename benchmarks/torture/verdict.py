"""What is wrong with a run's folder. Reads it as another program would: by the names in summary.json."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image
from pycocotools import mask as coco

VIDEOS = {".mp4", ".mov", ".webm", ".avi", ".mkv"}
MOST_WARNINGS = 8
"""More warnings of one run than this are a fault: a thing is said once."""


def faults(folder: Path, wanted: tuple[str, ...] = ()) -> list[str]:
    """One line for each thing that is wrong; none for a folder as it should be, also of a run that failed.

    ``wanted`` are outputs that a finished run must have.
    """
    return list(_faults(folder, wanted))


def _faults(folder: Path, wanted: tuple[str, ...]) -> Iterator[str]:
    for part in folder.rglob("*.part"):
        yield f"left over: {part.relative_to(folder)}"
    try:
        summary = json.loads((folder / "summary.json").read_text())
    except (OSError, ValueError) as error:
        yield f"summary.json: {error}"
        return
    frames, finished = summary["frames"], summary["status"] == "finished"
    pictures = [*folder.glob("samples/*.png"), *folder.glob("contact_sheet.png")]
    looked = finished and not frames and pictures and pictures[0].name.startswith("ruler_")  # without a prompt
    if looked:
        wanted = ()
    if finished:
        if summary["error"] is not None:
            yield f"finished, with the error {summary['error']}"
        if not frames and not looked:
            yield "finished without a frame"
        for name in wanted:
            if name not in summary["outputs"]:
                yield f"finished without {name}"
    else:
        yield from _message(summary["error"]) if summary["status"] == "failed" else ()
    for name, path in summary["outputs"].items():
        yield from _output(name, folder / path, frames, exact=finished)
    if finished and not looked:
        yield from _lines(folder / "frames.jsonl", frames, ("frame", "time_s"))
    if (masks := folder / "masks.jsonl").exists() and "rle" not in summary["outputs"]:
        yield from _masks(masks, frames, exact=finished)
    for picture in pictures:
        yield from _picture(picture)
    if (warned := warnings(folder)) > MOST_WARNINGS:
        yield f"{warned} warnings"


def _message(error: str | None) -> Iterator[str]:
    """A message that a user can do something with: one to three lines, no defect of ours."""
    if not error or not error.strip():
        yield "failed without a message"
    elif len(error.splitlines()) > 3:
        yield f"the message has {len(error.splitlines())} lines: {error[:300]}"
    elif "the traceback is in" in error or re.match(r"(error: )?[A-Z]\w*(Error|Exception)\b", error):
        yield f"a defect: {error}"


def message_faults(message: str) -> list[str]:
    """What is wrong with the text that a user gets for a mistake."""
    return list(_message(message))


def warnings(folder: Path) -> int:
    """How many warnings a run logged."""
    log = folder / "vidseg.log"
    return log.read_text(errors="replace").count("][WARNING] - ") if log.exists() else 0


def _output(name: str, path: Path, frames: int, exact: bool) -> Iterator[str]:
    """Faults of one output. A run that failed may have written one frame more to it than it counted."""
    if path.name == "masks.jsonl":
        yield from _masks(path, frames, exact)
        return
    if path.suffix == ".jsonl":
        return
    try:
        if path.is_dir():
            for file in path.iterdir():
                yield from _picture(file)
            found = len(list(path.iterdir()))
        elif path.suffix in VIDEOS:
            found = count_frames(path, strict=True)
        else:
            return
    except (av.error.FFmpegError, OSError) as error:
        yield f"{name}: {path.name} can't be read: {error}"
        return
    if found != frames and (exact or found != frames + 1):
        yield f"{name}: {path.name} has {found} frames, summary.json says {frames}"


def count_frames(path: Path, strict: bool = False) -> int:
    """How many frames a plain loop over the packets decodes. Errors are skipped unless ``strict``."""
    found = 0
    with av.open(str(path), metadata_errors="replace") as container:
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        packets = container.demux(stream)
        while True:
            try:
                if (packet := next(packets, None)) is None:
                    return found
                found += len(stream.decode(packet))
            except av.error.FFmpegError:
                if strict:
                    raise
                if not found or packet is None:
                    return found


def _picture(path: Path) -> Iterator[str]:
    try:
        with Image.open(path) as image:
            image.load()
    except (OSError, SyntaxError, ValueError) as error:
        yield f"{path.parent.name}/{path.name}: {error}"


def _lines(path: Path, frames: int, keys: tuple[str, ...]) -> Iterator[str]:
    try:
        lines = read_lines(path)
    except (OSError, ValueError) as error:
        yield f"{path.name}: {error}"
        return
    numbers = [line["frame"] for line in lines]
    if len(lines) != frames:
        yield f"{path.name} has {len(lines)} lines, summary.json says {frames} frames"
    if numbers != sorted(set(numbers)):
        yield f"{path.name}: frames are not in order, or twice: {numbers[:20]}"
    if not all(key in line for line in lines for key in keys):
        yield f"{path.name}: a line without {', '.join(keys)}"


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a file of JSON lines. Raises ValueError for a line that isn't whole."""
    text = path.read_text()
    if text and not text.endswith("\n"):
        raise ValueError("the last line is cut off")
    return [json.loads(line) for line in text.splitlines()]


def _masks(path: Path, frames: int, exact: bool) -> Iterator[str]:
    """masks.jsonl: a line for each frame, every object on every line, and areas that are those of the masks."""
    if exact:
        yield from _lines(path, frames, ("frame", "time_s", "objects"))
    try:
        lines = read_lines(path)
    except (OSError, ValueError) as error:
        yield f"{path.name}: {error}"
        return
    if len({tuple(thing["id"] for thing in line["objects"]) for line in lines}) > 1:
        yield f"{path.name}: not every object is on every line"
    for line in lines:
        for thing in line["objects"]:
            if int(np.count_nonzero(coco.decode(thing["rle"]))) != thing["area"]:
                yield f"{path.name}: frame {line['frame']}: the area of object {thing['id']} is not that of its mask"
                return
