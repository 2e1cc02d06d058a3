"""The matte by the outputs: a soft edge is made where a file can hold it."""

from typing import Any

from vidseg.matte.edge import Edge
from vidseg.matte.plain import Plain
from vidseg.types import Alpha, Frame, FrameMasks, Matte


class Auto:
    """``matte=auto``: ``Edge`` if an output has an alpha channel, else ``Plain``. ``shape`` are the keys of both."""

    def __init__(self, **shape: Any) -> None:
        self._edge, self._plain = Edge(**shape), Plain(**shape)

    def for_outputs(self, alpha: bool) -> Matte | None:
        """The matte for a run in which an output has an ``alpha`` channel, or none has."""
        return self._edge if alpha else self._plain.for_outputs(alpha)

    def refine(self, frame: Frame, masks: FrameMasks) -> Alpha:
        """The edge's alpha: for somebody who doesn't say what it is for."""
        return self._edge.refine(frame, masks)
