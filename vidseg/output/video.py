"""A rendered video, or picture of a photograph. Cutout, overlay and transparency are this one output with another
render function and codec."""

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidseg.colour import in_sdr
from vidseg.composite.deep import picture_of
from vidseg.contract import locate
from vidseg.errors import ContractError, InputError
from vidseg.output.files import write_png
from vidseg.types import Deep, Frame, FrameMasks, Prompt, Source
from vidseg.video.codec import CODECS, check_codec
from vidseg.video.encoder import Encoder, takes_depth
from vidseg.video.ycbcr import Untouched

Render = Callable[..., NDArray[Any]]


class VideoOutput:
    """Encodes what ``render(frame, masks, **options)`` draws of every frame. Of a photograph it is a PNG.

    - ``path``: the file, relative to the run's folder; its suffix chooses the container. A photograph's is .png.
    - ``codec``: a row of vidseg.video.codec.
    - ``quality``: the encoder's own number, smaller is better; None: the codec's default.
    - ``render``: the dotted name of a function, one of vidseg.composite or your own. It returns uint8 (h, w, 3) RGB, or
      (h, w, 4) RGBA for a codec with alpha. If it has a parameter ``deep``, a source with more than 8 bits and a codec
      that keeps them make it True: it is to draw ``frame.deep`` then, and returns uint16. Pixels that it leaves as they
      are keep the codes of the file; if it has a parameter ``background``, only those inside the masks.
    - ``options``: the function's other parameters.

    Raises InputError for a codec or quality that can't be used, and for a function that isn't there.
    """

    def __init__(self, path: str, codec: str, quality: float | None, render: str, **options: Any) -> None:
        self.path = path
        self._codec, self._quality, self._name = codec, quality, render
        function = locate("render", render)
        self._render: Render = partial(function, **options)
        self._alpha = check_codec(codec, path, quality)[0].alpha
        self._can_be_deep, self._covers = _has(function, "deep"), _has(function, "background")
        self.deep = self._can_be_deep and takes_depth(codec, path)
        self.alpha = False  # whether it has an alpha channel, once it is checked
        self._encoder: Encoder | None = None
        self._still: Path | None = None  # the PNG of a photograph

    def check(self, source: Source, prompts: Sequence[Prompt]) -> None:
        """Draws one grey frame of the video's size, on which every prompted object is the middle quarter. Raises
        InputError if the function fails, or returns what can't be encoded."""
        self._suit(source)
        height, width = source.info.height, source.info.width
        ids = tuple(sorted({prompt.object_id for prompt in prompts})) or (1,)  # a replay's objects aren't known yet
        logits_hw = np.full((height, width), -1, np.float32)
        logits_hw[height // 4 : -(height // 4) or None, width // 4 : -(width // 4) or None] = 1
        logits_nhw = np.broadcast_to(logits_hw, (len(ids), height, width))
        grey_hw3, depth = np.full((height, width, 3), 128, np.uint8), source.info.depth
        deep = Deep(grey_hw3.astype(np.uint16) * 257, depth.colour) if self.deep and depth else None
        frame = Frame(source.frames[0], 0.0, grey_hw3, deep)
        try:
            self.alpha = self._picture(frame, FrameMasks(frame.index, ids, logits_nhw)).shape[2] == 4
        except InputError:
            raise
        except TypeError as error:
            raise InputError(f"render: {error}") from error
        except Exception as error:
            raise InputError(f"render: {self._name} fails: {type(error).__name__}: {error}") from error

    def open(self, folder: Path, source: Source) -> None:
        """Starts the encoder, if the source is a video."""
        self._suit(source)
        path, audio = folder / self.path, source.audio
        if source.info.still:
            self._still = path
            return
        end_s = source.time_s(source.frames[-1]) - source.offset_s + float(1 / source.info.fps)
        self._encoder = Encoder(
            path,
            self._codec,
            source.info,
            quality=self._quality,
            audio=audio,
            offset_s=source.offset_s,
            end_s=end_s,
            deep=self.deep and source.info.depth is not None,
        )

    def write(self, frame: Frame, masks: FrameMasks) -> None:
        """Renders one frame and hands it to the encoder's thread, or writes it if it is the photograph."""
        if self._still is not None:
            write_png(self._still, self._picture(in_sdr(frame), masks))
            return
        assert self._encoder is not None
        self._encoder.write(self._picture(frame, masks), frame.time_s, self._untouched(frame, masks))

    def close(self) -> None:
        """Finishes the file under its final name."""
        if self._still is None:
            assert self._encoder is not None
            self._encoder.close()

    def abort(self) -> None:
        """Removes the unfinished file."""
        if self._encoder is not None:
            self._encoder.abort()

    def _suit(self, source: Source) -> None:
        """Makes the path that of a PNG, which has alpha too, if the source is a photograph."""
        if source.info.still:
            self.path, self._alpha, self.deep = str(Path(self.path).with_suffix(".png")), True, self._can_be_deep

    def _untouched(self, frame: Frame, masks: FrameMasks) -> Untouched | None:
        """What pixels that the function leaves as they are keep."""
        if frame.coded is None:
            return None
        picture = picture_of(frame, self._is_deep(frame))
        return Untouched(frame.coded, picture, masks.inside_hw if self._covers else None)

    def _is_deep(self, frame: Frame) -> bool:
        """Whether its picture of more bits is drawn."""
        return self.deep and frame.deep is not None

    def _picture(self, frame: Frame, masks: FrameMasks) -> NDArray[Any]:
        deep = self._is_deep(frame)
        picture = self._render(frame, masks, deep=True) if deep else self._render(frame, masks)
        height, width = frame.rgb_hw3.shape[:2]
        dtype, shape = getattr(picture, "dtype", type(picture).__name__), getattr(picture, "shape", ())
        wanted = np.dtype(np.uint16 if deep else np.uint8)
        if dtype != wanted or shape not in ((height, width, 3), (height, width, 4)):
            raise ContractError(
                f"render: {self._name} returned {dtype} {shape} for frame {frame.index}; "
                f"it must be {wanted} ({height}, {width}, 3), or 4 with alpha"
            )
        if shape[2] == 4 and not self._alpha:
            having = ", ".join(name for name, row in CODECS.items() if row.alpha)
            raise InputError(f"codec: {self._codec} has no alpha, which {self._name} draws; these have: {having}")
        return picture


def _has(function: Callable[..., Any], parameter: str) -> bool:
    try:
        return parameter in inspect.signature(function).parameters
    except ValueError:  # some functions of C have none
        return False
