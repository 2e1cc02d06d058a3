"""From folders to a table: the runs that are there, measured against a reference where there is one."""

from collections.abc import Sequence
from pathlib import Path

from vidseg.compare.table import Table, tabulate
from vidseg.console import progress
from vidseg.errors import InputError
from vidseg.record.run import Run, find_runs


def gather(paths: Sequence[Path], reference: Path | None) -> tuple[Table, Run | None]:
    """The table of the runs at and below ``paths``, and the run at ``reference`` that they are measured against.

    Raises InputError as ``find_runs`` and ``find_reference`` do.
    """
    runs = find_runs(paths)
    if reference is None:
        return tabulate(runs), None
    from vidseg.compare.agreement import measure_agreement  # brings numpy, which a plain table doesn't need

    chosen = find_reference(reference, runs)
    agreements = {}
    with progress(len(runs), "agreement", unit="run") as bar:
        for run in runs:
            agreements[run] = measure_agreement(run, chosen)
            bar.update()
    return tabulate(runs, agreements), chosen


def find_reference(path: Path, runs: Sequence[Run]) -> Run:
    """The run at ``path``, one of ``runs`` or another. Raises InputError if it isn't one run, or has no masks."""
    found = find_runs([path])
    if len(found) > 1:
        raise InputError(f"--reference: {path} holds {len(found)} runs; name one of them, such as {found[0].folder}")
    reference = next((run for run in runs if run.folder == found[0].folder), found[0])
    if reference.masks is None:
        raise InputError(f"--reference: {path} has no masks.jsonl; run it with rle among the outputs (output=[…,rle])")
    return reference
