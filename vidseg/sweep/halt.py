"""Ctrl-C in a sweep whose jobs run in other processes: those that run finish their files, no other begins.

A launcher that is simply interrupted kills its workers in the middle of a file. The word is passed on as a file in the
sweep's folder, because jobs may be on other machines.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vidseg.console.interrupt import interruptible

NAME = ".halt"


@contextmanager
def halting(folder: Path) -> Iterator[None]:
    """Within the block Ctrl-C halts the sweep in ``folder``; KeyboardInterrupt is raised when the block is through."""
    folder.mkdir(parents=True, exist_ok=True)
    mark = folder / NAME
    mark.unlink(missing_ok=True)  # of a sweep that was killed
    with interruptible("no more jobs begin, those that run come to an end", mark.touch) as interruption:
        try:
            yield
        finally:
            mark.unlink(missing_ok=True)
            if interruption.requested:  # whatever the launcher makes of jobs that it lost
                raise KeyboardInterrupt


def is_halted(folder: Path) -> bool:
    """Whether a job of the sweep in ``folder`` shall not begin."""
    return (folder / NAME).exists()
