"""SAM ViT-B, L and H by transformers' SamModel."""

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from vidseg import packages, weights
from vidseg.devices import Precision, resolve_device
from vidseg.errors import InputError
from vidseg.model.sam.image import Clue, fit, square
from vidseg.types import RGB, Logits

log = logging.getLogger(__name__)

KEY = "model.checkpoint"
SIZES: dict[str, dict[str, Any]] = {  # of the image encoder; transformers' defaults are those of ViT-B
    "base": {},
    "large": {
        "hidden_size": 1024,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "global_attn_indexes": [5, 11, 17, 23],
    },
    "huge": {
        "hidden_size": 1280,
        "num_hidden_layers": 32,
        "num_attention_heads": 16,
        "global_attn_indexes": [7, 15, 23, 31],
    },
}


class HuggingFaceSAM:
    """SAM by transformers, see ``vidseg.model.sam.image.ImageModel``.

    - ``checkpoint``: hf://OWNER/REPOSITORY or a folder, with config.json and model.safetensors as transformers has
      them; or "random": weights drawn from ``seed`` for the encoder ``size``, "base", "large" or "huge".

    Raises InputError if transformers or a file is missing, and for values that can't be used.
    """

    def __init__(self, checkpoint: str, size: str, seed: int, device: str, precision: Precision) -> None:
        try:
            transformers = packages.load("transformers", "text")
        except InputError as error:
            why = str(error).removeprefix("_target_: ")
            raise InputError(
                f"{KEY}: {why}\nSAM in ONNX does without: model.encoder=encoder.onnx model.decoder=decoder.onnx"
            ) from error
        self._device = resolve_device(device)
        self._precision = precision.resolve(self._device)
        self.device, self.precision = str(self._device), self._precision.name
        if checkpoint == "random":
            if size not in SIZES:
                raise InputError(f"model.size: {size} is not one of {', '.join(SIZES)}")
            log.warning("model.checkpoint=random: random weights: speed and memory are real, the masks are not")
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                model = transformers.SamModel(transformers.SamConfig(vision_config=SIZES[size]))
            self.provenance: Mapping[str, str] = {"checkpoint": f"random, {size}", "seed": str(seed)}
        else:
            try:
                folder, self.provenance = weights.locate_all(checkpoint, ("config.json", "model.safetensors"))
            except InputError as error:
                raise InputError(f"model.{error}") from error
            try:
                model = transformers.SamModel.from_pretrained(folder, local_files_only=True)
            except Exception as error:  # a damaged file fails in any layer of the reader
                raise InputError(f"{KEY}: {folder} holds no SAM that transformers can load") from error
        self._model = model.eval().to(self._device)
        self._side: int = self._model.config.vision_config.image_size

    def encode(self, rgb_hw3: RGB) -> tuple[torch.Tensor, tuple[int, int]]:
        """The embedding of a picture (1, 256, side/16, side/16), and its height and width."""
        pixels = torch.from_numpy(square(rgb_hw3, self._side)).to(self._device)
        with torch.inference_mode(), self._precision.applied(self._device):
            return self._model.get_image_embeddings(pixels), (rgb_hw3.shape[0], rgb_hw3.shape[1])

    def decode(self, encoded: Any, clue: Clue) -> tuple[Logits, NDArray[np.float32]]:
        """The masks that the clue means, at the picture's size, and their predicted IoU."""
        embedding, (height, width) = encoded
        inside = fit(height, width, self._side)
        scale = np.array([inside[1] / width, inside[0] / height], np.float32)
        points: dict[str, torch.Tensor] = {}
        if len(clue.labels):
            points["input_points"] = torch.from_numpy(clue.points_xy * scale)[None, None].to(self._device)
            points["input_labels"] = torch.from_numpy(clue.labels)[None, None].to(self._device)
        if clue.box_xyxy is not None:
            points["input_boxes"] = torch.from_numpy(clue.box_xyxy * np.tile(scale, 2))[None, None].to(self._device)
        with torch.inference_mode(), self._precision.applied(self._device):
            made = self._model(image_embeddings=embedding, multimask_output=clue.ambiguous, **points)
            masks = F.interpolate(made.pred_masks[0].float(), (self._side,) * 2, mode="bilinear", align_corners=False)
            masks = masks[..., : inside[0], : inside[1]]
            masks = F.interpolate(masks, (height, width), mode="bilinear", align_corners=False)
        return masks[0].cpu().numpy(), made.iou_scores[0, 0].float().cpu().numpy()
