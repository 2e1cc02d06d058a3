"""Masks as JSON for COCO's and YouTube-VIS' tools: coco.json and youtube_vis.json.

They are two files because both have a list of ``annotations`` which their tools index whole: an annotation of COCO is
an object on one image (``image_id``, ``segmentation``), one of YouTube-VIS an object in one video (``video_id``,
``segmentations``). Either tool fails on the other's entries. In both, ``category_id`` is the object's class.
"""

import json
import tempfile
from array import array
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, TextIO

import numpy as np
from pycocotools import mask as coco

from vidseg.output.spool import Classes, Numbering, Spooled, class_names, image_name, runs, video_name
from vidseg.record.masks import Rle, encode
from vidseg.types import Frame, FrameMasks, Source


def _measured(mask_hw: Any) -> tuple[Rle, list[float], int]:
    """A mask's RLE, its box [x, y, width, height], and its area in pixels."""
    rle = encode(mask_hw)
    return rle, [float(n) for n in coco.toBbox(rle)], int(np.count_nonzero(mask_hw))


def _categories(classes: Classes) -> str:
    return json.dumps([{"id": n, "name": name, "supercategory": ""} for name, n in classes.items()])


class Coco(Numbering, Spooled):
    """COCO instances: an annotation for each object on each frame that it is on, with its whole mask as RLE.

    Images have ``video_id`` and ``frame_id`` and annotations ``track_id`` and ``instance_id``, the object's id, as the
    COCO-VID form of TAO and MMTracking has them; tools for images leave them alone.
    """

    def __init__(self, path: str, suffix: str, classes: Sequence[str] | None = None) -> None:
        Spooled.__init__(self, path)
        Numbering.__init__(self, classes)
        self._suffix = suffix
        self._images: IO[bytes] | None = None

    def open(self, folder: Path, source: Source) -> None:
        """Begins the spools."""
        super().open(folder, source)
        self._images = tempfile.TemporaryFile(dir=self._file.parent)  # noqa: SIM115 (closed in abort)
        self._classes, self._count, self._frames = Classes(1, self.known), 0, 0

    def write(self, frame: Frame, masks: FrameMasks) -> None:
        """Adds an image, and an annotation for each object on it."""
        assert self._images is not None
        height, width = masks.masks_nhw.shape[1:]
        image: dict[str, Any] = {
            "id": frame.index + 1,  # pycocotools takes 0 for no image
            "file_name": image_name(self._info, frame.index, self._suffix),
            "width": width,
            "height": height,
            "video_id": 1,
            "frame_id": self._frames,
        }
        self._images.write(f"{',' if self._frames else ''}\n{json.dumps(image)}".encode())
        self._frames += 1
        for object_id, name, mask_hw in zip(masks.object_ids, class_names(masks), masks.masks_nhw, strict=True):
            category = self._classes.number(name)
            if not mask_hw.any():
                continue
            rle, box, area = _measured(mask_hw)
            self._count += 1
            entry: dict[str, Any] = {
                "id": self._count,
                "image_id": frame.index + 1,
                "video_id": 1,
                "category_id": category,
            }
            entry |= {"track_id": object_id, "instance_id": object_id, "iscrowd": 0, "area": area, "bbox": box}
            self._add(f"{',' if self._count > 1 else ''}\n{json.dumps(entry | {'segmentation': rle})}")

    def abort(self) -> None:
        """Gives the spools back."""
        super().abort()
        if self._images is not None:
            with suppress(OSError):
                self._images.close()

    def _finish(self, file: TextIO) -> None:
        assert self._images is not None
        info = self._info
        video = {"id": 1, "name": video_name(self._source), "width": info.width, "height": info.height}
        file.write(f'{{"info": {{}}, "licenses": [], "videos": [{json.dumps(video)}],\n"images": [')
        self._images.seek(0)
        for line in self._images:
            file.write(line.decode())
        file.write('],\n"annotations": [')
        self._copy(file)
        file.write(f'],\n"categories": {_categories(self._classes)}}}\n')


class YouTubeVis(Numbering, Spooled):
    """YouTube-VIS: an annotation for each object, with a list of its masks, null where it isn't.

    They are uncompressed RLE, lists of run lengths, as the dataset's own: TrackEval takes no other ground truth.

    Memory: 8 bytes for each frame and object.
    """

    def __init__(self, path: str, suffix: str, classes: Sequence[str] | None = None) -> None:
        Spooled.__init__(self, path)
        Numbering.__init__(self, classes)
        self._suffix = suffix

    def open(self, folder: Path, source: Source) -> None:
        """Begins the spool."""
        super().open(folder, source)
        self._frames = array("q")
        self._offsets: dict[int, array[int]] = {}  # where the spool has an object's masks, frame by frame; -1: nowhere
        self._names: dict[int, str] = {}

    def write(self, frame: Frame, masks: FrameMasks) -> None:
        """Adds the masks of one frame."""
        assert self._spool is not None
        for object_id, name, mask_hw in zip(masks.object_ids, class_names(masks), masks.masks_nhw, strict=True):
            self._names[object_id] = name
            offsets = self._offsets.setdefault(object_id, array("q", [-1]) * len(self._frames))
            offsets.append(self._spool.tell() if mask_hw.any() else -1)
            if offsets[-1] >= 0:
                _, box, area = _measured(mask_hw)
                mask = {"size": list(mask_hw.shape), "counts": runs(mask_hw.T)}  # column by column
                self._add(json.dumps([mask, box, area]) + "\n")
        self._frames.append(frame.index)
        for offsets in self._offsets.values():
            if len(offsets) < len(self._frames):  # an object that a segmenter no longer speaks of
                offsets.append(-1)

    def _finish(self, file: TextIO) -> None:
        info, classes = self._info, Classes(1, self.known)
        video = {"id": 1, "width": info.width, "height": info.height, "length": len(self._frames)}
        file.write(f'{{"info": {{}}, "licenses": [], "videos": [{json.dumps(video)[:-1]}, "file_names": [')
        for position, index in enumerate(self._frames):
            name = f"{video_name(self._source)}/{image_name(info, index, self._suffix)}"
            file.write(f"{', ' if position else ''}{json.dumps(name)}")
        file.write(']}],\n"annotations": [')
        for number, (object_id, offsets) in enumerate(sorted(self._offsets.items())):
            entry = {
                "id": object_id,
                "video_id": 1,
                "category_id": classes.number(self._names[object_id]),
                "iscrowd": 0,
            }
            entry |= {"width": info.width, "height": info.height, "length": 1}
            file.write(f"{',' if number else ''}\n{json.dumps(entry)[:-1]}")
            for column, key in enumerate(("segmentations", "bboxes", "areas")):
                file.write(f', "{key}": [')
                for position, offset in enumerate(offsets):
                    value = None if offset < 0 else self._read(offset)[column]
                    file.write(f"{', ' if position else ''}{json.dumps(value)}")
                file.write("]")
            file.write("}")
        file.write(f'],\n"categories": {_categories(classes)}}}\n')

    def _read(self, offset: int) -> list[Any]:
        assert self._spool is not None
        self._spool.seek(offset)
        found: list[Any] = json.loads(self._spool.readline())
        return found
