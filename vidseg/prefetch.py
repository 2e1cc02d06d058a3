"""The only threads: an iterator run ahead of its consumer, and a consumer run behind its producer.

Both hold a bounded number of items, hand exceptions across, and end their thread before they return control.
"""

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class _End:
    """What the thread sends last: nothing more comes, because of ``error`` if there is one."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


def prefetch(items: Iterable[T], depth: int = 4) -> Generator[T]:
    """Yields what ``items`` yields, computed up to ``depth`` items ahead in a thread.

    An exception in ``items`` is raised here after the items before it. Closing the generator stops the thread (at
    the next item) and closes ``items`` in it.
    """
    ready: queue.Queue[T | _End] = queue.Queue(depth)
    stopped = threading.Event()

    def put(item: T | _End) -> bool:
        while not stopped.is_set():
            try:
                ready.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        iterator = iter(items)
        end = _End()
        try:
            for item in iterator:
                if not put(item):
                    break
        except BaseException as error:
            end = _End(error)
        finally:
            if hasattr(iterator, "close"):
                iterator.close()
            put(end)

    thread = threading.Thread(target=work, name="vidseg-prefetch", daemon=True)
    thread.start()
    try:
        while not isinstance(item := ready.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        stopped.set()
        thread.join()


def ahead(items: Iterable[T], function: Callable[[T], R], depth: int = 1) -> Generator[tuple[T, R]]:
    """Yields (item, function(item)); those of the next ``depth`` items run in as many threads meanwhile.

    ``items`` are taken here. What they or ``function`` raise is raised after the pairs before it.
    """
    iterator = iter(items)
    waiting: deque[tuple[T, Future[R]]] = deque()
    error: Exception | None = None
    with ThreadPoolExecutor(depth, "vidseg-ahead") as pool:
        end = False
        while waiting or not end:
            try:
                while not end and len(waiting) <= depth:
                    item = next(iterator)
                    waiting.append((item, pool.submit(function, item)))
            except StopIteration:
                end = True
            except Exception as raised:
                end, error = True, raised
            if waiting:
                item, future = waiting.popleft()
                yield item, future.result()
    if error is not None:
        raise error


class Background(Generic[T]):
    """Calls ``consume(item)`` for every item put, in order, in a thread; at most ``depth`` items wait.

    The first exception of ``consume`` ends its work: it is raised by the next ``put`` or by ``close``, and later items
    are dropped, so that a producer never waits for a consumer that is gone.
    """

    def __init__(self, consume: Callable[[T], None], depth: int = 4) -> None:
        self._consume = consume
        self._waiting: queue.Queue[T | _End] = queue.Queue(depth)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="vidseg-background", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while not isinstance(item := self._waiting.get(), _End):
            if self._error is None:
                try:
                    self._consume(item)
                except BaseException as error:
                    self._error = error

    def put(self, item: T) -> None:
        """Queues an item, waiting while ``depth`` others are queued. Raises what ``consume`` raised before."""
        if self._error is not None:
            raise self._error
        self._waiting.put(item)

    def close(self) -> None:
        """Waits until everything put has been consumed, then ends the thread. Raises what ``consume`` raised."""
        if self._thread.is_alive():
            self._waiting.put(_End())
            self._thread.join()
        if self._error is not None:
            raise self._error
