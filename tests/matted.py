"""Pictures whose alpha is known, for the tests of mattes."""

import numpy as np

from vidseg.types import FrameMasks

HEIGHT, WIDTH = 120, 160


def disc(centre_xy=(80.3, 60.6), radius=30.0, samples=16):
    """Alpha (h, w) of a disc in 0..1: each pixel the mean of its samples."""
    at = (np.arange(max(HEIGHT, WIDTH) * samples) + 0.5) / samples
    y, x = at[: HEIGHT * samples, None], at[None, : WIDTH * samples]
    inside = (x - centre_xy[0]) ** 2 + (y - centre_xy[1]) ** 2 < radius**2
    return inside.reshape(HEIGHT, samples, WIDTH, samples).mean((1, 3))


def mixed(alpha, front=(210, 60, 40), back=(30, 90, 160), grain=0):
    """A picture of one colour over another, with noise of that standard deviation."""
    clean = alpha[..., None] * np.array(front) + (1 - alpha[..., None]) * np.array(back)
    noise = np.random.default_rng(3).normal(0, grain, clean.shape) if grain else 0
    return np.rint(np.clip(clean + noise, 0, 255)).astype(np.uint8)


def masks(*parts, index=0, steep=10):
    """FrameMasks whose logits are ``steep`` in the parts (h, w) and -``steep`` outside."""
    logits = np.stack([np.where(part, steep, -steep) for part in parts]).astype(np.float32)
    return FrameMasks(index, tuple(range(1, len(parts) + 1)), logits)
