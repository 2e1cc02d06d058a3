"""What corrections do to a model's masks: SAM 2's offline interactive protocol, on videos with ground truth.

    python -m benchmarks.interactive --data FOLDER [--videos camel,dog] [--clicks 1,3] [--rounds 3] [KEY=VALUE ...]
    python -m benchmarks.interactive --data sample model=tiny model.image_size=512

Ravi et al., SAM 2 (2024), section 6.1 and appendix: the first prompt is in the middle of the object on its first
annotated frame. In every round the frame with the lowest IoU of all gets clicks, one after the other: each in the
middle of the largest error of that frame as it is by then, positive where the object is missed and negative where
something else is taken. Then the whole video is tracked again. The middle of an area is the pixel that is furthest
from its edge. With propagate=both the first click is on the middle annotated frame, and corrections come after it.

FOLDER has JPEGImages and Annotations, as DAVIS, MOSE and YouTube-VOS; or videos, those of strangers.json, whose objects
have four or five annotated frames; ``sample`` is the built-in clip. KEY=VALUE are keys of the model, as ``python -m
vidseg`` has them (default: model=nano). All objects of a video are tracked together, and each has clicks of its own.

Prints J by round (mean over annotated frames, then over objects), the share of corrective clicks that are obeyed after
the round (the clicked pixel is as the click says), the IoU of the corrected frame before and after, and what became of
the other frames that were right (IoU above 0.9). Writes benchmarks/results/interactive_<machine>.json, a row a setting.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.machine import machine, result_path, save_result
from benchmarks.strangers import drawn, innermost
from vidseg.config.overrides import compose_config
from vidseg.contract import build
from vidseg.measure import iou
from vidseg.model.sam2.segmenter import SAM2
from vidseg.record.object_maps import open_annotations
from vidseg.types import Mask, Prompt, Source
from vidseg.video import open_source

RIGHT = 0.9  # IoU of a frame above which a correction elsewhere should change nothing
Click = tuple[int, int, int]
"""x, y, and 1 on the object or 0 off it."""


@dataclass
class Subject:
    """An object: its true masks by frame number, its clicks by frame, and what became of it in every round."""

    truth: Mapping[int, Mask]
    clicks: dict[int, list[Click]] = field(default_factory=lambda: defaultdict(list))
    ious: list[dict[int, float]] = field(default_factory=list)

    @property
    def j(self) -> list[float]:
        """The mean IoU after every round, from that of the first click."""
        return [float(np.mean([*each.values()])) for each in self.ious]

    def worst(self) -> int:
        """The annotated frame with the lowest IoU, from the first click on."""
        return min(filter(self.may_correct, self.ious[-1]), key=lambda frame: self.ious[-1][frame])

    def may_correct(self, frame: int) -> bool:
        """Whether a click there is a correction: before the first one it would be the first."""
        return frame >= min(self.clicks)


@dataclass
class Tally:
    """What became of corrections, over all objects."""

    obeyed: dict[int, list[bool]] = field(default_factory=lambda: {1: [], 0: []})
    before: list[float] = field(default_factory=list)
    after: list[float] = field(default_factory=list)
    of_right: list[float] = field(default_factory=list)  # change of the IoU of other frames that were right


def middle(area_hw: Mask) -> tuple[int, int]:
    """The pixel (x, y) of an area that is furthest from its edge; the picture's own edges count."""
    x, y = innermost(area_hw)
    return x, y


def next_click(mask_hw: Mask, truth_hw: Mask) -> Click | None:
    """In the middle of the largest error (8-connected); None if there is none."""
    largest, found = 0, None
    for label, error_hw in ((1, truth_hw & ~mask_hw), (0, mask_hw & ~truth_hw)):
        _, areas_hw, stats, _ = cv2.connectedComponentsWithStats(error_hw.astype(np.uint8), connectivity=8)
        for number, area in enumerate(stats[1:, cv2.CC_STAT_AREA].tolist(), start=1):
            if area > largest:
                largest, found = area, (areas_hw == number, label)
    return None if found is None else (*middle(found[0]), found[1])


def prompts_of(subjects: Mapping[int, Subject]) -> list[Prompt]:
    """The clicks of all objects, one prompt a frame and object, as a prompt file has them."""
    return [
        Prompt(
            frame,
            number,
            np.array([click[:2] for click in clicks], np.float32),
            np.array([click[2] for click in clicks], np.int32),
        )
        for number, subject in subjects.items()
        for frame, clicks in subject.clicks.items()
    ]


