"""The segmenters as conf/model has them: keys in groups, and what makes the work faster. Their docs are in the YAML."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from vidseg.contract import check_types
from vidseg.devices import Precision
from vidseg.model.fast.accelerate import Fast
from vidseg.model.nano.predictor import NanoPredictor, check_keys
from vidseg.model.nano.windows import Windows, check_zoom
from vidseg.model.sam2.engine import MaskOptions
from vidseg.model.sam2.segmenter import SAM2, Weights
from vidseg.model.sam2.upstream import Predictor
from vidseg.model.sam2.view import NewViews, Views


def sam2(
    config: str, checkpoint: str, device: str, precision: Mapping[str, Any], seed: int, image_size: int | None = None,
    fill_hole_area: int = 8, non_overlap_masks: bool = False, propagate: str = "forward", *,
    predictor: type[Predictor] = Predictor, predictor_keys: Mapping[str, Any] | None = None, views: NewViews = Views,
    **speed: Any,
) -> SAM2:  # fmt: skip
    """The keys of conf/model/base/sam2.yaml; ``speed`` are the parameters of ``Fast``."""
    check_types("model", Fast, speed)
    weights = Weights(config, checkpoint, seed, image_size, predictor, predictor_keys or {})
    options = MaskOptions(fill_hole_area, non_overlap_masks, propagate)
    return SAM2(weights, options, device, Precision(**precision), Fast(**speed), views)


def nano(
    memory_stride: int, upsample: str, mask_threshold: float, colour_weight: float, box_fit: float | None,
    obey_points: bool, zoom: float | None, **keys: Any,
) -> SAM2:  # fmt: skip
    """The keys of conf/model/nano.yaml; ``keys`` are those that it shares with the other SAM 2 models."""
    check_types("model", sam2, keys)
    if zoom is not None:
        check_zoom(zoom, keys.get("encoder_batch"))
        keys |= {"encoder_batch": 1, "views": partial(Windows, zoom)}
    predictor_keys: dict[str, object] = {
        "memory_stride": memory_stride,
        "upsample": upsample,
        "mask_threshold": mask_threshold,
        "colour_weight": colour_weight,
        "box_fit": box_fit,
        "obey_points": obey_points,
    }
    check_keys(**predictor_keys)
    return sam2(predictor=NanoPredictor, predictor_keys=predictor_keys, **keys)
