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

Shape = tuple[int, int, str]
"""Width, height and pixel format."""


def check_deinterlace(value: str | None) -> None:
    """Raises InputError for a value of ``extract.deinterlace`` that isn't one of ``CHOICES``."""
    if value not in CHOICES:
        raise InputError(f"extract.deinterlace: {value!r} is not auto, or null for pictures as they are")


def deinterlaced(images: Iterable[tuple[int, av.VideoFrame]]) -> Generator[tuple[int, av.VideoFrame]]:
    """Pictures with their numbers, in order, without combs. From the first interlaced one on, one is decoded ahead."""
    numbers: deque[int | None] = deque()
    graph: Graph | None = None
    before: av.VideoFrame | None = None
    shape: Shape | None = None
    for number, image in images:
        if graph is None and not image.interlaced_frame:
            before = image
            yield number, image
            continue
        if graph is None or shape != _shape(image):  # also in the middle of a stream
            yield from _rest(graph, numbers)
            shape, graph = _shape(image), _graph(image)
            if before is not None and _shape(before) == shape:
                numbers.append(None)  # it has been yielded
                graph.vpush(before)
            before = None
        numbers.append(number)
        graph.vpush(image)
        yield from _ready(graph, numbers)
    yield from _rest(graph, numbers)


def _shape(image: av.VideoFrame) -> Shape:
    return image.width, image.height, image.format.name


def _graph(image: av.VideoFrame) -> Graph:
    graph = Graph()
    source = graph.add_buffer(
        width=image.width, height=image.height, format=image.format, time_base=image.time_base or Fraction(1)
    )
    graph.link_nodes(source, graph.add("bwdif", BWDIF), graph.add("buffersink")).configure()
    return graph


def _rest(graph: Graph | None, numbers: deque[int | None]) -> Generator[tuple[int, av.VideoFrame]]:
    """What the filter still holds."""
    if graph is not None:
        graph.vpush(None)
        yield from _ready(graph, numbers)


def _ready(graph: Graph, numbers: deque[int | None]) -> Generator[tuple[int, av.VideoFrame]]:
    while numbers:
        try:
            image = graph.vpull()
        except (BlockingIOError, EOFError):  # it waits for the next picture, or has none
            return
        if (number := numbers.popleft()) is not None:
            yield number, image
