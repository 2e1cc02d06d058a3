"""The order in which a stream is worked on: several frames at once, and a step ahead of what is waited for."""

from collections.abc import Generator, Iterable
from typing import TypeVar

T = TypeVar("T")


def chunks(items: Iterable[T], size: int) -> Generator[list[T]]:
    """Yields ``size`` items at a time, at the end what is left; what ``items`` raises is raised after those before."""
    chunk: list[T] = []
    try:
        for item in items:
            chunk.append(item)
            if len(chunk) == size:
                yield chunk
                chunk = []
    except Exception:
        if chunk:
            yield chunk
        raise
    if chunk:
        yield chunk


def one_behind(items: Iterable[T]) -> Generator[T]:
    """Yields every item after the next has been taken; what ``items`` raises is raised after the items before it.

    A frame is queued on a GPU when it is taken, and waited for when its masks are read: so the GPU has the next one to
    do while the consumer waits for this one and works on it.
    """
    former: list[T] = []
    try:
        for item in items:
            yield from former
            former = [item]
    except Exception:
        yield from former
        raise
    yield from former