def tracked(segmenter: SAM2, source: Source, subjects: Mapping[int, Subject]) -> Generator[tuple[int, dict[int, Mask]]]:
    """Frame by frame the masks of all objects by id."""
    with closing(segmenter.track(source, prompts_of(subjects))) as pairs:
        for frame, masks in pairs:
            yield frame.index, dict(zip(masks.object_ids, masks.masks_nhw, strict=True))


def masks_at(segmenter: SAM2, source: Source, subjects: Mapping[int, Subject], index: int) -> dict[int, Mask]:
    """The masks of one frame, after tracking to it."""
    with closing(tracked(segmenter, source, subjects)) as frames:
        return next(masks for frame, masks in frames if frame == index)


def play(segmenter: SAM2, source: Source, subjects: Mapping[int, Subject]) -> dict[int, dict[int, Mask]]:
    """Tracks the whole video; notes all IoUs, and returns the masks of the corrected and of the worst frames."""
    kept: dict[int, dict[int, Mask]] = defaultdict(dict)
    for subject in subjects.values():
        subject.ious.append({})
    worst: dict[int, tuple[float, int]] = {}
    for frame, masks in tracked(segmenter, source, subjects):
        for number, subject in subjects.items():
            if (truth_hw := subject.truth.get(frame)) is None:
                continue
            score = subject.ious[-1][frame] = iou(masks[number], truth_hw)
            if frame in subject.clicks:
                kept[number][frame] = masks[number].copy()
            elif subject.may_correct(frame) and score < worst.get(number, (2.0, 0))[0]:
                if number in worst:
                    del kept[number][worst[number][1]]
                worst[number] = score, frame
                kept[number][frame] = masks[number].copy()
    return kept


