"""Threads hand on items and errors, hold few items, and are gone afterwards. A deadlock fails by its timeout."""

import threading
import time
from collections.abc import Iterator

import pytest

from vidseg.prefetch import Background, ahead, prefetch

pytestmark = pytest.mark.timeout(20)


def ours():
    return [thread for thread in threading.enumerate() if thread.name.startswith("vidseg-")]


def test_items_come_in_order_and_the_thread_ends():
    assert list(prefetch(range(100), depth=3)) == list(range(100))
    assert ours() == []


def test_at_most_depth_items_are_ahead():
    made = []

    def items():
        for number in range(100):
            made.append(number)
            yield number

    ahead = prefetch(items(), depth=3)
    next(ahead)
    time.sleep(0.3)
    assert len(made) <= 1 + 3 + 1  # taken, queued, and one waiting for a place
    ahead.close()
    assert ours() == []


def test_an_error_comes_after_the_items_before_it():
    def items():
        yield 1
        yield 2
        raise OSError("the disk is gone")

    ahead = prefetch(items())
    assert [next(ahead), next(ahead)] == [1, 2]
    with pytest.raises(OSError, match="the disk is gone"):
        next(ahead)
    assert ours() == []


def test_closing_early_closes_the_iterator_in_its_thread():
    closed = []

    def items():
        try:
            while True:
                yield 0
        finally:
            closed.append(threading.current_thread().name)

    ahead = prefetch(items(), depth=2)
    next(ahead)
    ahead.close()
    assert closed == ["vidseg-prefetch"]
    assert ours() == []


@pytest.mark.parametrize("depth", [1, 3])
def test_functions_run_ahead_in_order_and_no_further(depth):
    taken = []

    def items():
        for number in range(10):
            taken.append(number)
            yield number

    pairs = ahead(items(), lambda number: number * number, depth)
    assert next(pairs) == (0, 0)
    assert taken == list(range(depth + 1))
    assert list(pairs) == [(number, number * number) for number in range(1, 10)]
    assert ours() == []


def test_background_consumes_in_order():
    seen = []
    worker = Background(seen.append, depth=2)
    for number in range(50):
        worker.put(number)
    worker.close()
    assert seen == list(range(50))
    assert ours() == []


def test_a_consumer_that_raises_never_blocks_its_producer():
    def consume(number):
        if number == 3:
            raise OSError(28, "No space left on device")

    worker = Background(consume, depth=1)
    with pytest.raises(OSError, match="No space left"):
        for number in range(1000):
            worker.put(number)
    with pytest.raises(OSError, match="No space left"):
        worker.close()
    with pytest.raises(OSError, match="No space left"):
        worker.close()
    assert ours() == []


def test_ahead_computes_the_next_while_the_consumer_works_and_keeps_order() -> None:
    started: list[int] = []

    def double(number: int) -> int:
        started.append(number)
        return 2 * number

    pairs = ahead(range(5), double)
    assert next(pairs) == (0, 0)
    deadline = time.monotonic() + 5
    while len(started) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert started == [0, 1]  # one ahead, no more
    assert list(pairs) == [(1, 2), (2, 4), (3, 6), (4, 8)]


@pytest.mark.parametrize("where", ["items", "function"])
def test_ahead_raises_after_the_pairs_before(where: str) -> None:
    def items() -> Iterator[int]:
        yield from range(3)
        if where == "items":
            raise OSError("no more")
        yield 3

    def function(number: int) -> int:
        if number == 3:
            raise OSError("no more")
        return number

    seen = []
    with pytest.raises(OSError, match="no more"):
        for pair in ahead(items(), function):
            seen.append(pair)
    assert seen == [(0, 0), (1, 1), (2, 2)]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("vidseg-ahead")]
