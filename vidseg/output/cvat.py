"""cvat.xml: masks as "CVAT for images 1.1", which CVAT imports into a task of the same video or images.

CVAT's tracks hold polygons and boxes and no masks, so the form for images is the one that loses no pixel. ``group_id``
is the object's id on every frame; CVAT finds a frame by its image's name, or by ``id``, its number.
"""

from pathlib import Path
from typing import TextIO
from xml.sax.saxutils import escape, quoteattr

from vidseg.measure import bounding_box
from vidseg.output.spool import Classes, Spooled, class_names, image_name, runs, video_name
from vidseg.types import Frame, FrameMasks, Source


class Cvat(Spooled):
    """An ``image`` element for each frame, with a ``mask`` for each object on it."""

    def __init__(self, path: str, suffix: str) -> None:
        super().__init__(path)
        self._suffix = suffix

    def open(self, folder: Path, source: Source) -> None:
        """Begins the spool."""
        super().open(folder, source)
        self._classes, self._frames = Classes(0), 0

    def write(self, frame: Frame, masks: FrameMasks) -> None:
        """Adds the element of one frame."""
        name = quoteattr(image_name(self._info, frame.index, self._suffix))
        height, width = masks.masks_nhw.shape[1:]
        self._add(f'  <image id="{frame.index}" name={name} width="{width}" height="{height}">\n')
        for object_id, label, mask_hw in zip(masks.object_ids, class_names(masks), masks.masks_nhw, strict=True):
            self._classes.number(label)
            if (box := bounding_box(mask_hw)) is None:
                continue
            rows, columns = box
            counts = ", ".join(map(str, runs(mask_hw[box])))
            self._add(
                f'    <mask label={quoteattr(label)} source="auto" occluded="0" rle="{counts}" '
                f'left="{columns.start}" top="{rows.start}" width="{columns.stop - columns.start}" '
                f'height="{rows.stop - rows.start}" z_order="0" group_id="{object_id}"></mask>\n'
            )
        self._add("  </image>\n")
        self._frames += 1

    def _finish(self, file: TextIO) -> None:
        labels = "".join(
            f"<label><name>{escape(name)}</name><type>mask</type><attributes></attributes></label>"
            for name in self._classes
        )
        task = f"<name>{escape(video_name(self._source))}</name><size>{self._frames}</size><mode>annotation</mode>"
        file.write(
            f'<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n  <meta><task>{task}'
        )
        file.write(f"<labels>{labels}</labels></task></meta>\n")
        self._copy(file)
        file.write("</annotations>\n")
