"""The only threads of vidseg: ``prefetch`` and ``ahead`` compute items early, Background and Crew consume them later.

``chunks`` and ``behind`` change the order of work without a thread. All hold a bounded number of items and raise an
exception in the caller, after the items before it. Threads have ended when their generator, Background or Crew is
closed.
"""

import math
import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing, nullcontext
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class _End:
    """The last thing in a queue: no more items come, because of ``error`` if there is one."""

    error: BaseException | None = None


def prefetch(items: Iterable[T], depth: int = 4) -> Generator[T]:
    """Yields what ``items`` yields; a thread computes up to ``depth`` items ahead, and closes ``items`` at the end."""
    ready: queue.Queue[T | _End] = queue.Queue(depth)
    stopped = threading.Event()

    def work() -> None:
        end = _End()
        try:
            iterator = iter(items)
            with closing(iterator) if isinstance(iterator, Generator) else nullcontext():
                for item in iterator:
                    ready.put(item)
                    if stopped.is_set():
                        break
        except BaseException as error:
            end = _End(error)
        ready.put(end)

    thread = threading.Thread(target=work, name="vidseg-prefetch", daemon=True)
    thread.start()
    item: T | _End | None = None
    try:
        while not isinstance(item := ready.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        stopped.set()
        while not isinstance(item, _End):  # the thread may wait for a place in the queue
            item = ready.get()
        thread.join()


def ahead(items: Iterable[T], function: Callable[[T], R], depth: int = 1) -> Generator[tuple[T, R]]:
    """Yields pairs (item, function(item)), in order; ``depth`` threads call ``function`` for the next ``depth`` items.

    ``items`` is iterated in the caller's thread.
    """
    with ThreadPoolExecutor(depth, "vidseg-ahead") as pool:
        for item, future in behind(((item, pool.submit(function, item)) for item in items), depth):
            yield item, future.result()


def behind(items: Iterable[T], depth: int = 1) -> Generator[T]:
    """Yields every item after the next ``depth`` items are computed.

    On a GPU an item is a frame whose kernels are queued, and reading its masks waits for them. The GPU then works on
    the next frame while the consumer waits for this one and composites it.
    """
    waiting: deque[T] = deque()
    try:
        for item in items:
            waiting.append(item)
            if len(waiting) > depth:
                yield waiting.popleft()
    except Exception:
        yield from waiting
        raise
    yield from waiting


def chunks(items: Iterable[T], size: int) -> Generator[list[T]]:
    """Yields lists of ``size`` items, the last one maybe shorter."""
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


class Background(Generic[T]):
    """Calls ``consume(item)`` in a thread for every item that is put, in order; at most ``depth`` items wait.

    After an exception of ``consume`` further items are dropped, and ``put`` and ``close`` raise the exception.
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
        """Queues an item; waits while ``depth`` others are queued."""
        if self._error is not None:
            raise self._error
        self._waiting.put(item)

    def close(self) -> None:
        """Waits for all queued items, then ends the thread."""
        if self._thread.is_alive():
            self._waiting.put(_End())
            self._thread.join()
        if self._error is not None:
            raise self._error


class Crew(Generic[T]):
    """Does every one of ``tasks`` with every item, each task in a thread of its own, which takes the items in order.

    With ``first``, the tasks begin with an item when ``first(item)`` has returned, in one more thread.
    When all tasks are done with an item, ``last(item, results)`` is called in one more thread, with what they returned
    by their names. ``put`` doesn't wait: the caller keeps the number ``under_way`` bounded by ``wait`` and ``finish``.

    After an exception the items before it are finished, and nothing begins with the items after it. ``finish``, or the
    end of the ``with`` block, raises it: that of the first item, and of its first task.
    """

    def __init__(
        self,
        tasks: Mapping[str, Callable[[T], Any]],
        last: Callable[[T, dict[str, Any]], object],
        first: Callable[[T], object] | None = None,
    ) -> None:
        self._tasks, self._last, self._first = tasks, last, first
        names = (*tasks, "last") if first is None else ("first", *tasks, "last")
        self._pools = {name: ThreadPoolExecutor(1, f"vidseg-{name}") for name in names}
        self._futures: deque[dict[str, Future[Any]]] = deque()  # of the items under way, the oldest first
        self._count = 0
        self._failed: list[float] = []  # numbers of items with an exception

    @property
    def under_way(self) -> int:
        """How many items were put and not finished."""
        return len(self._futures)

    def put(self, item: T) -> None:
        """Hands over an item; don't change it afterwards."""
        number, self._count = self._count, self._count + 1
        tasks = self._tasks
        if self._first is not None:
            begun = self._pools["first"].submit(self._do, number, self._first, item)
            tasks = {name: partial(_after, begun, task) for name, task in tasks.items()}
        done = {name: self._pools[name].submit(self._do, number, task, item) for name, task in tasks.items()}
        ended = self._pools["last"].submit(self._do, number, self._end, item, done)
        self._futures.append({**done, "last": ended})

    def wait(self, names: Iterable[str]) -> None:
        """Waits until the tasks of these names are done with the oldest item under way, or have failed."""
        wait([self._futures[0][name] for name in names])

    def finish(self) -> None:
        """Waits until the oldest item under way is finished."""
        self._futures.popleft()["last"].result()

    def _do(self, number: int, function: Callable[..., R], *arguments: Any) -> R | None:
        if number > min(self._failed, default=math.inf):
            return None
        try:
            return function(*arguments)
        except BaseException:
            self._failed.append(number)
            raise

    def _end(self, item: T, done: Mapping[str, "Future[Any]"]) -> None:
        self._last(item, {name: future.result() for name, future in done.items()})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Finishes all items that were put; after a KeyboardInterrupt only what has begun."""
        try:
            while self._futures and (error is None or isinstance(error, Exception)):
                self.finish()
        finally:
            self._failed.append(-1)  # what has not begun never does: after Ctrl-C here, too
            for pool in self._pools.values():
                pool.shutdown()


def _after(begun: "Future[Any]", task: Callable[[T], R], item: T) -> R:
    """Does a task when what it needs is there. Raises the exception of that."""
    begun.result()
    return task(item)
