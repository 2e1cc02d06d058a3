"""Packs the training data for a machine that it has to be carried to: python -m training.pack FOLDER SMALL

SMALL holds what ``data.Library`` keeps of FOLDER, at the size it keeps it at, in the same layout: photographs and
drawings as WebP, the pictures of a DAVIS sequence as one video, every fourth frame of the videos. 184 MB become 46.
"""

import argparse
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np

from training.data import SIDE, WHOLE, Picture, Sequence, at_height, cutout, davis, holding, person, video

_QUALITY = 65  # WebP's
_CRF = "23"


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__)
    cli.add_argument("folder", type=holding(*WHOLE))
    cli.add_argument("small", type=Path)
    args = cli.parse_args()
    for path in sorted((args.folder / "davis/JPEGImages/480p").iterdir()):
        _sequence(davis(args.folder / "davis", path.name, SIDE), args.small / "davis")
    for path in sorted((args.folder / "videos").iterdir()):
        _video((at_height(frame, SIDE) for frame in islice(video(path), 0, None, 4)), args.small / "videos" / path.name)
    packed: list[Future[None]] = []
    with ThreadPoolExecutor() as pool:
        for path in sorted((args.folder / "ccp/images").iterdir()):
            packed.append(pool.submit(_person, path, args.small / "ccp"))
        for kind in ("emoji", "clipart"):
            for path in sorted((args.folder / kind).rglob("*.*")):
                to = args.small / path.relative_to(args.folder).with_suffix(".webp")
                packed.append(pool.submit(_cutout, path, to))
        for each in packed:
            each.result()


def _sequence(sequence: Sequence, to: Path) -> None:
    _video(sequence.frames, to / "JPEGImages/480p" / f"{sequence.name}.mp4")
    for k, mask in enumerate(sequence.masks):
        _mask(mask, to / "Annotations/480p" / sequence.name / f"{k:05d}.png")


def _video(frames: Iterable[Picture], to: Path) -> None:
    even = [frame[:, : frame.shape[1] // 2 * 2] for frame in frames]
    to.parent.mkdir(parents=True, exist_ok=True)
    with av.open(to, "w") as file:
        stream = file.add_stream("libx264", 24, options={"crf": _CRF, "preset": "slow"})
        stream.height, stream.width = even[0].shape[:2]
        for frame in even:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame))))
        file.mux(stream.encode())


def _person(path: Path, to: Path) -> None:
    image, mask = person(path)
    _picture(cv2.cvtColor(image, cv2.COLOR_RGB2BGR), to / "images" / f"{path.stem}.webp")
    _mask(mask, to / "labels" / f"{path.stem}.png")


def _cutout(path: Path, to: Path) -> None:
    """What the library leaves out isn't packed."""
    for image, mask in cutout(path):
        _picture(cv2.merge([*cv2.split(cv2.cvtColor(image, cv2.COLOR_RGB2BGR)), 255 * mask]), to)


def _picture(image: Picture, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(to), image, [cv2.IMWRITE_WEBP_QUALITY, _QUALITY])


def _mask(mask: Picture, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(to), 255 * mask, [cv2.IMWRITE_PNG_BILEVEL, 1, cv2.IMWRITE_PNG_COMPRESSION, 9])


if __name__ == "__main__":
    main()
