"""Mask R-CNN (He et al. 2017, arXiv 1703.06870) as torchvision has it: ResNet-50, FPN, the recipe "v2"."""

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from vidseg import packages
from vidseg.devices import resolve_device
from vidseg.errors import InputError
from vidseg.model.detector import published
from vidseg.model.detector.detections import check_share, detections
from vidseg.types import RGB, Detections

log = logging.getLogger(__name__)

PUBLISHED = "coco_v1"
MOST = 50  # detections in a picture: each has a float mask of the picture's size


class MaskRCNN:
    """A detector of COCO's classes with masks.

    - ``checkpoint``: "coco_v1", the published weights; a file of weights for the same architecture; or "random":
      weights drawn from ``seed``.
    - ``confidence``: the lowest score of a detection, 0 to 1.
    - ``nms``: of two boxes with a larger IoU only the surer one counts, 0 to 1. Within a class it is 0.5 at most.
    - ``device``: see ``vidseg.devices.resolve_device``.

    Raises InputError, beginning with the parameter, for values out of range, if torchvision is missing or made for
    another torch, and if the weights can't be had or don't fit.
    """

    def __init__(
        self, checkpoint: str, confidence: float = 0.5, nms: float = 0.7, device: str = "auto", seed: int = 0
    ) -> None:
        check_share("confidence", confidence)
        check_share("nms", nms)
        self._confidence, self._nms = confidence, nms
        self._device = resolve_device(device)
        self.device = str(self._device)
        models = packages.load("torchvision.models.detection", "mask-rcnn")
        import torch

        trained = models.MaskRCNN_ResNet50_FPN_V2_Weights.COCO_V1
        self._names: tuple[str, ...] = tuple(trained.meta["categories"])  # by number; 0 is the background
        self.classes: tuple[str, ...] | None = tuple(
            name for name in self._names if name not in ("__background__", "N/A")
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._model = models.maskrcnn_resnet50_fpn_v2(
                weights=None, weights_backbone=None, num_classes=len(self._names), box_score_thresh=confidence,
                box_detections_per_img=MOST,
            )  # fmt: skip
        self.provenance: Mapping[str, str] = {"checkpoint": checkpoint}
        if checkpoint == published.RANDOM:
            log.warning("checkpoint=random: random weights: the detections are not real")
        else:
            folder = Path(torch.hub.get_dir()) / "checkpoints"
            choices = f"{PUBLISHED}, a .pt or .pth file, hf://OWNER/REPOSITORY/FILE or random"
            path, self.provenance = published.file(checkpoint, {PUBLISHED: trained.url}, folder, choices)
            try:
                self._model.load_state_dict(published.state(path))
            except RuntimeError as error:
                raise InputError(
                    f"checkpoint: {path} doesn't fit maskrcnn_resnet50_fpn_v2 with COCO's {len(self._names)} classes"
                ) from error
        self._model.eval().to(self._device)

    def detect(self, rgb_hw3: RGB) -> Detections:
        """What is in a picture, uint8 (height, width, 3)."""
        import torch

        image_3hw = torch.from_numpy(np.ascontiguousarray(rgb_hw3)).to(self._device).permute(2, 0, 1) / 255
        with torch.inference_mode():
            (found,) = self._model([image_3hw])
        names = [self._names[int(number)] for number in found["labels"]]
        masks_nhw = (found["masks"][:, 0] > 0.5).cpu().numpy()
        boxes, scores = found["boxes"].cpu().numpy(), found["scores"].cpu().numpy()
        size_hw = rgb_hw3.shape[0], rgb_hw3.shape[1]
        return detections(size_hw, boxes, scores, names, masks_nhw, self._confidence, self._nms)
