"""The packages that detectors come from: extras of vidseg, imported when a detector is made and never before."""

import warnings
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

from vidseg.errors import InputError
from vidseg.paths import find_home


def load(name: str, extra: str) -> Any:
    """The module ``name``, of the extra ``extra`` of vidseg.

    Raises InputError if it, or a package that it needs, isn't installed, and if torchvision, which these packages
    import where it is there, is a build for another torch: then it fails with "operator torchvision::nms does not
    exist", or with anything, once it has failed before.
    """
    find_home()
    if find_spec(name.partition(".")[0]) is None:
        raise InputError(f"_target_: it needs {name}, which isn't installed: pip install 'vidseg[{extra}]'")
    if find_spec("torchvision") is not None:
        try:
            _imported("torchvision")
        except Exception as error:
            raise InputError(f"_target_: {_misfit(error)}") from error
    try:
        return _imported(name)
    except ImportError as error:
        raise InputError(
            f"_target_: importing {name} fails: {error} (pip install 'vidseg[{extra}]' installs what it needs)"
        ) from error


def _imported(name: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # theirs about each other: nothing that a user of vidseg could mend
        return import_module(name)


def _misfit(error: Exception) -> str:
    """Which torch and torchvision don't fit each other, and the remedy."""
    import torch

    index = "" if torch.version.cuda else " --index-url https://download.pytorch.org/whl/cpu"
    first = (str(error).splitlines() or [""])[0]
    return (
        f"torch {torch.__version__} ({'CUDA' if torch.version.cuda else 'CPU'} build) and torchvision "
        f"{version('torchvision')} don't fit each other ({first}): "
        f"pip install --force-reinstall torch torchvision{index}"
    )
