"""Things, vehicles and animals drawn by code in three dimensions: they turn, shine and mirror as real ones do.

Emoji and clip art are seen from one side alone. From a click on a mug the hand that held it came along, and a kettle
that mirrored the room got lost: that parts belong together though they look unlike is what these teach.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.random import Generator

from training.figures import Picture, colour
from training.solids import Finish, Floats, Paint, Part, Swing, Turntable, ball, bezier, disc, lathe, tube, tyre

_ALONG = 110  # places along what a potter turns
_Finishes = Callable[[], Finish]


def thing(rng: Generator, backgrounds: list[Picture]) -> Callable[[int], tuple[Picture, Picture]]:
    """One thing in motion: what it is, how it is painted and how it turns come from ``rng``.

    Called with a frame's number it gives its picture and its mask, 256 x 256 pixels. ``backgrounds``, uint8 RGB and at
    least 251 pixels high and wide, are painted on it and mirrored in it.
    """
    surroundings = backgrounds[rng.integers(len(backgrounds))]
    kinds = (_vessel, _vehicle, _two_wheeler, _animal, _heap)
    kind = kinds[rng.choice(len(kinds), p=[0.25, 0.15, 0.15, 0.25, 0.2])]
    parts = list(kind(rng, lambda: _finish(rng, backgrounds)))
    return Turntable(rng, parts, surroundings).draw


def _vessel(rng: Generator, finish: _Finishes) -> Iterator[Part]:
    """What a potter turns: mugs, bottles, bowls, kettles, lamps."""
    high, knots, v = rng.uniform(0.6, 3.0), rng.uniform(0.35, 1.1, rng.integers(2, 6)), np.linspace(0, 1, _ALONG)
    radius = bezier(knots, v) if rng.random() < 0.7 else np.interp(v, np.linspace(0, 1, len(knots)), knots)
    closed = rng.random() < 0.5
    body, rim, top = finish(), radius[0], -high / 2
    yield Part(lathe(radius, high * (v - 0.5)), body)
    yield Part(lathe(v * radius[-1], np.full(_ALONG, -top)), body)
    if closed:
        lid = finish() if rng.random() < 0.6 else body
        yield Part(lathe(rim * v, top - rng.uniform(0, 0.5) * np.sqrt(1 - v**2)), lid)
        if rng.random() < 0.6:
            yield Part(ball((0, top - 0.3, 0), (0.15, 0.2, 0.15)), finish())
    else:
        filling = Finish(_plain(np.float32(colour(rng)) * 0.5))
        yield Part(lathe(v * rim * 0.95, np.full(_ALONG, 0.8 * top)), filling)
    if rng.random() < 0.65:
        out, thick = rng.uniform(0.4, 0.9), rng.uniform(0.06, 0.16)
        upper, lower = rng.uniform(-0.5, -0.1), rng.uniform(0.1, 0.45)
        (a, b), (upper_y, lower_y) = np.interp([upper + 0.5, lower + 0.5], v, radius), (upper * high, lower * high)
        handle = [(a, upper_y, 0), (a + out, upper_y, 0), (b + out, lower_y, 0), (b, lower_y, 0)]
        yield Part(tube(handle, (thick, thick)), body if rng.random() < 0.6 else finish())
    if rng.random() < 0.25:
        spout = [(-0.5, 0.2 * high, 0), (-0.9, 0.1 * high, 0), (-0.9 - rng.uniform(0.2, 0.5), -0.4 * high, 0)]
        yield Part(tube(spout, (0.22, 0.1)), body)
    if rng.random() < 0.15:
        bow = [(-rim, top, 0), (-rim, top - 1, 0), (rim, top - 1, 0), (rim, top, 0)]
        yield Part(tube(bow, (0.07, 0.07)), finish())


def _vehicle(rng: Generator, finish: _Finishes) -> Iterator[Part]:
    """A body, a cabin with panes, a roof, four wheels."""
    long, high, wide = rng.uniform(1.5, 2.6), rng.uniform(0.35, 0.8), rng.uniform(0.6, 0.95)
    body, square = finish(), rng.uniform(0.2, 0.6)
    yield Part(ball((0, 0, 0), (long, high, wide), square), body)
    cabin, panes = rng.uniform(0.3, 0.75) * long, Finish(_plain(np.float32(colour(rng)) * 0.5), 0.5, 0.3)
    x, y = rng.uniform(-0.35, 0.35) * long, -high - 0.25
    yield Part(ball((x, y, 0), (cabin, rng.uniform(0.4, 0.8), 0.85 * wide), square), panes)
    yield Part(ball((x, y - 0.25, 0), (0.85 * cabin, 0.3, 0.8 * wide), square), body)
    size, rubber, hub = rng.uniform(0.35, 0.6), _dark(rng), finish()
    for x in (-0.62 * long, 0.62 * long):
        for z in (-wide, wide):
            yield from _wheel((x, high * 0.8, z), size, rubber, hub, 0.16)


def _two_wheeler(rng: Generator, finish: _Finishes) -> Iterator[Part]:
    """A bicycle, motorcycle or scooter; most of them with somebody on it, as DAVIS-2016 counts them."""
    size, base = rng.uniform(0.5, 0.75), rng.uniform(0.9, 1.2)
    rubber, hub, frame = _dark(rng), finish(), finish()
    for x in (-base, base):
        yield from _wheel((x, 0.6, 0), size, rubber, hub, rng.uniform(0.05, 0.15))
    thick = rng.uniform(0.05, 0.12)
    back, front, pedals, seat, bar = (-base, 0.6, 0), (base, 0.6, 0), (0, 0.55, 0), (-0.45, -0.3, 0), (0.7, -0.55, 0)
    for ends in ((back, seat), (pedals, seat), (pedals, bar), (front, bar), (seat, bar)):
        yield Part(tube(ends, (thick, thick)), frame)
    yield Part(tube([(0.7, -0.6, -0.45), bar, (0.7, -0.6, 0.45)], (0.05, 0.05)), frame)
    yield Part(ball((-0.5, -0.38, 0), (0.4, 0.1, 0.18), 0.7), _dark(rng))
    if rng.random() < 0.6:
        engine = (rng.uniform(0.4, 0.7), rng.uniform(0.2, 0.45), 0.2)
        yield Part(ball((0.05, rng.uniform(-0.1, 0.3), 0), engine, rng.uniform(0.4, 1)), finish())
    if rng.random() < 0.7:
        yield from _rider(rng, finish)


def _rider(rng: Generator, finish: _Finishes) -> Iterator[Part]:
    top, legs, sleeves, lean = finish(), finish(), finish(), rng.uniform(0.0, 0.5)
    neck = np.float32([-0.4 + lean, -1.35 + 0.3 * lean, 0])
    yield Part(tube([(-0.45, -0.5, 0), neck], (0.32, 0.28)), top)
    yield Part(ball(neck + (0.08, -0.35, 0), (0.2, 0.25, 0.2)), finish())
    sleeves = top if rng.random() < 0.7 else sleeves
    for z in (-0.25, 0.25):
        yield Part(tube([neck + (0, 0.1, z), (0.3, -0.75, 1.3 * z), (0.7, -0.6, 1.6 * z)], (0.11, 0.08)), sleeves)
        yield Part(tube([(-0.4, -0.4, z), (0.3, -0.1, z), (0.05, 0.65, z)], (0.17, 0.1)), legs)
        yield Part(ball((0.12, 0.7, z), (0.2, 0.09, 0.09)), _dark(rng))


def _animal(rng: Generator, finish: _Finishes) -> Iterator[Part]:
    """A body, a neck, a head, two legs or four, a tail; some are ridden."""

    def hide() -> Finish:
        return Finish(finish().paint)  # hides don't shine

    coat, long, thick = hide(), rng.uniform(0.7, 1.3), rng.uniform(0.3, 0.6)
    yield Part(ball((0, 0, 0), (long, thick, 0.85 * thick)), coat)
    up, size = rng.uniform(-0.1, 1.3), rng.uniform(0.18, 0.45)
    head = np.float32([long + rng.uniform(0.0, 0.5), -thick * 0.3 - up, 0])
    neck = [(0.75 * long, -0.2 * thick, 0), 0.6 * head + (0.25 * long, 0, 0), head]
    yield Part(tube(neck, (0.8 * thick, 0.7 * size)), coat)
    face = coat if rng.random() < 0.7 else hide()
    yield Part(ball(head, (1.15 * size, size, 0.85 * size)), face)
    snout = head + (size + rng.uniform(0.2, 0.6), rng.uniform(0, 0.3), 0)
    yield Part(tube([head, snout], (0.7 * size, 0.35 * size)), face)
    if rng.random() < 0.8:
        ear, pricked = rng.uniform(0.15, 0.5), rng.random() < 0.6
        for side in (-size, size):
            tip = (-0.15, -0.7 * size - ear, side) if pricked else (-0.2, ear - 0.3, 1.2 * side)
            yield Part(tube([head + (-0.1, -0.5 * size, 0.5 * side), head + tip], (0.4 * size, 0.08)), face)
    yield from _legs(rng, long, thick, coat if rng.random() < 0.6 else finish())
    if rng.random() < 0.3:
        size = rng.uniform(0.6, 1.0)
        saddle = np.float32([rng.uniform(0.1, 0.5), 0.6 * size - thick, 0])  # riders sit 0.5 above their origin
        for part in _rider(rng, finish):
            yield Part(part.surface * size + saddle, part.finish)
    if rng.random() < 0.8:
        tail, rise, width = rng.uniform(0.3, 1.2), rng.normal(0, 0.5), rng.uniform(0.05, 0.3)
        root, bend = (-0.9 * long, -0.3 * thick, 0), (-long - 0.5 * tail, -0.3 * thick - rise, 0)
        yield Part(tube([root, bend, (-long - tail, -rise, 0)], (width, 0.05)), coat)


def _legs(rng: Generator, long: float, thick: float, finish: Finish) -> Iterator[Part]:
    reach, slim, swing = rng.uniform(0.5, 1.5), rng.uniform(0.07, 0.2), rng.uniform(0.0, 0.5)
    for x in (0.7 * long, -0.7 * long) if rng.random() < 0.8 else (0.0,):
        for side in (-1, 1):
            hip = np.float32([x, 0.3 * thick, side * 0.55 * thick])
            knee, foot = hip + (rng.uniform(-0.1, 0.1), 0.5 * reach, 0), hip + (0, reach, 0)
            motion = Swing(hip, swing, np.pi * (side > 0) + (0 if x > 0 else 1.5))
            yield Part(tube([hip, knee, foot], (1.7 * slim, slim)), finish, motion)
            yield Part(ball(foot + (0.05, 0, 0), (1.3 * slim, 0.6 * slim, slim)), finish, motion)


def _heap(rng: Generator, finish: _Finishes) -> Iterator[Part]:
    """One to four balls, boxes and cushions that touch."""
    at = np.zeros(3)
    for _ in range(rng.integers(1, 5)):
        size = rng.uniform(0.25, 1.0, 3)
        yield Part(ball(at, size, rng.choice([0.15, 0.5, 1.0, 1.4])), finish())
        at = at + rng.choice([-1, 1], 3) * rng.uniform(0.4, 1.0, 3) * size


def _wheel(at: tuple[float, ...], size: float, rubber: Finish, hub: Finish, thick: float) -> Iterator[Part]:
    yield Part(tyre(at, size, thick), rubber)
    yield Part(disc(at, 0.9 * size, 0.3 * thick), hub)


def _finish(rng: Generator, backgrounds: list[Picture]) -> Finish:
    shine = rng.uniform(0, 0.9) if rng.random() < 0.5 else 0.0
    mirror = rng.uniform(0.4, 0.95) if rng.random() < 0.15 else 0.0
    return Finish(_paint(rng, backgrounds), shine, mirror)


def _dark(rng: Generator) -> Finish:
    """Rubber and leather."""
    return Finish(_plain(np.float32(rng.uniform(15, 80)) * np.float32([1, 1, 1.1])), 0.2)


def _paint(rng: Generator, backgrounds: list[Picture]) -> Paint:
    one, other = np.float32(colour(rng)), np.float32(colour(rng))
    kind = rng.choice(["plain", "stripes", "spots", "picture", "band"], p=[0.35, 0.15, 0.2, 0.2, 0.1])
    if kind == "plain":
        return _plain(one)
    if kind == "picture":
        ground, side = backgrounds[rng.integers(len(backgrounds))], int(rng.integers(50, 250))
        y, x = rng.integers(ground.shape[0] - side), rng.integers(ground.shape[1] - side)
        share = rng.uniform(0.4, 1.0)
        piece = share * ground[y : y + side, x : x + side].astype(np.float32) + (1 - share) * one
        # There and back around: no seam
        return lambda _, u, v: piece[(v * (side - 1)).astype(int), (np.abs(2 * u - 1) * (side - 1)).astype(int)]
    if kind == "band":
        low, high = np.sort(rng.uniform(0.1, 0.9, 2))
        return lambda _, u, v: np.where(((v > low) & (v < high))[:, None], other, one)
    waves, often = (4, rng.uniform(2, 8)) if kind == "spots" else (1, rng.uniform(5, 20))
    ways, phases, least = often * rng.normal(0, 1, (3, waves)), rng.uniform(0, 2 * np.pi, waves), rng.uniform(-0.5, 0.8)
    return lambda points, *_: np.where((np.sin(points @ ways + phases).sum(1) > least)[:, None], other, one)


def _plain(tint: Floats) -> Paint:
    return lambda points, *_: np.broadcast_to(tint, points.shape)
