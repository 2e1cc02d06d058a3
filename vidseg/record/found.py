"""found.yaml: the prompts of a run whose objects a detector has found, as a prompt file that makes the same run again.

Masks are PNGs in found/, a file for each object.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

from vidseg.record.files import FOUND, FOUND_MASKS, whole
from vidseg.record.mask_images import MaskImages
from vidseg.types import Prompt


def write_found(folder: Path, prompts: Iterable[Prompt]) -> None:
    """Writes ``prompts``, of boxes and masks, into the run's folder."""
    entries = [_entry(folder, prompt) for prompt in prompts]
    if entries:
        with whole(folder / FOUND) as part:
            text = yaml.safe_dump({"prompts": entries}, sort_keys=False, default_flow_style=None, allow_unicode=True)
            part.write_text(text, encoding="utf-8")


def read_found(folder: Path) -> list[Prompt]:
    """The prompts that ``write_found`` wrote; none if there is no file."""
    if not (folder / FOUND).is_file():
        return []
    entries = yaml.safe_load((folder / FOUND).read_text("utf-8"))["prompts"]
    return [
        Prompt(
            entry["frame"], entry["object"], box_xyxy=entry.get("box"), name=entry.get("name"),
            until=entry.get("until"), joins=entry.get("joins", False),
            mask_hw=MaskImages(FOUND).read(folder / entry["mask"]) > 0 if "mask" in entry else None,
        )
        for entry in entries
    ]  # fmt: skip


def _entry(folder: Path, prompt: Prompt) -> dict[str, Any]:
    entry: dict[str, Any] = {"frame": prompt.frame_index, "object": prompt.object_id}
    if prompt.box_xyxy is not None:
        entry["box"] = prompt.box_xyxy.tolist()
    if prompt.mask_hw is not None:
        entry["mask"] = f"{FOUND_MASKS}/{prompt.object_id:05d}.png"
        (folder / FOUND_MASKS).mkdir(exist_ok=True)
        _, data = cv2.imencode(".png", prompt.mask_hw.astype(np.uint8) * 255)
        with whole(folder / entry["mask"]) as part:
            part.write_bytes(data.tobytes())
    entry |= {"name": prompt.name} if prompt.name is not None else {}
    entry |= {"until": prompt.until} if prompt.until is not None else {}
    return entry | ({"joins": True} if prompt.joins else {})
