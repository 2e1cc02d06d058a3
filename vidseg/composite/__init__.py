"""Pictures out of a frame and its masks: cutout, overlay, transparent, and annotated figures.

Pure functions of one frame: they return a new uint8 array and leave their inputs as they are. A render of
conf/output/ names one of them (``render: vidseg.composite.cutout``) and passes its other keys as keyword arguments,
as they stand in YAML; the function checks them. Knows nothing about files, codecs, videos or trackers.
"""

from vidseg.composite.looks import Sighting, draw_look
from vidseg.composite.marks import PALETTE, colour, parse_colour
from vidseg.composite.pictures import annotate, cutout, draw_prompts, label_map, overlay, parse_screen, transparent
from vidseg.composite.ruler import draw_ruler

__all__ = ["PALETTE", "annotate", "colour", "cutout", "draw_prompts", "label_map", "overlay", "parse_colour"]
__all__ += ["Sighting", "draw_look", "draw_ruler", "parse_screen", "transparent"]
