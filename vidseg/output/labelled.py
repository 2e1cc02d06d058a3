"""Folders of pictures with a file of polygons for each: YOLO's dataset for segmentation, and LabelMe's.

``vidseg.output.polygons`` says how holes become part of a polygon.
"""

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from vidseg.output.polygons import Points, polygon, polygons
from vidseg.output.spool import Classes, Numbering, class_names, image_name, image_stem
from vidseg.record.files import whole
from vidseg.types import Frame, FrameMasks, Prompt, Source


class _Labelled:
    """The folder ``path`` in the run's folder. Every file in it is complete; a run that ends early keeps its files.

    With ``images`` the frames are written, too, as JPEG. ``files`` are the files and folders in ``path`` that have
    other names than the frames.
    """

    files: Sequence[str] = ()

    def __init__(self, path: str, images: bool) -> None:
        self.path = path
        self._write_images = images

    def open(self, folder: Path, source: Source) -> None:
        """Makes the folders."""
        self._folder, self._info = folder / self.path, source.info
        self._folder.mkdir(exist_ok=True)

    def close(self) -> None:
        """Does nothing: all files are written."""

    def abort(self) -> None:
        """Removes folders in which nothing is."""
        with suppress(OSError, AttributeError):
            self._folder.rmdir()

    def _stem(self, frame: Frame) -> str:
        return image_stem(self._info, frame.index)

    def _picture(self, path: Path, frame: Frame) -> None:
        if self._write_images:
            from PIL import Image

            with whole(path) as part:
                Image.fromarray(frame.rgb_hw3).save(part, format="JPEG", quality=95, subsampling=0)


class YoloSeg(Numbering, _Labelled):
    """labels/00000.txt, images/00000.jpg, and data.yaml with the classes, as Ultralytics reads them.

    A line of a text file is an object: its class and its polygon, in shares of the picture, which joins all its parts.
    Which object it is isn't there: YOLO's labels are of single pictures.
    """

    def __init__(self, path: str, images: bool, classes: Sequence[str] | None = None) -> None:
        _Labelled.__init__(self, path, images)
        Numbering.__init__(self, classes)

    def check(self, source: Source, prompts: Sequence[Prompt]) -> None:
        """Finds out what the files will be called."""
        folders = ["labels", "images"] if self._write_images else ["labels"]
        self.files = ("data.yaml", *folders)

    def open(self, folder: Path, source: Source) -> None:
        """Makes the folders."""
        super().open(folder, source)
        self._classes = Classes(0, self.known)
        for name in ("labels", "images") if self._write_images else ("labels",):
            (self._folder / name).mkdir(exist_ok=True)

    def write(self, frame: Frame, masks: FrameMasks) -> None:
        """Writes the labels of one frame, and its picture."""
        height, width = masks.masks_nhw.shape[1:]
        lines = []
        for name, mask_hw in zip(class_names(masks), masks.masks_nhw, strict=True):
            number = self._classes.number(name)  # also of an object that is never seen
            if (points := polygon(mask_hw)) is not None:
                # Both what cuts the decimals (Ultralytics) and what rounds (supervision) gets the same pixel.
                shares = (points + 0.25) / (width, height)
                lines.append(f"{number} {' '.join(f'{n:.6f}' for n in shares.ravel())}\n")
        with whole(self._folder / "labels" / f"{self._stem(frame)}.txt") as part:
            part.write_text("".join(lines), encoding="ascii")
        self._picture(self._folder / "images" / f"{self._stem(frame)}.jpg", frame)

    def close(self) -> None:
        """Writes data.yaml, whose classes are known now."""
        names = {number: name for name, number in self._classes.items()}
        content = {"train": "images", "val": "images", "names": names}
        with whole(self._folder / "data.yaml") as part:
            part.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")

    def abort(self) -> None:
        """Removes folders in which nothing is."""
        for name in ("labels", "images"):
            with suppress(OSError, AttributeError):
                (self._folder / name).rmdir()
        super().abort()


class LabelMe(_Labelled):
    """00000.json beside 00000.jpg: a polygon for each part of an object.

    ``group_id``, which holds the parts together, is the object's id, and the label its class.
    """

    def write(self, frame: Frame, masks: FrameMasks) -> None:
        """Writes the shapes of one frame, and its picture."""
        height, width = masks.masks_nhw.shape[1:]
        stem = self._stem(frame)
        content = {
            "version": "5.5.0",
            "flags": {},
            "shapes": [
                _shape(object_id, name, points)
                for object_id, name, mask_hw in zip(masks.object_ids, class_names(masks), masks.masks_nhw, strict=True)
                for points in polygons(mask_hw)
            ],
            "imagePath": f"{stem}.jpg" if self._write_images else image_name(self._info, frame.index, ".jpg"),
            "imageData": None,
            "imageHeight": height,
            "imageWidth": width,
        }
        with whole(self._folder / f"{stem}.json") as part:
            part.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        self._picture(self._folder / f"{stem}.jpg", frame)


def _shape(object_id: int, name: str, points: Points) -> dict[str, Any]:
    middles = (points + 0.5).tolist()  # of the pixels: LabelMe draws the first one from 0 to 1
    kind: dict[str, Any] = {"description": "", "shape_type": "polygon", "flags": {}, "mask": None}
    return {"label": name, "points": middles, "group_id": object_id, **kind}
