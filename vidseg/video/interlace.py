"""Interlaced pictures, whose odd and even lines are of two moments, made whole by FFmpeg's bwdif.

bwdif (Bob Weaver Deinterlacing Filter, libavfilter) takes the missing lines from the same field, and from the pictures
before and after it. Knows nothing about files.
"""

from collections import deque
from collections.abc import Generator, Iterable
from fractions import Fraction

import av
from av.filter import Graph

from vidseg.errors import InputError

CHOICES = ("auto", None)
BWDIF = "mode=send_frame:parity=auto:deint=interlaced"
"""A picture for each picture, whose lines of the first field stay as they are; those marked as progressive pass."""
NEEDED_BEFORE = 1
"""So many pictures before a picture change what comes out for it."""


def check_deinterlace(value: str | None) -> None:
    """Raises InputError for a value of ``extract.deinterlace`` that isn't one of ``CHOICES``."""
    if value not in CHOICES:
        raise InputError(f"extract.deinterlace: {value!r} is not auto, or null for pictures as they are")


def deinterlaced(images: Iterable[tuple[int, av.VideoFrame]]) -> Generator[tuple[int, av.VideoFrame]]:
    """Pictures with their numbers, in order, without combs; one is decoded ahead."""
    numbers: deque[int] = deque()
    graph: Graph | None = None
    shape: tuple[int, int, str] | None = None
    for number, image in images:
        if shape != (image.width, image.height, image.format.name):  # also in the middle of a stream
            yield from _rest(graph, numbers)
            shape = (image.width, image.height, image.format.name)
            graph = _graph(image)
        assert graph is not None
        numbers.append(number)
        graph.vpush(image)
        yield from _ready(graph, numbers)
    yield from _rest(graph, numbers)


def _graph(image: av.VideoFrame) -> Graph:
    graph = Graph()
    source = graph.add_buffer(
        width=image.width, height=image.height, format=image.format, time_base=image.time_base or Fraction(1)
    )
    graph.link_nodes(source, graph.add("bwdif", BWDIF), graph.add("buffersink")).configure()
    return graph


def _rest(graph: Graph | None, numbers: deque[int]) -> Generator[tuple[int, av.VideoFrame]]:
    """What the filter still holds."""
    if graph is not None:
        graph.vpush(None)
        yield from _ready(graph, numbers)


def _ready(graph: Graph, numbers: deque[int]) -> Generator[tuple[int, av.VideoFrame]]:
    while numbers:
        try:
            image = graph.vpull()
        except (BlockingIOError, EOFError):  # it waits for the next picture, or has none
            return
        yield numbers.popleft(), image
