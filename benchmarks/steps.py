"""Measurements in steps, for machines that are there for minutes at a time: what bench-gpu and bench-peers share.

A step is one contender in one setting, once, in a process of its own, which is killed after --limit seconds. Its
figures are in benchmarks/results/<plan>_<machine>.json as soon as it ends, and the next call goes on with the steps
that are missing. What failed or took too long stays left out in that setting, until --again.
"""

import argparse
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from benchmarks.clip import CONFIGS, make_checkpoint, make_clip, make_prompts
from benchmarks.machine import label, machine, result_path
from benchmarks.segmentation import Setting
from benchmarks.step_tables import Target, show_list, show_tables
from benchmarks.tables import Figures

_NONE: Mapping[str, Any] = {}


@dataclass(frozen=True)
class Plan:
    """What a program measures, the most telling contenders first.

    - ``name``: of the file in benchmarks/results.
    - ``module``: ``python -m MODULE --one CONTENDER SETTING FOLDER`` prints the figures of one step.
    - ``theirs``: the contenders that ours are compared with.
    - ``frames``: the two lengths to measure between, by the side of the model's input and the number of objects.
    - ``defaults``: of the options.
    - ``packages``: whose versions are recorded beside vidseg's own.
    """

    name: str
    module: str
    contenders: Mapping[str, Callable[[Setting, Path], Figures]]
    theirs: tuple[str, ...]
    frames: Callable[[int, int], tuple[int, int]]
    defaults: Mapping[str, Any]
    targets: tuple[Target, ...] = ()
    packages: tuple[str, ...] = ()


@dataclass(frozen=True)
class Step:
    """One contender in one setting, once."""

    setting: Setting
    contender: str
    round: int

    @property
    def key(self) -> str:
        """The setting with all that its figures depend on."""
        one = self.setting
        return f"{one}, {one.threads} threads, frames {one.short} to {one.long}"

    def __str__(self) -> str:
        return f"{self.key}: {self.contender}, round {self.round}"


