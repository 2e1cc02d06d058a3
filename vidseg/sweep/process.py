"""Calls of a function in fresh processes: memory, time and a crash are the call's own. Knows nothing about jobs.

On Linux they are forked by a *nursery*: a process that has imported what takes long (torch takes 2 to 6 s) and does
nothing else, so that it has no threads and no CUDA, which don't survive a fork. Elsewhere a fork is unsafe or missing,
and each process starts from nothing.

Ctrl-C is a signal for all processes of a terminal, and a SIGTERM often is. Only this process takes it, and passes it on
as PASSED_ON.
"""

import atexit
import os
import pickle
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from multiprocessing import get_context, parent_process, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess, SpawnProcess
from threading import Thread, current_thread, main_thread
from types import FrameType, ModuleType
from typing import Any

from vidseg import console
from vidseg.sweep.pages import PageRange, map_in, mapped

PASSED_ON = getattr(signal, "SIGUSR1", None)  # None on Windows, where a console's Ctrl-C reaches the call's process
TAKEN = (signal.SIGINT, signal.SIGTERM)


class DiedError(Exception):
    """The process of a call ended without a result: ``code`` is its exit status, or minus the number of a signal."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Processes:
    """Makes one call after the other; ``close`` ends the nurseries, of which there is one for each set of modules."""

    def __init__(self) -> None:
        self._nurseries: dict[tuple[str, ...], tuple[SpawnProcess, Connection]] = {}
        atexit.register(self.close)  # before multiprocessing's own, which waits for the nurseries

    def call(self, function: Callable[[Any], Any], argument: Any, modules: Sequence[str]) -> Any:
        """What ``function(argument)`` returns in a process that has imported ``modules``, and little else.

        Raises DiedError if that process ends without a result, and KeyboardInterrupt if the call does, or after Ctrl-C,
        when the call has come to its end. A third Ctrl-C kills it.
        """
        work = (function, argument, console.take_losses())
        with _passing_on() as interruption:
            if sys.platform == "linux":
                ended, result = self._forked(pickle.dumps(work), tuple(modules), interruption)
            else:
                ended, result = _spawned(work, interruption)
            if interruption.presses or (result is not None and result[0]):
                raise KeyboardInterrupt
        if result is None:
            raise DiedError(ended)
        return result[1]

    def close(self) -> None:
        """Ends the processes that wait for calls."""
        for modules in list(self._nurseries):
            self._end(modules)
        atexit.unregister(self.close)

    def _forked(self, work: bytes, modules: tuple[str, ...], interruption: "_Interruption") -> "_Ended":
        if modules not in self._nurseries:
            ours, theirs = get_context("spawn").Pipe()
            process = get_context("spawn").Process(target=_nurse, args=(theirs, modules), name="vidseg-nursery")
            with _set_apart():
                process.start()
            theirs.close()
            self._nurseries[modules] = process, ours
        process, calls = self._nurseries[modules]
        try:
            calls.send_bytes(work)
            interruption.process_id = calls.recv()
            ended: _Ended = calls.recv()
        except (EOFError, OSError):  # the nursery was killed, and the call with it
            self._end(modules)
            return process.exitcode or 0, None
        except KeyboardInterrupt:  # while the nursery began: the call shall not
            self._end(modules, patience_s=0)
            raise
        return ended

    def _end(self, modules: tuple[str, ...], patience_s: float = 10) -> None:
        process, calls = self._nurseries.pop(modules)
        calls.close()  # it ends then, and removes its temporary files
        process.join(patience_s)
        process.kill()
        process.join()


_Ended = tuple[int, tuple[bool, Any] | None]
"""The exit status, and what the call gave: whether it was interrupted, and else what it returned. None: it died."""


class _Interruption:
    process_id: int | None = None  # of the call; None before it begins
    presses = 0

    def request(self, number: int, stack: FrameType | None) -> None:
        self.presses += 1
        if self.process_id is None:
            raise KeyboardInterrupt
        if PASSED_ON is not None:
            with suppress(ProcessLookupError):
                os.kill(self.process_id, PASSED_ON if self.presses < 3 else signal.SIGKILL)


@contextmanager
def _passing_on() -> Iterator[_Interruption]:
    """Within the block signals go to the process of the call."""
    interruption = _Interruption()
    if current_thread() is not main_thread():  # which alone can set handlers
        yield interruption
        return
    before = [signal.signal(number, interruption.request) for number in TAKEN]
    try:
        yield interruption
    finally:
        for number, handler in zip(TAKEN, before, strict=True):
            signal.signal(number, handler)


@contextmanager
def _set_apart() -> Iterator[None]:
    """A process that starts within the block doesn't import the main module, and is blocked from signals.

    The main module may be a notebook, or a script that would begin the sweep once more.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    before: set[Any] = set()
    if PASSED_ON is not None:
        resource_tracker.ensure_running()  # it unblocks signals when it starts
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [*TAKEN, PASSED_ON])
    try:
        yield
    finally:
        sys.modules["__main__"] = main
        if PASSED_ON is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _spawned(work: Any, interruption: _Interruption) -> _Ended:
    reader, writer = get_context("spawn").Pipe(duplex=False)
    process = get_context("spawn").Process(target=_call, args=(work, writer, ()))
    with _set_apart():
        process.start()
    writer.close()
    interruption.process_id = process.pid
    return _end_of(process, reader)


