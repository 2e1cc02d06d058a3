"""The baselines as conf/model has them: detectors and SAM, which know single pictures only."""

from collections.abc import Mapping
from typing import Any

from vidseg.contract import build_within
from vidseg.errors import InputError
from vidseg.model.detector.association import association
from vidseg.model.detector.classes import OfClasses
from vidseg.model.detector.follow import Follow, Following
from vidseg.types import Detector, Segmenter

SECOND_CHANCE = 0.1  # a track goes on with detections from this score on (ByteTrack, section 3; Ultralytics' 0.1)


def follow(
    detector: Mapping[str, Any], checkpoint: str | None, classes: list[str] | None, confidence: float, tracker: str,
    track_buffer: int, min_iou: float, propagate: str,
) -> Segmenter:  # fmt: skip
    """The keys of conf/model/base/single.yaml."""
    _check_forward(propagate)
    if checkpoint is not None:
        detector = {**detector, "checkpoint": checkpoint}
    return Follow(_following(detector, classes, confidence, tracker, track_buffer, min_iou))


def sam(
    encoder: str | None, decoder: str | None, checkpoint: str, size: str, follow: str, detector: Mapping[str, Any],
    classes: list[str] | None, confidence: float, min_iou: float, tracker: str, track_buffer: int, device: str,
    precision: Mapping[str, Any], seed: int, threads: int | None, propagate: str,
) -> Segmenter:  # fmt: skip
    """The keys of conf/model/sam.yaml."""
    from vidseg.model.sam.segmenter import SAM

    _check_forward(propagate)
    if follow not in ("mask", "detector"):
        raise InputError(f"model.follow: {follow} is not one of mask, detector")
    following = None
    if follow == "mask" and classes is not None:
        raise InputError(f"model.classes: {classes} is for model.follow=detector; no class matters with follow=mask")
    if follow == "detector":
        following = _following(detector, classes, confidence, tracker, track_buffer, min_iou)
    if encoder is None and decoder is None:
        from vidseg.devices import Precision
        from vidseg.model.sam.huggingface import HuggingFaceSAM

        return SAM(HuggingFaceSAM(checkpoint, size, seed, device, Precision(**precision)), following)
    if encoder is None or decoder is None:
        missing, given = ("encoder", "decoder") if encoder is None else ("decoder", "encoder")
        raise InputError(f"model.{missing}: missing; with model.{given}= it is the other half of SAM, an ONNX file")
    from vidseg.model.sam.onnx import OnnxSAM

    return SAM(OnnxSAM(encoder, decoder, device, threads), following)


def _check_forward(propagate: str) -> None:
    if propagate != "forward":
        raise InputError(f"propagate: {propagate}; this model sees each frame once, in order: propagate=forward")


def _following(
    detector: Mapping[str, Any], classes: list[str] | None, confidence: float, tracker: str, track_buffer: int,
    min_iou: float,
) -> Following:  # fmt: skip
    for name, value in (("confidence", confidence), ("min_iou", min_iou)):
        if not 0 <= value <= 1:
            raise InputError(f"model.{name}: {value} is not a number from 0 to 1")
    by = association(tracker, confidence, track_buffer)
    more: dict[str, Any] = {"confidence": min(confidence, SECOND_CHANCE)} if "confidence" in detector else {}
    if classes and "text" in detector:  # it looks for any phrase
        more["text"] = classes
    made: Detector = build_within("detector", "model.detector", {**detector, **more})
    return Following(made if classes is None else OfClasses(made, classes, "model.classes"), by, confidence, min_iou)
