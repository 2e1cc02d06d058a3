"""Memory while objects join: `make bench-joins`.

    python -m benchmarks.joins [--frames 2000] [--image-size 128]

SAM 2 (random weights) follows four squares from the first frame on, and a finder adds four more, one by one, in the
first third of the clip. Prints what the process holds (VmRSS, so Linux only) along the clip, and by how much its
peak in the last third after all have joined exceeds that in the first third.
"""

import argparse
import logging
import time
from collections.abc import Sequence

import numpy as np

from benchmarks.clip import CONFIGS, click, precision_config
from benchmarks.memory import Drawn
from vidseg.meter import rss_mib
from vidseg.types import Frame, FrameMasks, Prompt

_TOLD, _FOUND = 4, 4
_SETTLED = 50  # frames after the last object: its memories are as many as they get, and the allocator has what it needs


class Adding:
    """A finder that finds one object on each of ``frames``, with a click in the middle of a square."""

    def __init__(self, frames: Sequence[int], source: Drawn) -> None:
        self.prompts: list[Prompt] = []
        self._frames, self._source = frames, source

    def due(self, frame_index: int) -> bool:
        """Whether it is one of the frames."""
        return frame_index in self._frames

    def find(self, frame: Frame, masks: FrameMasks) -> Sequence[Prompt]:
        """A click, for an object with the next number."""
        x = 20 + frame.index % (self._source.info.width - 40)
        y = self._source.info.height * (2 * len(self.prompts) + 1) / (2 * _FOUND)
        self.prompts.append(click(frame.index, 1 + max(masks.object_ids), x, y))
        return self.prompts[-1:]

    def state(self) -> str:
        """How many were found."""
        return str(len(self.prompts))

    def restore(self, state: str) -> None:
        """Forgets those found since."""
        del self.prompts[int(state) :]


def main() -> None:
    """Goes through the clip once."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=2000, help="length of the clip (default: 2000)")
    parser.add_argument("--image-size", type=int, default=128, help="side of the model's input (default: 128)")
    args = parser.parse_args()
    logging.disable(logging.WARNING)
    from vidseg.model.build import sam2

    model = sam2(CONFIGS["tiny"], "random", "cpu", precision_config("fp32"), seed=0, image_size=args.image_size)
    source = Drawn(args.frames, objects=_TOLD)
    joins = np.linspace(0, args.frames // 3, _FOUND + 1, dtype=int)[1:].tolist()
    settled = joins[-1] + _SETTLED
    held: list[float] = []
    began = time.perf_counter()
    print(f"{'frame':>6} {'objects':>7} {'RSS MiB':>8}")
    for frame, masks in model.track(source, source.prompts, finder=Adding(joins, source)):
        if frame.index >= settled:
            held.append(rss_mib())
        if frame.index % (args.frames // 10) == 0 or frame.index == args.frames - 1:
            print(f"{frame.index:>6} {len(masks.object_ids):>7} {rss_mib():>8.1f}", flush=True)
    third = len(held) // 3
    growth = max(held[-third:]) - max(held[:third])
    print(f"{growth:+.1f} MiB from frames {settled} to {settled + third} to the last {third}; ", end="")
    print(f"{args.frames / (time.perf_counter() - began):.1f} frames a second")


if __name__ == "__main__":
    main()
