"""The built-in clip: a skater crosses a rink before a crowd, the camera pans along, another skater passes in front.

1280x720, 30 frames a second, 6 seconds, drawn from a seed, with exact ground truth; nothing is read or written. Each
frame depends on the seed and its number alone, so that seeking needs no decoding.

source.py puts a frame together. cast.py says who skates where; pose.py has a skater's joints, figure.py draws clothes
and head on them with canvas.py, and sprite.py draws skater, shadow and reflection into the frame. rink.py has the ice,
and stacks the layers behind it (layer.py), which backdrop.py and stands.py paint.
"""

from vidseg.sample.source import SampleSource

__all__ = ["SampleSource"]
