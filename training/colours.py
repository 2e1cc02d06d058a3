"""What ``vidseg.model.colours`` does in a video, for a batch of clips at once: the mask decoder is to learn what they
leave to it."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from vidseg.model.colours import Regression, best, features, in_float32, near, shrunk


class Colours:
    """Of the ``targets`` of each clip, in the order that ``losses`` has them in (B * K)."""

    def __init__(self, weight: float, targets: int) -> None:
        self._weight, self._targets, self._regression = weight, targets, Regression()

    @torch.no_grad()
    def give(self, images_b3hw: Tensor, logits_n1hw: Tensor) -> None:
        """Learns from prompted frames, one of each clip as ``network.normalise`` has it: where logits (B * K, 1, h, w)
        are above 0."""
        if self._weight:
            with in_float32(images_b3hw.device.type):
                inside_np = shrunk((logits_n1hw > 0).float())
                self._regression.give(self._features(images_b3hw, logits_n1hw), 2 * inside_np - 1)

    @contextmanager
    def added(self, decoder: Any, images_b3hw: Tensor) -> Generator[None]:
        """Within, ``decoder`` has the colours of these frames added to what it says, and they learn from it."""

        def add(_: Any, args: tuple[Any, ...], decoded: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            masks_nmhw, ious_nm, tokens, there_n1 = decoded
            with torch.no_grad(), in_float32(images_b3hw.device.type):
                best_n1hw = best(masks_nmhw, ious_nm)
                features_npd = self._features(images_b3hw, best_n1hw)
                added_n1hw = self._weight * near(self._regression.says(features_npd), best_n1hw)
                self._regression.see(features_npd, shrunk(best_n1hw), there_n1[:, 0] > 0)
            return masks_nmhw + added_n1hw, ious_nm, tokens, there_n1

        handle = decoder.register_forward_hook(add) if self._weight else None
        try:
            yield
        finally:
            if handle:
                handle.remove()

    def _features(self, images_b3hw: Tensor, like_nmhw: Tensor) -> Tensor:
        return features(images_b3hw, like_nmhw).repeat_interleave(self._targets, 0)
