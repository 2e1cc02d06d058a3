"""Everything that knows PyAV or where pictures come from: readers, the encoder, the built-in clip.

Knows nothing about masks, models or the run. Importing the package imports none of it.
"""

from pathlib import Path

from vidseg.errors import InputError
from vidseg.types import Source


def open_source(
    video: str,
    start: int | str | None = None,
    stop: int | str | None = None,
    step: int = 1,
    fps: float | None = None,
    seed: int = 0,
) -> Source:
    """The source that ``video`` names: ``sample`` (drawn from ``seed``), a folder of numbered images, or a file.

    ``start`` and ``stop`` (exclusive) are frame numbers of the source, or seconds as "2.5s"; every ``step``-th frame
    is taken. ``fps`` is for folders only. Raises InputError (keys ``video``, ``extract.*``) for what can't be.
    """
    path = Path(video).expanduser()
    if video != "sample" and path.is_dir():
        from vidseg.video.folder import FolderSource

        return FolderSource(path, fps, start, stop, step)
    if fps is not None:
        raise InputError(f"extract.fps: {fps} is for folders of images; {video} has its own rate. Leave it out.")
    if video == "sample":
        return _sample(start, stop, step, seed)
    from vidseg.video.reader import FileSource

    return FileSource(path, start, stop, step)


def _sample(start: int | str | None, stop: int | str | None, step: int, seed: int) -> Source:
    from vidseg.sample import SampleSource
    from vidseg.video.window import frame_window

    whole = SampleSource(seed)
    times_s = [float(i / whole.info.fps) for i in range(len(whole.frames))]
    return SampleSource(seed, frame_window(times_s, start, stop, step))
