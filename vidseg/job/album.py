"""Whether a folder of images is a video or photographs, each by itself. Knows nothing about how they are segmented."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from omegaconf import DictConfig

from vidseg.errors import InputError
from vidseg.paths import meant
from vidseg.prompt_file import entries
from vidseg.record import earlier

log = logging.getLogger(__name__)

OF_EACH = ("vidseg.prompt.detected.detect", "vidseg.prompt.detected.text")
"""Prompts that are made for each picture anew; all others but a file's are about one picture or a video."""


def find_photos(config: DictConfig, own_prompts: bool) -> dict[str, Path]:
    """The photographs in the folder that ``video`` is, by the names of their folders; none if it is a video.

    ``own_prompts``: the prompts are those of the configuration. Raises InputError, naming the key, for a window or a
    rate of ``extract`` that photographs don't have, and for a prompt file that names other images than there are.
    """
    from vidseg.video.photo import differ, none_read, photos_in, warn_of_unread
    from vidseg.video.window import frame_window

    extract = config.extract
    if extract.photos is False or (extract.photos is None and not (own_prompts and _is_for_each(config))):
        return {}
    folder = meant(str(config.video))
    files = photos_in(folder) if config.video != "sample" and folder.is_dir() else []
    if extract.photos is None and not differ(files):
        return {}
    if not files:
        if folder.is_dir() and (error := none_read(folder)):
            raise error
        raise InputError(
            f"extract.photos: true is for a folder of photographs, and {config.video} is none; leave it out"
        )
    if extract.fps is not None:
        raise InputError(f"extract.fps: {extract.fps}; photographs have no rate: leave it out")
    for key in ("start", "stop"):
        if str(extract[key]).strip().endswith("s"):
            raise InputError(f"extract.{key}: {extract[key]}; photographs have no times: give a number, from 0")
    warn_of_unread(folder)
    if own_prompts:
        _check_images(config, files)
    chosen = [files[at] for at in frame_window(range(len(files)), extract.start, extract.stop, extract.step)]
    why = "" if extract.photos else " (they have several sizes; extract.photos=false takes images as frames)"
    log.info("video: %d photographs, each by itself%s", len(chosen), why)
    return _named(chosen)


def _is_for_each(config: DictConfig) -> bool:
    """Whether the prompts may be about many pictures: detected, or a file's that names images."""
    target = str(config.prompt.get("_target_"))
    if target != "vidseg.prompt.file":
        return target in OF_EACH
    try:
        return any(isinstance(entry, Mapping) and "image" in entry for entry in entries(meant(str(config.prompt.path))))
    except InputError:
        return False  # it is raised again where the file is read


def _check_images(config: DictConfig, files: Sequence[Path]) -> None:
    """Raises InputError if the prompts are a file's that names an image which isn't among the photographs."""
    if str(config.prompt.get("_target_")) != "vidseg.prompt.file" or config.prompt.path is None:
        return
    listed = [entry.get("image") for entry in entries(meant(str(config.prompt.path))) if isinstance(entry, Mapping)]
    names = dict.fromkeys(image for image in listed if isinstance(image, str))
    if missing := [image for image in names if image not in {file.name for file in files}]:
        raise InputError(
            f"prompt.path: {config.prompt.path} names {', '.join(missing[:5])}; "
            f"none of the {len(files)} photographs in {config.video} that are read has that name"
        )


def _named(files: Sequence[Path]) -> dict[str, Path]:
    """The photographs by the names of their folders: without a suffix, unless two have that name or it is taken."""
    counts = Counter(file.stem.casefold() for file in files)
    taken = (*earlier.TAKEN, *earlier.FIXED)
    alone = {file: counts[file.stem.casefold()] == 1 and file.stem not in taken for file in files}
    return {file.stem if alone[file] else file.name: file for file in files}
