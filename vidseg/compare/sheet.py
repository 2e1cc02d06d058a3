"""The whole table as files: comparison.csv for spreadsheets, comparison.json for programs."""

import csv
import json
import math
from collections.abc import Mapping
from pathlib import Path

from vidseg.compare.table import Table
from vidseg.record.files import whole
from vidseg.record.labels import Scalar


def write_table(table: Table, folder: Path) -> str:
    """Writes all columns, numbers with all their digits, into ``folder``; returns what ``where`` says."""
    sheet, listing = _files(folder)
    with whole(sheet) as part, part.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        writer = csv.DictWriter(file, [column.name for column in table.columns])
        writer.writeheader()
        writer.writerows(table.rows)
    with whole(listing) as part:
        part.write_text(json.dumps([plain(cells) for cells in table.rows], indent=1) + "\n", encoding="utf-8")
    return where(folder)


def where(folder: Path) -> str:
    """A line that says where the files are."""
    return f"every column: {', '.join(map(str, _files(folder)))}"


def _files(folder: Path) -> tuple[Path, Path]:
    return folder / "comparison.csv", folder / "comparison.json"


def plain(cells: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """A row as JSON can have it, which has neither NaN nor infinity."""
    return {key: None if isinstance(cell, float) and not math.isfinite(cell) else cell for key, cell in cells.items()}
