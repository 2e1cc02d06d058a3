"""Compares finished runs: a table, a CSV and a page. Reads run folders; knows nothing about how runs are made.

``vidseg.compare([FOLDER, …], reference=None, sort=None)`` is the table in Python, a list of dicts that a notebook shows
and that has ``to_pandas()``. ``python -m vidseg.compare`` is the command.
"""

import sys
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vidseg.compare.listing import Comparison, Where


class _Callable(ModuleType):
    """This package: a package, for ``python -m vidseg.compare``, and the function of the same name."""

    def __call__(
        self, runs: "Where | Iterable[Where]", reference: "Where | None" = None, sort: str | None = None
    ) -> "Comparison":
        """See ``vidseg.compare.listing.compare``."""
        from vidseg.compare.listing import compare

        return compare(runs, reference, sort)


sys.modules[__name__].__class__ = _Callable
