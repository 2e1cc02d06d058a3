"""The built-in clip: a skater crosses a rink before a crowd, the camera pans along, another skater passes in front.

1280x720, 30 frames a second, 6 seconds, drawn from a seed, with exact ground truth; nothing is read or written. Each
frame depends on the seed and its number alone, so that seeking needs no decoding.
"""

from vidseg.sample.source import SampleSource as SampleSource
