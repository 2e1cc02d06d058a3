"""A sweep that Python asks for, by vidseg.run(["-m", …]): the command in a process of its own.

In the caller's process Hydra's main would take over logging, signals and sys.argv, which a notebook needs itself, and
launchers that start processes would import its ``__main__``, which a notebook hasn't got and a script must guard. As
the command, a sweep is the same from everywhere.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from vidseg.config.claim import is_dated
from vidseg.config.overrides import compose_config
from vidseg.config.values import quoted
from vidseg.errors import InputError
from vidseg.record.folder import reserve
from vidseg.sweep.plan import written
from vidseg.sweep.videos import MULTIRUN, spread


def is_sweep(arguments: Sequence[str]) -> bool:
    """Whether the command's arguments ask for a sweep."""
    return any(argument.lstrip("+") in MULTIRUN for argument in arguments)


def run_apart(arguments: Sequence[str], config_dir: str | Path | None) -> tuple[Path, bool]:
    """Runs ``python -m vidseg ARGUMENTS`` to its end, whatever becomes of the jobs.

    Returns the sweep's folder, and whether Ctrl-C was pressed, which the command gets too: it then finishes its files.
    What the jobs log goes to stderr as it comes. Raises InputError with the command's message if no job could begin, or
    KeyboardInterrupt.
    """
    given = [argument for argument in arguments if argument.lstrip("+") not in MULTIRUN]
    keys = [argument for argument in spread(["-m", *given]) if argument != "-m"]
    _, settings = compose_config(keys, config_dir, sweep=True)
    folder = Path(settings.sweep.dir)
    if is_dated(settings, "sweep") and not any(argument.startswith("resume=") for argument in given):
        folder = reserve(folder, "hydra.sweep.dir")
        keys.append(f"hydra.sweep.dir={quoted(str(folder))}")
    before = written(folder)
    own_yaml = [] if config_dir is None else ["--config-dir", str(config_dir)]
    command = [sys.executable, "-m", "vidseg", "-m", *own_yaml, *keys]
    return folder, _follow(command, lambda: written(folder) != before)


def _follow(command: Sequence[str], began: Callable[[], bool]) -> bool:
    """Runs the command and passes Ctrl-C on to it, as often as it comes. Returns whether it came."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},  # for models of the caller's own
        text=True, encoding="utf-8", errors="replace",
        start_new_session=True,  # else a notebook's interrupt would reach it twice, which means "at once"
    )  # fmt: skip
    assert process.stderr is not None
    held: list[str] = []
    reader = threading.Thread(target=_pass_on, args=(process.stderr, held, began), daemon=True)
    reader.start()
    interrupted = False
    try:
        while process.poll() is None:
            try:
                process.wait()
            except KeyboardInterrupt:
                interrupted = True
                os.killpg(process.pid, signal.SIGINT)  # its jobs get it too, as they do in a terminal
    finally:
        if process.poll() is None:
            process.terminate()
        reader.join()
        process.stderr.close()
    if began():
        return interrupted
    if interrupted:
        raise KeyboardInterrupt
    raise InputError("\n".join(held[-2:]) or f"the sweep ended with exit status {process.returncode}")


def _pass_on(stderr: IO[str], held: list[str], began: Callable[[], bool]) -> None:
    """Writes the lines to this process's stderr, from the first job on; those before are ``held``, as it may be one
    message."""
    for line in stderr:
        held.append(line.rstrip("\n"))
        if began():
            for text in held:
                if sys.stderr is not None:
                    sys.stderr.write(text + "\n")
            held.clear()