def interact(segmenter: SAM2, source: Source, subjects: Mapping[int, Subject], per_round: int, rounds: int,
             tally: Tally, both: bool = False) -> None:  # fmt: skip
    """The first click of every object, and then all rounds."""
    for subject in subjects.values():
        there = sorted(frame for frame, truth_hw in subject.truth.items() if truth_hw.any())
        first = there[len(there) // 2 if both else 0]
        subject.clicks[first] = [(*middle(subject.truth[first]), 1)]
    kept = play(segmenter, source, subjects)
    for _ in range(rounds):
        told: dict[int, list[tuple[int, Click]]] = {}
        for number, subject in subjects.items():
            frame = subject.worst()
            mask_hw, told[number] = kept[number][frame], []
            for nth in range(per_round):
                if nth:
                    mask_hw = masks_at(segmenter, source, subjects, frame)[number]
                if (click := next_click(mask_hw, subject.truth[frame])) is None:
                    break
                subject.clicks[frame].append(click)
                told[number].append((frame, click))
        kept = play(segmenter, source, subjects)
        for number, clicks in told.items():
            _count(tally, subjects[number], clicks, kept[number])


def _count(tally: Tally, subject: Subject, told: list[tuple[int, Click]], kept: Mapping[int, Mask]) -> None:
    before, after = subject.ious[-2:]
    corrected = {frame for frame, _ in told}
    for frame, (x, y, label) in told:
        tally.obeyed[label].append(bool(kept[frame][y, x]) == bool(label))
        if not tally.obeyed[label][-1]:
            print(f"frame {frame}: the {'positive' if label else 'negative'} click at ({x}, {y}) isn't obeyed")
    tally.before += [before[frame] for frame in corrected]
    tally.after += [after[frame] for frame in corrected]
    tally.of_right += [after[frame] - was for frame, was in before.items() if was > RIGHT and frame not in corrected]


def subjects_of(source: Source, annotations: Path | None) -> dict[int, Subject]:
    """The objects of a video by id; on an annotated frame that doesn't show one its mask is empty."""
    frames: dict[int, dict[int, Mask]] = {}
    maps = None if annotations is None else open_annotations(annotations, "--data")
    for index in source.frames:
        if maps is None:
            labels_hw = source.truth(index)
            assert labels_hw is not None
            frames[index] = {int(number): labels_hw == number for number in np.unique(labels_hw) if 0 < number < 255}
        elif maps.has(index, source.info):
            frames[index] = maps.objects(index, source.info)
    absent_hw = np.zeros((source.info.height, source.info.width), np.bool_)
    numbers = sorted({number for found in frames.values() for number in found})
    return {n: Subject({index: found.get(n, absent_hw) for index, found in frames.items()}) for n in numbers}


def videos(data: str, chosen: list[str] | None, step: int) -> Iterator[tuple[str, Source, dict[int, Subject]]]:
    """Name, frames and objects of every video, or of those ``chosen``."""
    root = Path(data)
    if data == "sample":
        source = open_source(data, step=step)
        yield data, source, subjects_of(source, None)
    elif (root / "JPEGImages").is_dir():
        for folder in sorted((root / "JPEGImages").glob("480p/*") or (root / "JPEGImages").iterdir()):
            if chosen is None or folder.name in chosen:
                source = open_source(folder, step=step)
                annotations = root / "Annotations" / folder.relative_to(root / "JPEGImages")
                yield folder.name, source, subjects_of(source, annotations)
    else:
        for name, stranger in drawn(root / "videos").items():
            if chosen is None or name in chosen:
                truth = {frame: mask_hw for frame, mask_hw in stranger.truth.items() if frame % step == 0}
                source = open_source(stranger.video, stop=max(truth) + 1, step=step)
                yield name, source, {1: Subject(truth)}


def summary(subjects: Mapping[str, Subject], tally: Tally) -> dict[str, Any]:
    """The figures of one setting."""
    kinds = {"positive": tally.obeyed[1], "negative": tally.obeyed[0], "all": tally.obeyed[1] + tally.obeyed[0]}
    change = np.array(tally.of_right)
    return {
        "j": np.mean([subject.j for subject in subjects.values()], 0).round(4).tolist(),
        "clicks": {kind: len(obeyed) for kind, obeyed in kinds.items()},
        "obeyed": {kind: round(float(np.mean(obeyed)), 4) for kind, obeyed in kinds.items() if obeyed},
        "corrected_frame": [round(float(np.mean(ious)), 4) for ious in (tally.before, tally.after)],
        "right_before": {
            "frames": len(change),
            "mean_change": round(float(change.mean()), 4) if len(change) else None,
            "lost_more_than_0.02": int((change < -0.02).sum()),
        },
        "objects": {name: np.round(subject.j, 4).tolist() for name, subject in subjects.items()},
    }


def main() -> None:
    """Plays all videos, once for every number of clicks a round."""
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("overrides", nargs="*", metavar="KEY=VALUE")
    cli.add_argument("--data", default="sample", metavar="FOLDER", help="what has ground truth (default: sample)")
    cli.add_argument("--videos", metavar="NAME,...", help="these of them only")
    cli.add_argument("--clicks", default="1", metavar="N,...", help="clicks a round (default: 1)")
    cli.add_argument("--rounds", type=int, default=3, help="of corrections (default: 3)")
    cli.add_argument("--step", type=int, default=1, help="take every so manyth frame (default: 1)")
    args = cli.parse_args()
    overrides = [*([] if any(key.startswith("model=") for key in args.overrides) else ["model=nano"]), *args.overrides]
    segmenter: SAM2 = build(compose_config(overrides, None)[0], "model")
    rows: dict[str, Any] = {}
    for per_round in map(int, args.clicks.split(",")):
        done, tally = dict[str, Subject](), Tally()
        for name, source, subjects in videos(args.data, args.videos and args.videos.split(","), args.step):
            interact(segmenter, source, subjects, per_round, args.rounds, tally, "propagate=both" in overrides)
            for number, subject in subjects.items():
                done[f"{name} {number}"] = subject
                print(f"{name:20}{number:3}  {'  '.join(f'{j:.3f}' for j in subject.j)}", flush=True)
        row = summary(done, tally)
        print(json.dumps({key: value for key, value in row.items() if key != "objects"}, indent=1), flush=True)
        which = [Path(args.data).name, *([args.videos] if args.videos else []), f"every {args.step}. frame"]
        rows["; ".join([" ".join(overrides), *which, f"{per_round} clicks a round"])] = row
    path = result_path("interactive", machine())
    earlier = json.loads(path.read_text())["rows"] if path.is_file() else {}
    print(save_result("interactive", {"rows": {**earlier, **rows}}))


if __name__ == "__main__":
    main()
