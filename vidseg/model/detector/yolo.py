"""Ultralytics YOLO: detection and segmentation, yolo11 and yolo26 among others. The package has the licence AGPL-3.0.

It is imported when a detector is made, with its analytics, its downloads and its installing of packages switched off.
"""

import logging
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from vidseg import packages
from vidseg.devices import resolve_device
from vidseg.errors import InputError
from vidseg.model.detector import published
from vidseg.model.detector.coco import CLASSES
from vidseg.model.detector.detections import check_share, detections
from vidseg.types import RGB, Detections

log = logging.getLogger(__name__)

RELEASE = "https://github.com/ultralytics/assets/releases/download/v8.4.0"
SWITCHES = {  # read when ultralytics is imported; what the user's environment says comes first
    "YOLO_OFFLINE": "true",  # no analytics, no downloads
    "YOLO_AUTOINSTALL": "false",
    "YOLO_VERBOSE": "false",
    "ULTRALYTICS_SAFE_LOAD": "true",  # no code in a checkpoint is run
}
LEAST = (8, 4, 190)  # tested; before, tracks had other indices, and code in a checkpoint ran
MOST = 100  # detections in a picture
_told: set[str] = set()  # of the licence, once a process


class YOLO:
    """A detector of YOLO's classes, with masks if the model makes them (its name ends in -seg).

    - ``checkpoint``: a published model (yolo11n-seg, yolo26s-seg, …), a .pt file that Ultralytics has trained, or
      "random": weights drawn from ``seed``.
    - ``config``: for random weights the architecture, such as "yolo11n-seg.yaml", Ultralytics' or a file of one's own.
    - ``size``: longer side of the picture that the model sees, in pixels; a multiple of 32.
    - ``confidence``: the lowest score of a detection, 0 to 1.
    - ``nms``: of two boxes with a larger IoU only the surer one counts, 0 to 1.
    - ``device``: see ``vidseg.devices.resolve_device``.

    Raises InputError, beginning with the parameter, for values out of range, if the package is missing, and if the
    weights can't be had or are none.
    """

    def __init__(
        self, checkpoint: str, config: str = "yolo11n-seg.yaml", size: int = 640, confidence: float = 0.25,
        nms: float = 0.7, device: str = "auto", seed: int = 0,
    ) -> None:  # fmt: skip
        check_share("confidence", confidence)
        check_share("nms", nms)
        if size < 32 or size % 32:
            raise InputError(f"size: {size} is no size that YOLO takes; a multiple of 32, such as 640")
        self._size, self._confidence, self._nms = size, confidence, nms
        self._device = resolve_device(device)
        self.device = str(self._device)
        package = load_package()
        self.provenance: Mapping[str, str]
        if checkpoint == published.RANDOM:
            self._model = _random(package, config, seed)
            self.provenance = {"checkpoint": checkpoint, "config": config}
        else:
            self._model, self.provenance = _trained(package, checkpoint)
        if self._model.task not in ("detect", "segment"):
            raise InputError(
                f"checkpoint: {checkpoint} is a model for {self._model.task!r}; vidseg takes detect and segment"
            )
        self._names: dict[int, str] = dict(self._model.names)
        if checkpoint == published.RANDOM and len(self._names) == len(CLASSES):
            self._names = dict(enumerate(CLASSES))  # an architecture has numbers only
        self.classes: tuple[str, ...] | None = tuple(self._names.values())

    def detect(self, rgb_hw3: RGB) -> Detections:
        """What is in a picture, uint8 (height, width, 3)."""
        bgr_hw3 = np.ascontiguousarray(rgb_hw3[..., ::-1])  # as Ultralytics takes arrays
        (found,) = self._model.predict(
            bgr_hw3, imgsz=self._size, conf=max(self._confidence, 1e-3), iou=self._nms, agnostic_nms=True,
            retina_masks=True, max_det=MOST, device=self._device, verbose=False, save=False,
        )  # fmt: skip
        boxes = found.boxes.cpu().numpy()
        size_hw = rgb_hw3.shape[0], rgb_hw3.shape[1]
        masks = None
        if self._model.task == "segment":
            none = np.zeros((0, *size_hw), bool)
            masks = none if found.masks is None else found.masks.data.cpu().numpy() > 0.5
        names = [self._names[int(number)] for number in boxes.cls]
        return detections(size_hw, boxes.xyxy, boxes.conf, names, masks, self._confidence, self._nms)


