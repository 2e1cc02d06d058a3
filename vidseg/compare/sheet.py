"""comparison.csv: every column, the numbers in full."""

import csv
from pathlib import Path

from vidseg.compare.columns import Table


def write_csv(table: Table, path: Path) -> None:
    """Writes the table's rows in its order, whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    with part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        names = [column.name for column in table.columns]
        writer.writerow(names)
        writer.writerows([row[name] for name in names] for row in table.rows)
    part.replace(path)
