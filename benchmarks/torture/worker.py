"""Many inputs in one process, watched by another: a hang, a crash or too much memory ends only that process."""

import contextlib
import faulthandler
import gc
import io
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path
from typing import Any

from benchmarks.torture import verdict
from benchmarks.torture.inputs import Case, as_json

LIMIT_S = 60.0
LIMIT_MIB = 2048
ROOT = Path(__file__).parents[2]


class Worker:
    """A process that runs inputs in ``folder``, started again after it ended."""

    def __init__(self, folder: Path, limit_s: float = LIMIT_S) -> None:
        self._folder, self._limit_s = folder, limit_s
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    def run(self, case: Case) -> dict[str, Any]:
        """What came of one input: ``outcome``, ``message``, ``faults``, ``seconds``, ``peak_mib``."""
        process = self._process or self._start()
        began = time.monotonic()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(as_json(case)).encode() + b"\n")
        process.stdin.flush()
        fault = None
        while not select.select([process.stdout], [], [], 0.05)[0]:
            if (used := rss_mib(process.pid)) > LIMIT_MIB:
                fault = f"memory: {used:.0f} MiB"
            elif time.monotonic() - began > self._limit_s:
                fault = f"hang: no end after {self._limit_s:.0f} s"
            if fault:
                break
        line = b"" if fault else process.stdout.readline()
        if line:
            return {**json.loads(line), "name": case.name, "kind": case.kind}
        fault = f"{fault or 'crash'}\n{self._end()}"
        return {"name": case.name, "kind": case.kind, "outcome": "lost", "message": "", "faults": [fault]}

    def close(self) -> None:
        """Ends the process."""
        if self._process is not None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            self._process.wait(30)
            self._process = None

    def _start(self) -> subprocess.Popen[bytes]:
        self._errors = self._folder / "stderr.txt"
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "WANDB_MODE": "offline"}
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.torture.worker", str(self._errors.absolute())],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, cwd=self._folder, env=environment,
            )  # fmt: skip
        return self._process

    def _end(self) -> str:
        """Kills the process; returns where its threads were, and how it ended."""
        process, self._process = self._process, None
        assert process is not None
        if process.poll() is None:
            process.send_signal(signal.SIGUSR1)
            time.sleep(0.5)
            process.kill()
        return f"exit status {process.wait()}\n{self._errors.read_text(errors='replace')[-3000:]}"


def rss_mib(pid: int) -> float:
    """The memory of a process in MiB; 0 if it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    except (OSError, IndexError):
        return 0.0


def run_case(case: Case, errors: Path | None = None) -> dict[str, Any]:
    """Runs one input in this process and judges what it left. ``errors`` is the file that this process's stderr is."""
    from vidseg.meter import peak_rss_mib, reset_peaks

    folder = Path(tempfile.mkdtemp(prefix="run-", dir=".")) / "run"
    before, began = len(os.listdir("/proc/self/fd")), time.monotonic()  # noqa: PTH208
    said = errors.stat().st_size if errors else 0
    threads = _threads()
    reset_peaks()
    overrides = [*case.overrides, f"hydra.run.dir={folder}"]
    outcome, message, wrong = (_command if case.command else _call)(case.config_dir, overrides)
    if (folder / "summary.json").exists() or outcome == "finished":
        wrong += verdict.faults(folder)
    if outcome == "finished" and case.video and not wrong:
        wrong += _lost_frames(case, folder)
    if case.kind == "control" and outcome != "finished":
        wrong.append(f"a whole input is {outcome}: {message}")
    gc.collect()
    if left := _threads() - threads:
        wrong.append(f"threads are left: {', '.join(thread.name for thread in left)}")
    if (opened := len(os.listdir("/proc/self/fd")) - before) > 0:  # noqa: PTH208
        wrong.append(f"{opened} files are left open")
    if errors and "Traceback (most recent call last)" in (text := errors.read_bytes()[said:].decode(errors="replace")):
        wrong.append(f"a traceback on stderr: {text[-2000:]}")
    if not wrong:
        shutil.rmtree(folder.parent)
    return {
        "outcome": outcome, "message": message, "faults": wrong, "seconds": round(time.monotonic() - began, 2),
        "peak_mib": round(peak_rss_mib()), "overrides": overrides if wrong else [],
    }  # fmt: skip


def _threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if not thread.name.startswith(("tqdm", "wandb"))}  # which stay


def _call(config_dir: str, overrides: list[str]) -> tuple[str, str, list[str]]:
    import vidseg
    from vidseg.job import JobFailed

    try:
        run = vidseg.run(overrides, config_dir=config_dir)
    except JobFailed as error:
        return "refused", str(error), verdict.message_faults(str(error))
    except BaseException as error:
        return "raised", repr(error), [f"not a JobFailed: {_short_traceback()}"]
    return str(run.summary["status"]), "", []


def _command(config_dir: str, overrides: list[str]) -> tuple[str, str, list[str]]:
    """The command in this process, with what it says on stderr and stdout."""
    import logging

    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.singleton import Singleton

    from vidseg.__main__ import main

    state, handlers, arguments = Singleton.get_state(), logging.root.handlers[:], sys.argv
    os.environ.pop("HYDRA_FULL_ERROR", None)  # which the command sets, for the rest of its process
    GlobalHydra.instance().clear()
    sys.argv = ["vidseg", "--config-dir", config_dir, *overrides]
    said, status, wrong = io.StringIO(), 0, list[str]()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            main()
    except SystemExit as error:
        if isinstance(error.code, str):
            said.write(error.code)
        status = error.code if isinstance(error.code, int) else 1
    except BaseException:
        wrong.append(f"the command raised: {_short_traceback()}")
    finally:
        sys.argv, logging.root.handlers[:] = arguments, handlers
        Singleton.set_state(state)
        GlobalHydra.instance().clear()
        logging.disable(logging.NOTSET)
    text = said.getvalue()
    if "Traceback (most recent call last)" in text:
        wrong.append(f"a traceback on the console: {text[-2000:]}")
    if status not in (0, None):
        wrong += verdict.message_faults("\n".join(text.strip().splitlines()[-3:]))
    return "refused" if status else "finished", text[-300:], wrong


def _short_traceback() -> str:
    """The last lines of the traceback that is being handled."""
    return "\n".join(traceback.format_exc().strip().splitlines()[-12:])


def _lost_frames(case: Case, folder: Path) -> list[str]:
    """A run may not end as finished with fewer frames than a plain decoder finds, unless it said so."""
    assert case.video is not None
    if any(word.startswith(("extract.", "preview")) for word in case.overrides) or verdict.warnings(folder):
        return []
    frames = json.loads((folder / "summary.json").read_text())["frames"]
    plain = verdict.count_frames(Path(case.video))
    return [f"lost frames: finished with {frames}, a plain decoder finds {plain}"] if frames < plain else []


def main() -> None:
    """Runs the inputs that come in, a line each; answers with a line each."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what is printed goes to stderr's file
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    faulthandler.enable()
    import wandb

    import vidseg.job  # noqa: F401  the first input isn't the slowest

    wandb.setup()  # its service stays for all runs of a process: no input has left it
    for line in sys.stdin:
        given: dict[str, Any] = json.loads(line)
        case = Case(**{**given, "overrides": tuple(given["overrides"])})
        answers.write(json.dumps(run_case(case, Path(sys.argv[1]))) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
