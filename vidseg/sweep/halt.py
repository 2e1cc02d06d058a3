"""Ctrl-C in a sweep whose jobs run in other processes: running jobs finish their files, and no other job begins.

An interrupted launcher would kill its workers in the middle of a file. The jobs, which may be on other machines, learn
of the Ctrl-C from a file in the sweep's folder.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vidseg.console.interrupt import interruptible

NAME = ".halt"


@contextmanager
def halting(folder: Path) -> Iterator[None]:
    """Within the block Ctrl-C halts the sweep in ``folder``, and the end of the block raises KeyboardInterrupt."""
    folder.mkdir(parents=True, exist_ok=True)
    mark = folder / NAME
    mark.unlink(missing_ok=True)  # left by a sweep that was killed
    with interruptible("no more jobs begin, those that run come to an end", mark.touch) as interruption:
        try:
            yield
        finally:
            mark.unlink(missing_ok=True)
            if interruption.requested:  # in place of the launcher's error about its lost jobs
                raise KeyboardInterrupt


def is_halted(folder: Path) -> bool:
    """Whether the sweep in ``folder`` was halted, so that no job may begin."""
    return (folder / NAME).exists()
