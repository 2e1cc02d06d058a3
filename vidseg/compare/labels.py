"""What runs and columns are called where people read them."""

from vidseg.compare.columns import Column, Table

PER_VIDEO = ("video", "sample.seed")  # the keys that say what was segmented, not how
LONGEST = 28
TITLES = {
    "j_and_f": "J&F",
    "j": "J",
    "f": "F",
    "iou": "IoU with the reference",
}


def title(name: str) -> str:
    """A column's name for people."""
    return TITLES.get(name, name)


def shorten(text: str) -> str:
    """At most LONGEST characters; of a path the end, which tells more."""
    if len(text) <= LONGEST:
        return text
    return f"…{text[1 - LONGEST :]}" if "/" in text else f"{text[: LONGEST - 1]}…"


def label_runs(table: Table, video: bool = True) -> list[str]:
    """What tells each run from the others, such as "nano · fp32 · stride 5"; its name where nothing does.

    Without ``video`` the label says what ran and not on what, so that runs on several videos share one.
    """
    columns = [column for column in table.columns if column.about == "config" and not column.extra]
    columns = [column for column in columns if video or column.name not in PER_VIDEO]
    labels = []
    for cells in table.rows:
        parts = [_part(column, cells[column.name]) for column in columns if cells[column.name] is not None]
        labels.append(" · ".join(parts))
    if not video:
        return labels
    twins = {label for label in labels if not label or labels.count(label) > 1}
    return [
        " · ".join(filter(None, (run.name, label))) if label in twins else label
        for run, label in zip(table.runs, labels, strict=True)
    ]


def _part(column: Column, value: object) -> str:
    """A word speaks for itself; a number needs its key."""
    text = column.show(value if isinstance(value, str | int | float | bool) else str(value))
    words = isinstance(value, str) and not text[:1].isdigit()
    if column.name == "video":
        text = text.rstrip("/").rpartition("/")[2]
    return text if words or column.name == "video" else f"{column.name.rpartition('.')[2]} {text}"