@dataclass
class Records:
    """The steps that were done, as a file: by setting, contender and round."""

    path: Path
    about: dict[str, Any]
    settings: dict[str, dict[str, dict[str, dict[str, Any]]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.path.exists():
            self.settings = json.loads(self.path.read_text())["settings"]

    def of(self, step: Step) -> Mapping[str, dict[str, Any]]:
        """The rounds of the step's contender in its setting, by their number as text."""
        return self.settings.get(step.key, _NONE).get(step.contender, _NONE)

    def is_due(self, step: Step) -> bool:
        """Whether the step is missing and none of its contender was left out in this setting."""
        rounds = self.of(step)
        return str(step.round) not in rounds and not any("left_out" in each for each in rounds.values())

    def put(self, step: Step, record: dict[str, Any]) -> None:
        """Adds a step, and saves all: whoever stops the program keeps the steps before."""
        self.settings.setdefault(step.key, {}).setdefault(step.contender, {})[str(step.round)] = record
        self.save()

    def forget_left_out(self, steps: Iterable[Step]) -> None:
        """So that they are due again."""
        for step in steps:
            rounds = self.settings.get(step.key, {}).get(step.contender, {})
            for number in [number for number, record in rounds.items() if "left_out" in record]:
                del rounds[number]

    def save(self) -> None:
        """Writes the file whole or not at all."""
        self.path.parent.mkdir(exist_ok=True, parents=True)
        part = self.path.with_suffix(".part")
        part.write_text(json.dumps({"machine": self.about, "settings": self.settings}, indent=2) + "\n")
        part.replace(self.path)

    def expected_s(self, step: Step, limit_s: float) -> float:
        """How long the step may take: a tenth more than its longest round, or the limit if there was none."""
        return min(limit_s, max((1.1 * each["took_s"] for each in self.of(step).values()), default=limit_s))


def run_step(command: list[str], limit_s: float) -> dict[str, Any]:
    """The figures that the command prints as its last line, or why there are none."""
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, start_new_session=True) as process:
        try:
            out, errors = process.communicate(timeout=limit_s)
        except BaseException as error:  # a stop by the user, too: nothing may go on measuring
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # with the processes that it started
            if isinstance(error, subprocess.TimeoutExpired):
                return {"left_out": f"over {limit_s:g} s"}
            raise
    if process.returncode:
        return {"left_out": (errors.strip().splitlines() or [f"exit status {process.returncode}"])[-1]}
    return {"figures": json.loads(out.splitlines()[-1])}


def make_inputs(setting: Setting, folder: Path) -> Setting:
    """Makes the clips, clicks and weights that aren't in the folder yet; returns the setting with their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint = folder / f"{setting.model}.pt"
    wanted: dict[Path, Callable[[Path], None]] = {
        **{folder / f"{n}.mp4": partial(make_clip, num_frames=n) for n in (setting.short, setting.long)},
        folder / f"{setting.objects}.yaml": partial(make_prompts, objects=setting.objects),
        checkpoint: partial(make_checkpoint, model=setting.model),
    }
    for path, make in wanted.items():
        if not path.exists():
            part = path.with_name(f"part_{path.name}")
            make(part)
            part.replace(path)
    return replace(setting, clip=str(folder / f"{setting.long}.mp4"), checkpoint=str(checkpoint))


def carry_out(plan: Plan, steps: list[Step], records: Records, args: argparse.Namespace) -> None:
    """Does the steps that are due, in order, for as long as the arguments allow."""
    began, done = time.monotonic(), 0
    for step in steps:
        if not records.is_due(step):
            continue
        left_s = float("inf") if args.seconds is None else args.seconds - (time.monotonic() - began)
        if done == args.steps or records.expected_s(step, args.limit) > left_s:
            print(f"stopped after {done} steps; the next call goes on with {step}")
            break
        setting, folder = make_inputs(step.setting, args.folder), str(args.folder)
        step_began = time.monotonic()
        command = [sys.executable, "-m", plan.module, "--one", step.contender, setting.json(), folder]
        record = run_step(command, args.limit)
        record |= {"took_s": round(time.monotonic() - step_began, 1), "date": time.strftime("%Y-%m-%d")}
        record |= {name: records.about["versions"].get(name) for name in ("commit", "torch")}
        records.put(step, record)
        for unfinished in args.folder.glob("tmp*"):  # of a step that was killed
            shutil.rmtree(unfinished, ignore_errors=True)
        done += 1
        rate = "{:.4g} fps".format(record["figures"]["fps"]) if "figures" in record else "left out"
        print(f"{step}: {record.get('left_out') or rate} ({record['took_s']:.0f} s)", flush=True)
    else:
        print(f"nothing is left to measure ({done} steps in this call)")


def parser(plan: Plan, doc: str | None) -> argparse.ArgumentParser:
    """The options that all plans share."""
    cli = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--contenders", default=",".join(plan.contenders), help="in this order (default: %(default)s)")
    cli.add_argument("--models", help="(default: %(default)s)")
    cli.add_argument("--objects", help="how many, 1 to 16 (default: %(default)s)")
    cli.add_argument("--image-size", help="sides of the model's input (default: %(default)s)")
    cli.add_argument("--precision", help="of conf/precision (default: %(default)s)")
    cli.add_argument("--device", help="(default: %(default)s)")
    cli.add_argument("--threads", type=int, default=torch.get_num_threads())
    cli.add_argument("--frames", metavar="SHORT,LONG", help="lengths to measure between (default: by the setting)")
    cli.add_argument("--rounds", type=int, help="of every contender in every setting (default: %(default)s)")
    cli.add_argument("--limit", type=float, metavar="S", help="seconds of a step (default: %(default)s)")
    cli.add_argument("--steps", type=int, metavar="N", help="end after so many")
    cli.add_argument("--seconds", type=float, metavar="S", help="begin no step that could end later than this")
    cli.add_argument("--again", action="store_true", help="try again what was left out")
    cli.add_argument("--list", action="store_true", help="measure nothing: show what is done and what is left")
    cli.add_argument("--folder", type=Path, help="where clips and weights are kept (default: %(default)s)")
    cli.add_argument("--results", type=Path, help="file of figures (default: of the machine, in benchmarks/results)")
    cli.add_argument("--one", nargs=3, help=argparse.SUPPRESS)  # contender, setting and folder of one step
    cli.set_defaults(folder=Path("runs") / f"bench_{plan.name}", **plan.defaults)
    return cli


def planned(plan: Plan, args: argparse.Namespace) -> list[Step]:
    """All steps, setting by setting; within one the contenders take turns."""
    given = args.frames and tuple(map(int, args.frames.split(",")))
    settings = []
    for model in args.models.split(","):
        for size in map(int, args.image_size.split(",")):
            for objects in map(int, args.objects.split(",")):
                short, long = given or plan.frames(size, objects)
                where = (args.precision, args.device, args.threads)
                settings.append(Setting(model, objects, size, *where, short=short, long=long))
    rounds = range(1, args.rounds + 1)
    return [Step(each, name, n) for each in settings for n in rounds for name in args.contenders.split(",")]


def main(plan: Plan, doc: str | None) -> None:
    """Carries the plan out as far as the arguments say, and prints the tables."""
    cli = parser(plan, doc)
    args = cli.parse_args()
    if args.one:
        logging.disable(logging.WARNING)
        name, setting, folder = args.one
        print(json.dumps(plan.contenders[name](Setting(**json.loads(setting)), Path(folder))))
        return
    named = [*args.contenders.split(","), *args.models.split(",")]
    if unknown := [name for name in named if name not in (*plan.contenders, *CONFIGS)]:
        cli.error(f"{unknown[0]}: contenders are {', '.join(plan.contenders)}; models are {', '.join(CONFIGS)}")
    if args.device != "cpu" and not torch.cuda.is_available():
        cli.error(f"--device {args.device}: torch finds no GPU")
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(args.folder.absolute() / "inductor"))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the step's process ends too
    about, steps = machine(args.device), planned(plan, args)
    about["versions"] |= {name: version(name) for name in plan.packages}
    records = Records(args.results or result_path(plan.name, about), about)
    print(f"{label(about)}; {records.path}")
    if args.again:
        records.forget_left_out(steps)
    if not args.list:
        carry_out(plan, steps, records, args)
    show_list(steps, records)
    show_tables(plan, steps, records)
