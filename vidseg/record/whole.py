"""Files that are there whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path``, to write to. It is renamed to ``path`` if the block ends without an error."""
    part = path.with_name(f".{path.name}.part")
    yield part
    part.replace(path)
