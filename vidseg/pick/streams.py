"""Answers that take long: lines of JSON that a thread makes, one request after another, until the page goes away."""

import asyncio
import json
import logging
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from vidseg.errors import InputError

log = logging.getLogger(__name__)

Line = Mapping[str, Any]
Work = Callable[[Callable[[Line], None]], Line | None]
"""Gives the lines before the last one to its argument, which raises where nobody waits any more."""


class Superseded(Exception):  # noqa: N818 (it is no mistake)
    """Nobody waits for this answer any more, or another question came."""


class Worker:
    """One thread for all that asks the model: it holds one state, and two passes at once would both be slower."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "vidseg-pick")
        self._asked = 0

    async def lines(self, work: Work) -> AsyncIterator[bytes]:
        """What ``work`` gives, as lines of JSON, the last of them its answer or an error.

        Ends early where the page goes away. A later question ends this one after the frame that it is at.
        """
        loop, queue = asyncio.get_running_loop(), asyncio.Queue[Line | None]()
        self._asked += 1
        number, gone = self._asked, threading.Event()

        def emit(line: Line) -> None:
            if gone.is_set() or number != self._asked:
                raise Superseded
            loop.call_soon_threadsafe(queue.put_nowait, line)

        def answer() -> None:
            try:
                last = work(emit)
            except Superseded:
                last = {"stopped": True}
            except Exception as error:
                last = {"error": told(error)}
            with suppress(RuntimeError):  # the loop is closed: the server ends
                loop.call_soon_threadsafe(queue.put_nowait, last)
                loop.call_soon_threadsafe(queue.put_nowait, None)

        self._thread.submit(answer)
        try:
            while (line := await queue.get()) is not None:
                yield json.dumps(line).encode() + b"\n"
        finally:
            gone.set()

    def close(self) -> None:
        """Ends the question that is being answered, and waits for it."""
        self._asked += 1
        self._thread.shutdown(cancel_futures=True)


def told(error: Exception) -> str:
    """An error in one line for the page; what isn't the user's mistake goes to the log as a whole."""
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'a file'}: {error.strerror}"
    log.error("%s: %s", type(error).__name__, error, exc_info=error)
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}"
