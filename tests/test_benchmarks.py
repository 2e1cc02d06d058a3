"""The benchmarks time parts of vidseg by name: what they name is there."""

from pkgutil import resolve_name

import pytest

from benchmarks.flops import PARTS


@pytest.mark.parametrize("target", PARTS.values(), ids=PARTS)
def test_parts_that_the_profile_times_exist(target: str) -> None:
    assert callable(resolve_name(target))
