"""The built-in clip: a skater crosses a rink before a crowd, the camera pans along, another skater passes in front.

1280x720, 30 frames a second, 6 seconds, drawn from a seed, with exact ground truth. Each frame depends on the seed and
its number alone, so that seeking needs no decoding; what was drawn once is read from the user's cache folder.
"""

from vidseg.sample.source import SampleSource as SampleSource
