"""RF-DETR-Seg (Roboflow, Apache-2.0): a detection transformer on DINOv2 with masks, as the package rfdetr has it."""

import logging
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from vidseg import packages
from vidseg.devices import resolve_device
from vidseg.errors import InputError
from vidseg.model.detector import published
from vidseg.model.detector.detections import check_share, detections
from vidseg.types import RGB, Detections

log = logging.getLogger(__name__)

CONFIGS = {
    "nano": "Nano",
    "small": "Small",
    "medium": "Medium",
    "large": "Large",
    "xlarge": "XLarge",
    "2xlarge": "2XLarge",
}
PUBLISHED = "coco"


class RFDETR:
    """A detector of COCO's classes, or of those that a checkpoint of one's own names, with masks.

    - ``checkpoint``: "coco", the published weights; a file that rfdetr has trained; or "random": weights drawn from
      ``seed``.
    - ``config``: the size of the model, one of ``CONFIGS``.
    - ``confidence``: the lowest score of a detection, 0 to 1.
    - ``nms``: of two boxes with a larger IoU only the surer one counts, 0 to 1.
    - ``device``: see ``vidseg.devices.resolve_device``.

    Raises InputError, beginning with the parameter, for values out of range, if rfdetr is missing, and if the weights
    can't be had or don't fit.
    """

    def __init__(
        self, checkpoint: str, config: str = "nano", confidence: float = 0.4, nms: float = 0.7, device: str = "auto",
        seed: int = 0,
    ) -> None:  # fmt: skip
        check_share("confidence", confidence)
        check_share("nms", nms)
        if config not in CONFIGS:
            raise InputError(f"config: {config} is not one of {', '.join(CONFIGS)}")
        self._confidence, self._nms = confidence, nms
        self.device = str(resolve_device(device))
        package = packages.load("rfdetr", "rfdetr")
        logging.getLogger("rf-detr").setLevel(logging.ERROR)  # it warns of what is meant: no weights, no compiling
        import torch

        new = getattr(package, f"RFDETRSeg{CONFIGS[config]}")
        path = None
        self.provenance: Mapping[str, str] = {"checkpoint": checkpoint, "config": config}
        if checkpoint == published.RANDOM:
            log.warning("checkpoint=random: random weights: the detections are not real")
        else:
            from rfdetr.assets.model_weights import ModelWeights, get_model_cache_dir

            name = new._model_config_class.model_fields["pretrain_weights"].default
            folder = Path(get_model_cache_dir())
            kept = str(folder / name) if checkpoint == PUBLISHED and (folder / name).is_file() else checkpoint
            choices = f"{PUBLISHED}, a .pth file that rfdetr has trained, or random"
            path, found = published.file(kept, {PUBLISHED: ModelWeights.get_url(name)}, folder, choices)
            self.provenance = {**self.provenance, "sha256": found["sha256"]}
        try:
            with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that without weights its results are worse
                torch.manual_seed(seed)
                self._model = new(pretrain_weights=None if path is None else str(path), device=self.device)
        except Exception as error:  # of a damaged or a wrong file, in any layer
            why = (str(error).splitlines() or [""])[0]
            raise InputError(f"checkpoint: rfdetr can't load {path} as config={config}: {why}") from error
        self.classes: tuple[str, ...] | None = tuple(self._model.class_names)

    def detect(self, rgb_hw3: RGB) -> Detections:
        """What is in a picture, uint8 (height, width, 3)."""
        found = self._model.predict(
            Image.fromarray(np.ascontiguousarray(rgb_hw3)), threshold=self._confidence, include_source_image=False
        )
        names = [str(name) for name in found.data["class_name"]] if len(found) else []
        known = [row for row, name in enumerate(names) if name]  # COCO's numbers have gaps, which weights may name
        size_hw = rgb_hw3.shape[0], rgb_hw3.shape[1]
        masks = found.mask[known] if found.mask is not None and known else np.zeros((0, *size_hw), bool)
        return detections(
            size_hw, found.xyxy[known], np.asarray(found.confidence)[known], [names[row] for row in known], masks,
            self._confidence, self._nms,
        )  # fmt: skip
