"""The table of a sweep's jobs, as text for a terminal of any width."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from os.path import commonprefix
from pathlib import Path
from typing import Any

GAP = "  "
LONGEST = 40  # characters of a cell; of more the end is shown, which tells paths apart


def describe(record: Mapping[str, Any], folder: Path, width: int) -> str:
    """The table, the error of each failed job, and how to go on; ``record`` is sweep.json's content."""
    jobs = record["jobs"]
    lines = [f"sweep {record['group']}", *_table(jobs, width)]
    lines += [f"job {job['number']} {job['status']}: {job['error']}" for job in jobs if job["error"]]
    counts = Counter(job["status"] for job in jobs)
    told = ", ".join(
        f"{counts[status]} {status}" for status in ("finished", "failed", "interrupted", "missing") if counts[status]
    )
    lines.append(f"{told or 'no jobs'}; {folder / 'sweep.json'}")
    if counts["finished"] < len(jobs):
        lines.append(f"the same command with hydra.sweep.dir={folder} resume=true runs what didn't finish")
    return "\n".join(lines)


def differing(jobs: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """The overrides that differ between jobs: one value a job ("" where it has none) by key."""
    given = [dict(override.lstrip("+").split("=", 1) for override in job["overrides"]) for job in jobs]
    keys = dict.fromkeys(key for overrides in given for key in overrides)
    columns = {key: [overrides.get(key, "") for overrides in given] for key in keys}
    return {key: values for key, values in columns.items() if len(set(values)) > 1}


def scores(jobs: Sequence[Mapping[str, Any]]) -> list[str]:
    """The metrics of the jobs, those of single objects (``j_1``) left out."""
    names = dict.fromkeys(name for job in jobs for name in job["metrics"])
    return [name for name in names if not re.search(r"_\d+$", name)]


def rows(jobs: Sequence[Mapping[str, Any]], folder: Path) -> list[dict[str, Any]]:
    """The same for a tracker: a row a job, with the sample in the middle of its video; ``folder`` is the sweep's."""
    columns = {key: _alike([_plain(value) for value in values]) for key, values in differing(jobs).items()}
    names = scores(jobs)
    figures = ("status", "fps", "frames", "seconds", "peak_rss_mib", "peak_cuda_mib")
    made = []
    for row, job in enumerate(jobs):
        samples = sorted((folder / job["folder"] / "samples").glob("*.png"))
        cells: dict[str, Any] = {"job": job["number"]}
        cells |= {key: values[row] for key, values in columns.items()}
        cells |= {name: job[name] for name in figures} | {name: job["metrics"].get(name) for name in names}
        cells |= {"sample": samples[len(samples) // 2] if samples else None, "error": job["error"]}
        made.append({**cells, "folder": job["folder"], "overrides": " ".join(job["overrides"])})
    return made


def _table(jobs: Sequence[Mapping[str, Any]], width: int) -> list[str]:
    """Header and rows; the columns that don't fit are left out from the right."""
    columns = {"job": [str(job["number"]) for job in jobs]}
    columns |= {key: _short(values) for key, values in differing(jobs).items()}
    columns["status"] = [f"{job['status']}{', before' if job['skipped'] else ''}" for job in jobs]
    columns["frames"] = [_number(job["frames"], 0) for job in jobs]
    columns["fps"] = [_number(job["fps"], 1) for job in jobs]
    columns["MiB"] = [_number(job["peak_rss_mib"], 0) for job in jobs]
    if any(job["peak_cuda_mib"] is not None for job in jobs):
        columns["GPU MiB"] = [_number(job["peak_cuda_mib"], 0) for job in jobs]
    columns |= {name: [_score(job["metrics"].get(name)) for job in jobs] for name in scores(jobs)}
    rows = [""] * (len(jobs) + 1)
    for name, cells in columns.items():
        cell_width = max(map(len, [name, *cells]))
        numeric = all(re.fullmatch(r"-?[\d.]*", cell) for cell in cells)
        column = [cell.rjust(cell_width) if numeric else cell.ljust(cell_width) for cell in (name, *cells)]
        if len(rows[0]) + len(GAP) + cell_width > width:
            break
        rows = [row + GAP + cell if row else cell for row, cell in zip(rows, column, strict=True)]
    return [row.rstrip() for row in (rows[0], "─" * len(rows[0]), *rows[1:])]


def _plain(value: str) -> str | int | float:
    """An override's value without quotes, and a number as one (W&B plots it)."""
    for kind in (int, float):
        with suppress(ValueError):
            return kind(value)
    return value[1:-1].replace("\\'", "'") if re.fullmatch(r"'.*'", value) else value


def _alike(values: list[str | int | float]) -> Sequence[str | int | float]:
    """All numbers or all text: a tracker's column has one kind."""
    return [str(value) for value in values] if any(isinstance(value, str) for value in values) else values


def _short(values: Sequence[str]) -> list[str]:
    """A column's values, paths without the folders that they share."""
    plain = [str(_plain(value)) for value in values]
    shared = commonprefix(plain)  # noqa: RUF071 (cut at a slash below; commonpath minds mixed kinds of paths)
    plain = [value[shared.rfind("/") + 1 :] for value in plain]
    return [value if len(value) <= LONGEST else f"…{value[1 - LONGEST :]}" for value in plain]


def _score(value: float | None) -> str:
    return _number(value, 3 if value is None or abs(value) < 100 else 0)


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
