"""Videos in and out: readers of files and folders, the encoder, and the sound. Everything that knows PyAV is here.

Knows nothing about masks, models or the run. Importing the package imports none of it.
"""

from pathlib import Path

from vidseg.errors import InputError
from vidseg.paths import meant
from vidseg.types import Source


def open_source(
    video: str | Path,
    start: int | str | None = None,
    stop: int | str | None = None,
    step: int = 1,
    fps: float | None = None,
    seed: int = 0,
    scale: float | None = None,
    height: int | None = None,
    deinterlace: str | None = "auto",
    shutter: float = 0.0,
) -> Source:
    """The source that ``video`` names: a file, a folder of images, a photograph, or ``sample``, the built-in clip.

    - ``start``, ``stop`` (exclusive): a frame number of the source, or seconds as "2.5s"; every ``step``-th frame
      between them is taken.
    - ``fps``: frames a second, for folders only.
    - ``seed``, ``shutter``: of the built-in clip; see ``vidseg.sample.SampleSource``.
    - ``scale``: width and height of the frames are those of the source times this; or ``height`` is their height.
    - ``deinterlace``: "auto" makes interlaced video files whole with FFmpeg's bwdif; None leaves them.

    Raises InputError, naming the key ``video`` or ``extract.*``, for what can't be opened.
    """
    source = _opened(str(video), start, stop, step, fps, seed, deinterlace, shutter)
    return resized(source, scale, height)


def resized(source: Source, scale: float | None, height: int | None) -> Source:
    """The source with frames of the size that ``open_source`` describes; itself if both are None."""
    if scale is None and height is None:
        return source
    from vidseg.video.scaled import Scaled, scaled_size

    size = scaled_size(source.info, scale, height)
    return source if size is None else Scaled(source, size)


def _opened(
    video: str,
    start: int | str | None,
    stop: int | str | None,
    step: int,
    fps: float | None,
    seed: int,
    deinterlace: str | None,
    shutter: float,
) -> Source:
    from vidseg.video.files import check_value
    from vidseg.video.interlace import check_deinterlace

    check_value(video)
    check_deinterlace(deinterlace)  # of files only, but a mistake is one with every video
    path = meant(video)
    if video != "sample" and path.is_dir():
        from vidseg.video.folder import FolderSource

        return FolderSource(path, fps, start, stop, step)
    if fps is not None:
        raise InputError(f"extract.fps: {fps} is for folders of images; {video} has its own rate. Leave it out.")
    if video == "sample":
        from vidseg.sample.drawing import FPS, NUM_FRAMES
        from vidseg.sample.source import SampleSource
        from vidseg.video.window import frame_window

        window = frame_window([i / FPS for i in range(NUM_FRAMES)], start, stop, step)
        return SampleSource(seed, window, shutter)
    from vidseg.video.photo import PhotoSource, is_photo

    if is_photo(path):
        return PhotoSource(path, start, stop, step)
    from vidseg.video.reader import FileSource

    return FileSource(path, start, stop, step, deinterlace)