def _end_of(process: ForkProcess | SpawnProcess, reader: Connection) -> _Ended:
    """Waits for a call's result and for the end of its process."""
    result = None
    wait([reader, process.sentinel])
    with suppress(EOFError, OSError):
        if reader.poll():
            result = reader.recv()
    reader.close()
    process.join()
    return process.exitcode or 0, result


def _nurse(calls: Connection, modules: Sequence[str]) -> None:
    """Forks a process for each call, until nobody is left who may make one."""
    console.open_streams()
    for name in modules:
        with suppress(ImportError):  # the call says what is missing
            import_module(name)
    pages = mapped()
    caller = parent_process()
    assert caller is not None
    fork = get_context("fork")
    with suppress(EOFError, OSError):
        while True:
            work = calls.recv_bytes()  # unpickled in the new process: that may import modules
            reader, writer = fork.Pipe(duplex=False)
            process = fork.Process(target=_call, args=(work, writer, [caller.sentinel], pages))
            process.start()
            writer.close()
            calls.send(process.pid)
            calls.send(_end_of(process, reader))


def _call(work: Any, results: Connection, watched: Sequence[int], pages: Sequence[PageRange] = ()) -> None:
    """The life of a call's process. It ends with those that wait for it, and with the ``watched`` processes."""
    parent = parent_process()
    assert parent is not None
    Thread(target=_end_with, args=([parent.sentinel, *watched],), daemon=True).start()
    map_in(pages)
    if (numpy := sys.modules.get("numpy")) is not None:
        numpy.random.seed()  # else all jobs have the nursery's; Python's own random is seeded by the fork
    _listen()
    atexit._clear()  # what the nursery does at its own end: wandb removes a folder for media there
    try:
        function, argument, lost = pickle.loads(work) if isinstance(work, bytes) else work
        console.give_losses(lost)
        result = False, function(argument)
    except KeyboardInterrupt:
        result = True, None
    results.send(result)
    atexit._run_exitfuncs()  # which multiprocessing leaves out


def _end_with(processes: Sequence[int]) -> None:
    wait(processes)
    os.kill(os.getpid(), signal.SIGKILL)


def _listen() -> None:
    """Takes PASSED_ON as Ctrl-C, and leaves the signals of a terminal to the process that passes them on."""
    if PASSED_ON is None:
        return
    console.INTERRUPTING[:] = [PASSED_ON]
    signal.signal(PASSED_ON, signal.default_int_handler)
    for number in TAKEN:
        signal.signal(number, _ignore)
    # A process that this one forks can be terminated all the same, as programs that it starts can.
    os.register_at_fork(after_in_child=lambda: [signal.signal(number, signal.SIG_DFL) for number in TAKEN])
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [*TAKEN, PASSED_ON])


def _ignore(number: int, stack: FrameType | None) -> None:
    """Does nothing."""
