"""Prompts from the configuration, and the checks of every prompt that need the video.

``click``, ``box``, ``mask``, ``first_mask``, ``file``, ``sample`` and ``replayed`` are the ``_target_`` of one file in
conf/prompt/ each. They take the source and the keys of that file and return prompts. Their InputErrors begin with the
key as the user wrote it, such as ``prompt.points``. Knows nothing about models.
"""

from vidseg.prompt.fit import check
from vidseg.prompt.geometry import box, click
from vidseg.prompt.images import first_mask, mask
from vidseg.prompt.ready import replayed, sample
from vidseg.prompt.several import file

__all__ = ["box", "check", "click", "file", "first_mask", "mask", "replayed", "sample"]
