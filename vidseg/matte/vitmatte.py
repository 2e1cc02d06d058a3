"""ViTMatte (Yao et al., 2024, arXiv 2305.15272) by transformers: a network makes alpha of the picture and a trimap."""

import logging
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg import packages, weights
from vidseg.devices import resolve_device
from vidseg.errors import InputError
from vidseg.matte.stage import Matting, within
from vidseg.measure import bounding_box
from vidseg.types import RGB, Frame, FrameMasks

log = logging.getLogger(__name__)

FILES = ("config.json", "model.safetensors", "preprocessor_config.json")
RANDOM = "random"
AROUND = 4  # the picture that the network sees goes so many band widths beyond the mask


class ViTMatte(Matting):
    """``matte=vitmatte``: alpha by ViTMatte in a band ``width`` pixels to both sides of the mask's outline.

    The trimap, which says of each pixel whether it is the object's, the background's or unknown, comes from the mask;
    the band is what is unknown. The network sees the object and some of what is around it.

    - ``checkpoint``: hf://OWNER/REPOSITORY, a folder with the files that transformers saves, or "random": the small
      architecture with weights drawn from ``seed``, for trying speed and memory.
    - ``width``: half of the band, in pixels of the picture, 1 to 256.
    - ``size``: the longer side of what the network sees, in pixels; larger objects are shrunk to it. Time and memory
      grow with its square.
    - ``device``: see ``vidseg.devices.resolve_device``. ``shape`` are the keys of ``Matting``.

    Raises InputError, naming the key, for values out of range, if transformers is missing, and if the weights can't be
    had or are of another model.
    """

    def __init__(
        self, checkpoint: str, width: float, size: int, device: str = "auto", seed: int = 0, **shape: object
    ) -> None:
        super().__init__(**shape)  # type: ignore[arg-type]  # which checks them
        self._width = round(within("width", width, 1, 256))
        self._size = int(within("size", size, 64, 4096, whole=True))
        self._device = resolve_device(device)
        try:
            self._model, self._processor = _load(checkpoint, seed)
        except InputError as error:
            raise InputError(f"matte.{error}") from error
        self._model.eval().to(self._device)

    def alpha(self, frame: Frame, masks: FrameMasks, mask_hw: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Alpha, uint8 (h, w); as the mask beyond the band."""
        out_hw = np.asarray(cv2.multiply(mask_hw, 255), np.uint8)
        if (box := bounding_box(mask_hw, margin=AROUND * self._width)) is None:
            return out_hw
        square = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * self._width + 1,) * 2)
        part_hw = np.ascontiguousarray(mask_hw[box])
        unknown_hw = cv2.dilate(part_hw, square) != cv2.erode(part_hw, square)  # the picture's edge is no outline
        trimap_hw = np.where(unknown_hw, np.uint8(128), out_hw[box])
        out_hw[box] = np.where(unknown_hw, self._matted(frame.rgb_hw3[box], trimap_hw), out_hw[box])
        return out_hw

    def _matted(self, rgb_hw3: RGB, trimap_hw: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """What the network makes of a picture and its trimap (0, 128, 255): uint8 (h, w)."""
        import torch

        height, width = trimap_hw.shape
        shrink = min(1.0, self._size / max(height, width))
        small = (max(1, round(width * shrink)), max(1, round(height * shrink)))
        if shrink < 1:
            rgb_hw3 = np.asarray(cv2.resize(rgb_hw3, small, interpolation=cv2.INTER_AREA))
            trimap_hw = np.asarray(cv2.resize(trimap_hw, small, interpolation=cv2.INTER_NEAREST_EXACT))
        inputs = self._processor(np.ascontiguousarray(rgb_hw3), trimap_hw, return_tensors="pt").to(self._device)
        with torch.inference_mode():
            alphas = self._model(**inputs).alphas[0, 0, : small[1], : small[0]]  # what is beyond is padding
        found_hw = (255 * alphas.float().cpu().numpy().clip(0, 1)).round().astype(np.uint8)
        return np.asarray(cv2.resize(found_hw, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def _load(checkpoint: str, seed: int) -> tuple[Any, Any]:
    """Model and processor. Raises InputError, beginning with the parameter, if they can't be had."""
    package = packages.load("transformers", "vitmatte")
    package.utils.logging.disable_progress_bar()
    if checkpoint == RANDOM:
        import torch

        log.warning("matte.checkpoint=random: random weights: the alpha is not real")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return package.VitMatteForImageMatting(_small(package)), package.VitMatteImageProcessor()
    folder, _ = weights.locate_all(checkpoint, FILES)
    try:
        model = package.VitMatteForImageMatting.from_pretrained(folder, local_files_only=True)
        return model, package.VitMatteImageProcessor.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # of files that are damaged or of another model, in any layer
        why = (str(error).splitlines() or [""])[0]
        raise InputError(f"checkpoint: {folder} holds no ViTMatte that transformers can load: {why}") from error


def _small(package: Any) -> Any:
    """The configuration of hustvl/vitmatte-small-composition-1k: a ViT-S of four channels, the last one the trimap."""
    backbone = package.VitDetConfig(
        num_channels=4,
        image_size=512,
        pretrain_image_size=224,
        patch_size=16,
        hidden_size=384,
        num_attention_heads=6,
        use_absolute_position_embeddings=True,
        use_relative_position_embeddings=True,
        window_size=14,
        window_block_indices=[0, 1, 3, 4, 6, 7, 9, 10],
        residual_block_indices=[2, 5, 8, 11],
        out_features=["stage12"],
    )
    return package.VitMatteConfig(
        backbone_config=backbone, convstream_hidden_sizes=[48, 96, 192], fusion_hidden_sizes=[256, 128, 64, 32]
    )
