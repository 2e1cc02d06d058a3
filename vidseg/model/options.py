"""What a user may ask of SAM 2, checked before any model is built."""

from dataclasses import dataclass

from vidseg.errors import InputError

_MOST = 16  # times that a prompted frame's memory counts: each is one more memory to attend to


@dataclass(frozen=True, slots=True)
class Options:
    """SAM2's parameters of these names. Raises InputError for values that can't be, or not together."""

    exact: bool
    compile: bool
    propagate: str
    fill_hole_area: int
    encoder_batch: int | None
    quantize: str | None
    memory_stride: int
    prompted_weight: int
    upsample: str
    mask_threshold: float
    colour_weight: float
    box_fit: float | None
    zoom: float | None

    def __post_init__(self) -> None:
        self._check_speed()
        if not _is_whole(self.fill_hole_area) or self.fill_hole_area < 0:
            raise InputError(f"model.fill_hole_area: {self.fill_hole_area}; 0 (fills none) or more, in pixels")
        if not _is_whole(self.memory_stride) or self.memory_stride < 1:
            raise InputError(
                f"model.memory_stride: {self.memory_stride}; 1 (every frame is remembered) or more, in frames"
            )
        if not _is_whole(self.prompted_weight) or not 1 <= self.prompted_weight <= _MOST:
            raise InputError(
                f"model.prompted_weight: {self.prompted_weight}; 1 (as in sam2) to {_MOST}, how many times over "
                "the memories of prompted frames count for an object that was given as a mask or a box"
            )
        if self.upsample not in ("bilinear", "guided"):
            raise InputError(f"model.upsample: {self.upsample} is not one of bilinear, guided")
        if not _is_number(self.mask_threshold) or not -10 <= self.mask_threshold <= 10:
            raise InputError(f"model.mask_threshold: {self.mask_threshold}; a logit from -10 to 10 (0 in sam2)")
        if not _is_number(self.colour_weight) or not 0 <= self.colour_weight <= 10:
            raise InputError(f"model.colour_weight: {self.colour_weight}; 0 (colours say nothing, as in sam2) to 10")
        if self.box_fit is not None and (not _is_number(self.box_fit) or not 0 <= self.box_fit <= 1):
            raise InputError(f"model.box_fit: {self.box_fit}; an IoU from 0 to 1, or null (one mask, as in sam2)")
        if self.propagate not in ("forward", "both"):
            raise InputError(f"propagate: {self.propagate} is not one of forward, both")
        if self.zoom is not None and (not _is_number(self.zoom) or not 0 < self.zoom <= 1):
            raise InputError(f"model.zoom: {self.zoom}; the objects' share of the window, above 0 and up to 1, or null")
        if self.zoom is not None and self.encoder_batch not in (None, 1):
            raise InputError(
                f"model.encoder_batch: {self.encoder_batch}; 1 or null with model.zoom, where masks say what to encode"
            )

    def _check_speed(self) -> None:
        exact, compile, batch, quantize = self.exact, self.compile, self.encoder_batch, self.quantize
        if compile and exact:
            raise InputError("model.compile: true, and so is model.exact; compiled sums come in another order")
        if batch is not None and (not _is_whole(batch) or batch < 1 or (exact and batch > 1)):
            allowed = "1 with model.exact (a batch reorders sums)" if exact else "1 or more frames"
            raise InputError(f"model.encoder_batch: {batch}; {allowed}, or null")
        if quantize not in (None, "int8"):
            raise InputError(f"model.quantize: {quantize} is not one of null, int8")
        if quantize and (exact or compile):
            raise InputError(f"model.quantize: {quantize}; not together with model.{'exact' if exact else 'compile'}")


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
