"""What is behind the spectators, a layer each: sky and hills, houses, firs with strings of lamps."""

import cv2
import numpy as np

from vidseg.sample.layer import BASE, Layer, Light, Strip, clouds, gradient, scaled, width_of


def sky(rng: np.random.Generator, light: Light, reach: float) -> Layer:
    """The sky with veils of cloud over two ranges of hills, the farther one with snow; no part of it is clear."""
    speed = 0.04
    height, width = BASE, width_of(reach, speed)
    picture = gradient(light.zenith, light.glow, height, width, 1.3)
    glow, hills = np.array(light.glow, np.float32), np.array(light.hills, np.float32)
    veil = np.clip(cv2.resize(clouds(rng, height // 2, width // 5, 90), (width, height)), 0, 1)[..., None]
    picture += veil * (glow - picture) * 0.55
    x = np.arange(width)
    for k, (foot, rough) in enumerate(((150.0, 46.0), (196.0, 30.0))):
        ridge = np.full(width, foot)
        for octave in range(7):
            wave = rough / 1.7**octave
            ridge += wave * np.sin(x * 0.004 * 1.9**octave + rng.uniform(0, 2 * np.pi)) * rng.uniform(0.6, 1.0)
        haze = hills * (0.9, 0.72)[k] + glow * (0.1, 0.28)[k]
        depth = np.arange(height)[:, None] - ridge[None]
        cover = np.clip(depth, 0, 1)[..., None]
        snow = np.clip((26 - depth + 14 * clouds(rng, height, width, 24)) / 8, 0, 1)[..., None] * (1 - k)
        hill = haze + snow * (glow * 0.5 + 118 - haze) * 0.8
        picture += cover * (hill - picture)
    return Layer(np.clip(picture, 0, 255).astype(np.uint8), np.zeros((1, 1, 3), np.uint8), 0, speed)


def houses(rng: np.random.Generator, light: Light, reach: float) -> Layer:
    """A row of houses with snow on their roofs; half of the windows are lit."""
    speed, foot = 0.16, 320
    width = width_of(reach, speed)
    strip = Strip(foot, width)
    walls = ((190, 120, 96), (206, 176, 130), (150, 156, 170), (176, 98, 84), (216, 200, 172), (120, 140, 150))
    roof, dark = scaled((110, 82, 84), light.walls), scaled((70, 84, 110), light.walls)
    snow = scaled((240, 242, 250), 0.35 + 0.65 * light.walls)
    x = -20.0
    while x < width:
        wide, tall = float(rng.uniform(62, 118)), float(rng.uniform(105, 205))
        colour = scaled(walls[rng.integers(len(walls))], light.walls)
        top, middle, right = foot - tall, x + wide / 2, x + wide
        strip.box(x, top, right, foot, colour)
        strip.box(x + wide * 0.86, top, right, foot, scaled(colour, 0.8))
        peak = top - float(rng.uniform(18, 44))
        strip.polygon([(x - 4, top), (middle, peak), (right + 4, top)], roof)
        strip.polygon([(x - 5, top + 1), (middle, peak - 3), (right + 5, top + 1), (middle, peak + 9)], snow)
        for row in np.arange(top + 12, 310, 21).tolist():
            for column in np.arange(x + 9, right - 14, 17).tolist():
                strip.box(column, row, column + 8, row + 12, light.window if rng.random() < 0.55 else dark)
        x += wide + float(rng.choice([0, 0, 14, 30]))
    return strip.layer(20, speed, 1.6)


def firs(rng: np.random.Generator, light: Light, reach: float) -> Layer:
    """Firs with snow, and strings of lamps between posts."""
    speed, foot = 0.30, 325.0
    width = width_of(reach, speed)
    strip = Strip(330, width)
    trunk, white = scaled((74, 56, 48), light.walls), scaled((226, 236, 246), 0.40 + 0.60 * light.walls)
    for x in np.sort(rng.uniform(-20, width + 20, width // 62)):
        tall, shade = float(rng.uniform(90, 210)), float(rng.uniform(0.7, 1.15))
        green = scaled((44, 88, 70), (0.45 + 0.55 * light.walls) * shade)
        strip.box(x - 4, foot - 30, x + 4, foot, trunk)
        for k in range(6):
            y = foot - 14 - tall * k / 7
            half, high = 0.26 * tall * (1 - k / 6.6), tall * 0.26
            strip.polygon(
                [(x - half, y), (x, y - high), (x + half, y), (x + half * 0.4, y - 5), (x - half * 0.5, y - 4)], green
            )
            strip.polygon([(x - half, y), (x - half * 0.45, y - high * 0.55), (x - half * 0.30, y - high * 0.35),
                           (x - half * 0.55, y - high * 0.12)], white)  # fmt: skip
    posts = np.arange(int(rng.integers(20, 300)), width, 330)
    for x in posts.tolist():
        strip.box(x - 3, 60, x + 3, 330, scaled((64, 66, 78), 0.5 + 0.5 * light.walls))
    layer = strip.layer(10, speed, 1.3)
    bulbs = np.zeros_like(layer.rgb)
    colours = ((255, 214, 140), (255, 150, 110), (150, 220, 255), (255, 236, 180))
    for k, x in enumerate(posts):
        cv2.circle(bulbs, (int(x), 58), 11, light.window, -1, cv2.LINE_AA)
        for t in np.linspace(0, 1, 15)[1:-1]:
            y = 60 + 74 * 4 * t * (1 - t) * (0.8 + 0.1 * (k % 3))
            cv2.circle(bulbs, (int(x + 330 * t), int(y)), 4, colours[int(t * 14) % 4], -1, cv2.LINE_AA)
    halo = cv2.GaussianBlur(bulbs, (0, 0), 9).astype(np.float32) * 1.6 * light.lamps
    shown = cv2.GaussianBlur(bulbs, (0, 0), 1.3).astype(np.float32) * (0.35 + 0.65 * light.lamps)
    layer.rgb = np.clip(layer.rgb + halo + shown, 0, 255).astype(np.uint8)  # light only adds
    return layer
