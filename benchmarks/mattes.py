"""What mattes cost and how near they come to true alpha: `make bench-mattes`.

    python -m benchmarks.mattes [--frames 60] [--mattes none,edge] [--rounds 3]

Frames of the built-in clip, with its exact alpha, sharp and with a shutter of 180 degrees; from the clip's true masks
and from nano's. Prints the scores of ``metric=[matting]`` and milliseconds a frame of 1280x720: of the wall clock with
two threads of OpenCV, and of the processor. A matte's milliseconds are its own, those of the foreground's colours among
them; of the rounds the fastest counts, as other work only adds to it. Writes benchmarks/results/mattes_<machine>.json.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import vidseg
from benchmarks.machine import label, machine, median, save_result
from vidseg.config.overrides import compose_config
from vidseg.contract import build
from vidseg.metric.matting import Matting
from vidseg.record.masks import open_masks
from vidseg.sample import SampleSource
from vidseg.types import Frame, FrameMasks, Matte

FIRST = 60  # the frame from which on the other skater comes and passes
SHUTTERS = {"sharp": 0.0, "shutter 0.5": 0.5}
SCORES = ("mse", "sad", "gradient", "connectivity", "dtssd", "alpha_flicker")


def make_matte(words: str) -> Matte | None:
    """A matte by its name and keys, as "edge width=6"; None if it does nothing."""
    name, *keys = words.split()
    config, _ = compose_config([f"matte={name}", *(f"matte.{key}" for key in keys)])
    matte = build(config, "matte")
    chosen: Matte | None = matte.for_outputs(True)
    return chosen


def true_masks(source: SampleSource) -> Iterator[FrameMasks]:
    """The masks of the skater, as the clip has them."""
    for index in source.frames:
        yield FrameMasks(index, (1,), np.where(source.truth(index) == 1, 10, -10).astype(np.float32)[None])


def found_masks(source: SampleSource, folder: Path) -> Iterator[FrameMasks]:
    """nano's masks from the clip's click, with what is recorded of its edges."""
    keys = [f"sample.shutter={source.shutter}", f"extract.start={source.frames[0]}"]
    keys += [f"extract.stop={source.frames[-1] + 1}", "output=[]", "metric=[]", "tracker=none", "stride=1000"]
    record = open_masks(str(vidseg.run([f"hydra.run.dir={folder}", *keys]).folder), "masks")
    for index in source.frames:
        masks = record.frame_masks(index, source.info)
        assert masks is not None
        yield masks


def measure(source: SampleSource, masks: list[FrameMasks], words: str, rounds: int) -> dict[str, float]:
    """The scores of a matte, and its milliseconds a frame."""
    took: list[list[tuple[float, float]]] = []
    metric = Matting()
    metric.open(source, ())
    for number in range(rounds):
        matte = make_matte(words)
        took.append([])
        for index, given in zip(source.frames, masks, strict=True):
            frame = source[index]
            fresh = FrameMasks(given.frame_index, given.object_ids, given.logits_nhw)
            fresh.recall_edges(given.edges_px)
            took[-1].append(_soften(matte, frame, fresh))
            if number == 0:
                metric.update(frame, fresh)
    wall_ms, core_ms = (median(np.min(np.array(took)[..., n], axis=0).tolist()) for n in (0, 1))
    scores = metric.compute()
    return {"wall_ms": wall_ms, "core_ms": core_ms} | {name: float(f"{scores[name]:.4g}") for name in SCORES}


def _soften(matte: Matte | None, frame: Frame, masks: FrameMasks) -> tuple[float, float]:
    """Gives masks their alpha; milliseconds of the wall clock and of the processor."""
    if matte is None:
        return 0.0, 0.0
    began_s, core_s = time.perf_counter(), time.process_time()
    masks.soften(matte.refine(frame, masks))
    return 1e3 * (time.perf_counter() - began_s), 1e3 * (time.process_time() - core_s)


def main() -> None:
    """Measures all mattes on all masks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--mattes", default="none,edge")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    print(label(machine()))
    cv2.setNumThreads(2)
    found: dict[str, Any] = {}
    for clip, shutter in SHUTTERS.items():
        source = SampleSource(0, range(FIRST, FIRST + args.frames), shutter)
        with tempfile.TemporaryDirectory() as folder:
            given = {"true": list(true_masks(source)), "nano": list(found_masks(source, Path(folder) / "run"))}
        for kind, masks in given.items():
            for words in args.mattes.split(","):
                row = measure(source, masks, words, args.rounds)
                found[f"{clip}, {kind} masks, {words}"] = row
                print(f"{clip}, {kind} masks, {words}:", ", ".join(f"{name} {value:g}" for name, value in row.items()))
    print(save_result("mattes", {"frames": args.frames, "found": found}))


if __name__ == "__main__":
    main()
