"""What a file says of Dolby Vision in its configuration record. Knows nothing about pixels."""

import re
from typing import Any, NamedTuple

import av
from av.container import InputContainer

from vidseg.colour import BT709, BT2020_HLG, BT2020_PQ, completed
from vidseg.types import Colour

CODECS = {"hevc", "av1"}
"""Others have had it too, but only with a base layer in SDR."""
WITHOUT_BASE = {5, 10, 20}
"""Profiles whose pictures are IPT, which the metadata turns into colours, if they are compatible with nothing (0)."""
BASES = {1: BT2020_PQ, 2: BT709, 4: BT2020_HLG, 6: BT2020_PQ}
"""By compatibility: what the base layer is in. As a rule its own tags say it, too."""
_RECORD = re.compile(r"DOVI configuration record:.*? profile: (\d+),.*? compatibility id: (\d+)")


class DolbyVision(NamedTuple):
    """A stream's profile, and the number of what its base layer is compatible with."""

    profile: int
    compatibility: int

    @property
    def is_ipt(self) -> bool:
        """Whether the pictures can't be shown without the metadata, which nothing here reads."""
        return self.profile in WITHOUT_BASE and self.compatibility == 0

    @property
    def why_unread(self) -> str:
        """The same in words."""
        return (
            f"it is Dolby Vision of profile {self.profile}, whose IPT isn't read, but taken for Y'CbCr; convert it to "
            "HDR10 first, for example with FFmpeg's filter libplacebo"
        )

    def completed(self, tags: Colour) -> Colour:
        """The tags of a stream, of which those that are missing are the base layer's."""
        return completed(tags, BASES.get(self.compatibility, tags))


def find_dolby_vision(container: InputContainer, stream: av.VideoStream) -> DolbyVision | None:
    """The record of a stream of an opened file; None if it has none.

    PyAV 18 doesn't show side data of streams. FFmpeg's description of the file has it, which is a message to its log.
    """
    if stream.codec_context.codec.canonical_name not in CODECS:
        return None
    opened: Any = container  # PyAV's types have the method for outputs only
    level = av.logging.get_level()
    av.logging.set_level(av.logging.INFO)
    try:
        described = opened.dumps_format()
    finally:
        av.logging.set_level(level)
    own = re.search(rf"Stream #0:{stream.index}\D(.*?)(?=Stream #0:|\Z)", described, re.DOTALL)
    record = _RECORD.search(own[1]) if own else None
    return DolbyVision(int(record[1]), int(record[2])) if record else None
