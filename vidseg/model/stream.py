"""The order in which a stream is worked on: several frames at once, and a step ahead of what is waited for."""

from collections.abc import Callable, Generator, Iterable
from typing import TypeVar

K = TypeVar("K")
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


def one_behind(steps: Iterable[tuple[K, Callable[[], T]]]) -> Generator[tuple[K, T]]:
    """Yields (key, finish()) of every step, each after the next has been begun.

    A step on a GPU is begun when it is taken from ``steps``, and ``finish`` waits for it: so the GPU has the next one
    to do while the consumer works on this one. What ``steps`` raises is raised after the steps before it.
    """
    former: tuple[K, T] | None = None
    try:
        for key, finish in steps:
            if former is not None:
                yield former
            former = key, finish()
    except Exception:
        if former is not None:
            yield former
        raise
    if former is not None:
        yield former
