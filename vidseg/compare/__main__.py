"""The command: python -m vidseg.compare RUN_OR_SWEEP… prints a table and writes it and a page as comparison.*."""

import argparse
import logging
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from vidseg.compare.gather import gather
from vidseg.compare.sheet import write_table
from vidseg.compare.table import Table
from vidseg.compare.text import average, render_table
from vidseg.compare.verdict import judge
from vidseg.console import ConsoleHandler, is_terminal, open_streams, write_out
from vidseg.errors import InputError
from vidseg.record.run import Run

log = logging.getLogger("vidseg.compare")

EPILOG = """\
The best value of each column is green, or has a star if there are no colours. --sort puts a column's best value first,
--sort=-COLUMN its worst. The default is the quality (j_and_f, j, iou or agreement, the first that there is), then fps.
With runs of several videos the best value is marked for each video.
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m vidseg.compare",
        description="Compares finished runs: a table here; in a folder comparison.csv, .json and a page, .html.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("paths", nargs="+", type=Path, metavar="RUN_OR_SWEEP", help="folders of runs, or folders that hold some")
    add("--reference", type=Path, metavar="RUN", help="a run's folder: the IoU of the others' masks with its own")
    add("--sort", metavar="COLUMN", help="any column of comparison.csv; --sort=-COLUMN for the worst first")
    add("--out", type=Path, metavar="FOLDER", help="where to write; default: the sweep, if one is given, else here")
    add("--no-html", action="store_true", help="the table, comparison.csv and .json only")
    add("--pictures", type=int, default=12, metavar="N", help="how many runs the page shows in pictures (12)")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command. Exit status 0, 1 after an error, 2 for wrong arguments, 130 after Ctrl-C."""
    open_streams()
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, handlers=[ConsoleHandler(sys.stderr)])
    try:
        compare(options)
    except InputError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        if error.filename is None:
            raise
        sys.exit(f"error: {error.filename}: {error.strerror}; choose a folder with --out")
    except KeyboardInterrupt:
        sys.exit(130)


def compare(options: argparse.Namespace) -> None:
    """Finds the runs, prints the table, writes the files."""
    table, reference = gather(options.paths, options.reference)
    table, verdict = judge(table.sorted(options.sort))
    colour = is_terminal() and "NO_COLOR" not in os.environ
    width = shutil.get_terminal_size((120, 24)).columns
    parts = [render_table(table, width, colour), "\n".join(verdict.sentences)]
    if (means := average(table)) is not None:
        videos = len({run.video for run in table.runs})
        parts.insert(1, f"means over {videos} videos\n{render_table(means, width, colour)}")
    write_out("\n\n".join(filter(None, parts)) + "\n")
    one, *others = options.paths
    is_sweep = not others and one.is_dir() and not (one / "summary.json").exists()
    folder = options.out or (one if is_sweep else Path())
    folder.mkdir(parents=True, exist_ok=True)
    log.info("%s", write_table(table, folder))
    if not options.no_html:
        _write_page(table, reference, folder / "comparison.html", options.pictures)


def _write_page(table: Table, reference: Run | None, path: Path, pictures: int) -> None:
    try:
        from vidseg.compare.page import write_page
    except ImportError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in ("plotly", "jinja2", "scipy"):
            raise
        log.warning("no comparison.html without %s: pip install 'vidseg[compare]'", missing)
        return
    write_page(table, reference, path, pictures)
    log.info("%s (%.1f MB)", path, path.stat().st_size / 1e6)


if __name__ == "__main__":
    main()
