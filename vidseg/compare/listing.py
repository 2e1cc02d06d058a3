"""vidseg.compare(…): the comparison as Python's own values, shown by a notebook as a table."""

from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Any, Protocol

from vidseg.compare.gather import gather
from vidseg.compare.sheet import plain
from vidseg.compare.table import Table
from vidseg.compare.text import errors_of, render_table
from vidseg.errors import InputError
from vidseg.record.labels import Scalar

WIDTH = 80  # characters of a notebook's text


class HasFolder(Protocol):
    """What vidseg.run returns."""

    folder: Path


Where = str | Path | HasFolder


class Comparison(list[dict[str, Scalar]]):
    """A row for each run, a dict by the names of columns: those of comparison.json. A notebook shows the table."""

    def __init__(self, table: Table) -> None:
        super().__init__(plain(cells) for cells in table.rows)
        self._table = table

    def to_pandas(self) -> Any:
        """The rows as a pandas.DataFrame. Raises InputError if pandas isn't installed."""
        try:
            import pandas
        except ImportError as error:
            raise InputError("to_pandas: pandas is not installed; pip install pandas") from error
        return pandas.DataFrame(list(self))

    def __repr__(self) -> str:
        return render_table(self._table, WIDTH, colour=False)

    def _repr_html_(self) -> str:
        """The table with the best values bold; errors below."""
        table = self._table
        columns = [column for column in table.columns if not column.extra]
        lines = [
            "<table><thead><tr>",
            *(f"<th>{escape(column.name)}</th>" for column in columns),
            "</tr></thead><tbody>",
        ]
        for row, cells in enumerate(table.rows):
            lines.append("<tr>")
            for column in columns:
                text = escape(column.show(cells[column.name]))
                mark = f"<b>{text}</b>" if row in table.marked[column.name] else text
                lines.append(f'<td style="text-align: {"left" if column.is_text else "right"}">{mark}</td>')
            lines.append("</tr>")
        errors = "".join(f"<p>{escape(line)}</p>" for line in errors_of(table))
        return "".join([*lines, "</tbody></table>", errors])


def compare(runs: Where | Iterable[Where], reference: Where | None = None, sort: str | None = None) -> Comparison:
    """What differs between runs and what came of them, as ``python -m vidseg.compare`` has it; writes no files.

    - ``runs``: folders of runs, or folders that hold some, as a sweep's; also what ``vidseg.run`` returned.
    - ``reference``: a run; the column ``iou`` is the mean IoU of the others' masks with its own.
    - ``sort``: a column, best first, or -COLUMN, worst first. By default the quality, then fps.

    Raises InputError for what isn't there.
    """
    asked = [runs] if isinstance(runs, str | Path) or hasattr(runs, "folder") else list(runs)
    try:
        table, _ = gather([_folder(each) for each in asked], None if reference is None else _folder(reference))
        return Comparison(table.sorted(sort))
    except InputError as error:
        raise InputError(str(error).removeprefix("--")) from error  # the command's options are parameters here


def _folder(where: Any) -> Path:
    return Path(where if isinstance(where, str | Path) else where.folder)
