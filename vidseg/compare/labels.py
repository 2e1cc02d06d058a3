"""The names of runs and columns where people read them."""

from vidseg.compare.table import Column, Table

PER_VIDEO = ("video", "sample.seed")  # the keys that say what was segmented, not how
LONGEST = 28  # characters of a cell
TITLES = {"j_and_f": "J&F", "j": "J", "f": "F", "iou": "IoU with the reference"}


def title(name: str) -> str:
    """A column's name for people."""
    return TITLES.get(name, name)


def shorten(text: str) -> str:
    """At most LONGEST characters; of a path the end is kept, which tells more."""
    if len(text) <= LONGEST:
        return text
    return f"…{text[1 - LONGEST :]}" if "/" in text else f"{text[: LONGEST - 1]}…"


def label_runs(table: Table, video: bool = True) -> list[str]:
    """What distinguishes each run, such as "nano · fp32 · stride 5"; with its name in front where labels are equal.

    Without ``video`` a label leaves out the video, so that the runs of one configuration on several videos share it.
    """
    columns = [column for column in table.columns if column.about == "config" and not column.extra]
    columns = [column for column in columns if video or column.name not in PER_VIDEO]
    labels = [
        " · ".join(_part(column, value) for column in columns if (value := cells[column.name]) is not None)
        for cells in table.rows
    ]
    if not video:
        return labels
    twins = {label for label in labels if not label or labels.count(label) > 1}
    return [
        " · ".join(filter(None, (run.name, label))) if label in twins else label
        for run, label in zip(table.runs, labels, strict=True)
    ]


def _part(column: Column, value: str | int | float | bool) -> str:
    """A word is clear by itself, of a video its file's name; a number needs its key."""
    if column.name == "video":
        return str(value).rstrip("/").rpartition("/")[2]
    text = column.show(value)
    return text if isinstance(value, str) and not text[:1].isdigit() else f"{column.name.rpartition('.')[2]} {text}"
