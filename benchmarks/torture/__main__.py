"""The torture test: `make torture`, or

    python -m benchmarks.torture [--inputs 1000] [--seed 0] [--only inputs,kills,disks,services,pairs] [--workers 1]

Writes benchmarks/results/torture.json. Exit status 1 if anything is wrong.
"""

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from benchmarks.machine import RESULTS, machine
from benchmarks.torture.disks import run_disks
from benchmarks.torture.inputs import SHARES, Case, Maker
from benchmarks.torture.kills import run_kills
from benchmarks.torture.materials import write_materials
from benchmarks.torture.pairs import run_pairs
from benchmarks.torture.services import run_services
from benchmarks.torture.worker import Worker


def main() -> int:
    """Runs the parts that were asked for, prints what is wrong, and writes the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="inputs,kills,disks,services,pairs", help="parts (default: all)")
    parser.add_argument("--inputs", type=int, default=1000, help="mutated inputs (default: 1000)")
    parser.add_argument("--kinds", default=",".join(("control", *SHARES)), help="of inputs (default: all)")
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--disks", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2, help="processes that run inputs (default: 2)")
    parser.add_argument("--report", type=Path, default=RESULTS / "torture.json")
    args = parser.parse_args()
    folder, began = Path(tempfile.mkdtemp(prefix="torture-")), time.monotonic()
    report: dict[str, Any] = {"machine": machine(), "seed": args.seed}
    wrong = list[dict[str, Any]]()
    parts: dict[str, Callable[[], Iterable[dict[str, Any]]]] = {
        "inputs": lambda: run_cases(_cases(args, folder), folder / "workers", args.workers),
        "kills": lambda: run_kills(folder / "kills", args.kills, args.seed),
        "disks": lambda: run_disks(folder / "disks", args.disks),
        "services": lambda: run_services(folder / "services"),
        "pairs": lambda: run_pairs(folder / "pairs"),
    }
    for name in args.only.split(","):
        results = list(_shown(parts[name]()))
        wrong += [{"name": result["name"], "faults": result["faults"]} for result in results if result["faults"]]
        report[name] = _tally(results) if name == "inputs" else [_short(result) for result in results]
    report |= {"wrong": wrong, "minutes": round((time.monotonic() - began) / 60, 1)}
    args.report.parent.mkdir(exist_ok=True)
    args.report.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    print(f"{len(wrong)} wrong; {args.report}; {folder}")
    return 1 if wrong else 0


def _cases(args: argparse.Namespace, folder: Path) -> list[Case]:
    maker = Maker(args.seed, write_materials(folder / "materials"), folder / "inputs")
    return [case for case in (*maker.controls(), *maker.cases(args.inputs)) if case.kind in args.kinds.split(",")]


def run_cases(cases: Iterable[Case], folder: Path, workers: int) -> Iterator[dict[str, Any]]:
    """The results of the inputs, as they come."""
    idle: SimpleQueue[Worker] = SimpleQueue()
    for number in range(workers):
        idle.put(Worker(folder / f"worker{number}"))

    def run(case: Case) -> dict[str, Any]:
        worker = idle.get()
        try:
            return worker.run(case)
        finally:
            idle.put(worker)

    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(run, cases)
    for _ in range(workers):
        idle.get().close()


def _shown(results: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The same results; those that are wrong are printed."""
    for number, result in enumerate(results, start=1):
        for fault in result["faults"]:
            print(f"WRONG {result['name']}\n      {fault}\n      {' '.join(result.get('overrides', []))}", flush=True)
        if number % 50 == 0 or result.get("kind") is None:
            print(f"{number}: {result['name']}", flush=True)
        yield result


def _tally(results: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """How many inputs of each kind ended how; the slowest, and the most memory."""
    kinds: dict[str, Counter[str]] = {}
    for result in results:
        kinds.setdefault(result["kind"], Counter()).update(
            ["tried", result["outcome"], *["wrong"][: len(result["faults"])]]
        )
    return {
        **{kind: dict(counter) for kind, counter in kinds.items()},
        "slowest_s": max(result.get("seconds", 0) for result in results),
        "peak_mib": max(result.get("peak_mib", 0) for result in results),
    }


def _short(result: dict[str, Any]) -> dict[str, Any]:
    return {**result, "faults": len(result["faults"])}


if __name__ == "__main__":
    sys.exit(main())