def load_package() -> Any:
    """The package, imported without its side effects; the first time the log says its licence.

    Raises InputError if it is missing, or older than LEAST.
    """
    for name, value in SWITCHES.items():
        os.environ.setdefault(name, value)
    threads = cv2.getNumThreads()
    package = packages.load("ultralytics", "yolo")
    cv2.setNumThreads(threads)  # importing it sets them to 0
    if tuple(int(part) for part in re.findall(r"\d+", package.__version__)[:3]) < LEAST:
        least = ".".join(map(str, LEAST))
        raise InputError(
            f"_target_: it needs ultralytics {least} or later, and {package.__version__} is installed: "
            "pip install --upgrade 'vidseg[yolo]'"
        )
    if not _told:
        _told.add("licence")
        log.warning(
            "YOLO is Ultralytics' (ultralytics %s), licence AGPL-3.0: who passes on a program that uses it, or offers "
            "it over a network, must pass on its source, or buy another licence",
            package.__version__,
        )
    return package


def _random(package: Any, config: str, seed: int) -> Any:
    """The architecture ``config`` with weights drawn from ``seed``."""
    import torch

    log.warning("checkpoint=random: random weights: the detections are not real")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            return package.YOLO(config if Path(config).suffix else f"{config}.yaml", verbose=False)
        except (FileNotFoundError, TypeError, ValueError, KeyError) as error:
            raise InputError(
                f"config: {config} is no architecture that ultralytics {package.__version__} has; such as "
                "yolo11n-seg.yaml, yolo26s-seg.yaml, or a file of yours"
            ) from error


def _trained(package: Any, checkpoint: str) -> tuple[Any, dict[str, str]]:
    """The model of a checkpoint, and its provenance."""
    from ultralytics.utils.downloads import GITHUB_ASSETS_STEMS

    tasks = ("-cls", "-pose", "-obb", "-sem", "-depth")
    stems = (stem for stem in GITHUB_ASSETS_STEMS if stem.startswith("yolo") and not stem.endswith(tasks))
    urls = {stem: f"{RELEASE}/{stem}.pt" for stem in stems}
    choices = "yolo11n-seg … yolo11x-seg, yolo26n-seg … yolo26x-seg, a .pt file that Ultralytics has trained, or random"
    path, provenance = published.file(checkpoint, urls, Path(package.settings["weights_dir"]), choices)
    try:
        _refuse_code(path)
        model = package.YOLO(path, verbose=False)
        model.model.eval()
    except Exception as error:  # any layer of its reader
        why = (str(error).splitlines() or [""])[0]
        raise InputError(
            f"checkpoint: Ultralytics can't load {path}: {why}\n"
            "(a file of someone you trust that holds more than weights: ULTRALYTICS_SAFE_LOAD=false in the environment)"
        ) from error
    return model, provenance


def _refuse_code(path: Path) -> None:
    """Raises an error if loading a file would run code in it, unless the environment says that it may."""
    import torch
    from ultralytics.nn import tasks

    if os.environ["ULTRALYTICS_SAFE_LOAD"].strip().lower() in ("", "0", "false", "no", "off"):
        return
    if not hasattr(torch.serialization, "get_unsafe_globals_in_checkpoint"):  # Ultralytics then loads it as it is
        raise ValueError(f"torch {torch.__version__} would run code in it; 2.6 or later is needed")
    if not tasks.SAFE_LOAD:  # the program imported ultralytics before vidseg set the switch
        tasks.torch_safe_load(path, safe_only=True)
