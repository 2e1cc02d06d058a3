"""Benchmarks' annotations as prompts and as ground truth: late objects, frames without one, a folder an object."""

import json

import numpy as np
import pytest
from conftest import run_command
from PIL import Image

from vidseg.errors import InputError
from vidseg.metric.davis_jf import DavisJF
from vidseg.prompt.annotated import annotations
from vidseg.record.masks import open_masks
from vidseg.types import FrameMasks
from vidseg.video import open_source

FRAMES = 12
COMES = {1: 0, 3: 4, 2: 8}  # objects by id, and their first frames


def drawn(index):
    """The objects' masks on a frame, by id; 1 and 3 overlap."""
    masks_hw = {}
    for object_id, first in COMES.items():
        masks_hw[object_id] = np.zeros((60, 80), bool)
        if index >= first:
            masks_hw[object_id][8 * object_id : 8 * object_id + 18, 2 * index + 5 : 2 * index + 25] = True
    return masks_hw


def save(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


@pytest.fixture
def video(tmp_path):
    for index in range(FRAMES):
        picture = np.full((60, 80, 3), 40, np.uint8)
        for object_id, mask_hw in drawn(index).items():
            picture[mask_hw] = (70 * object_id, 200, 90)
        save(tmp_path / "frames" / "v" / f"{index:05d}.jpg", picture)
    return open_source(str(tmp_path / "frames" / "v"))


def label_maps(root, frames):
    """As MOSE (every frame) and YouTube-VOS (every fifth) have them."""
    for index in frames:
        labels_hw = np.zeros((60, 80), np.uint8)
        for object_id, mask_hw in drawn(index).items():
            labels_hw[mask_hw] = object_id
        save(root / "v" / f"{index:05d}.png", labels_hw)
    return str(root)


def object_folders(root, frames):
    """As SA-V has them: object 1 in the folder 000."""
    for index in frames:
        for object_id, mask_hw in drawn(index).items():
            save(root / "v" / f"{object_id - 1:03d}" / f"{index:05d}.png", mask_hw.astype(np.uint8) * 255)
    return str(root)


LAYOUTS = [
    (label_maps, range(FRAMES), {1: 0, 3: 4, 2: 8}),
    (label_maps, range(0, FRAMES, 5), {1: 0, 3: 5, 2: 10}),
    (object_folders, range(0, FRAMES, 4), {1: 0, 3: 4, 2: 8}),
]
IDS = ["MOSE", "YouTube-VOS", "SA-V"]


@pytest.mark.parametrize(("make", "frames", "firsts"), LAYOUTS, ids=IDS)
def test_each_object_is_prompted_where_it_is_annotated_first(video, tmp_path, make, frames, firsts):
    root = make(tmp_path / "annotations", frames)
    prompts = annotations(video, root, None)
    assert {prompt.object_id: prompt.frame_index for prompt in prompts} == firsts
    assert {prompt.object_id: prompt.joins for prompt in prompts} == {1: False, 3: True, 2: True}
    if make is object_folders:
        for prompt in prompts:  # whole, where label maps show what is on top
            np.testing.assert_array_equal(prompt.mask_hw, drawn(prompt.frame_index)[prompt.object_id])
    (one,) = annotations(video, root, 3)
    assert (one.object_id, one.joins) == (3, False)


@pytest.mark.parametrize(("make", "frames", "firsts"), LAYOUTS, ids=IDS)
def test_only_annotated_frames_from_an_object_s_first_on_are_scored(video, tmp_path, make, frames, firsts):
    """Masks that are right on annotated frames from then on, and wrong on all others."""
    root = make(tmp_path / "annotations", frames)
    metric = DavisJF(root=root)
    metric.open(video, annotations(video, root, None))
    scored = {1: [], 2: [], 3: []}
    for frame in video:
        truth = open_masks(f"{root}/v", "key").read(frame.index, video.info)[0] if frame.index in frames else None
        masks_nhw = [truth[n] if truth and frame.index >= firsts[n] else np.ones((60, 80), bool) for n in (1, 2, 3)]
        values = metric.update(frame, FrameMasks(frame.index, (1, 2, 3), np.where(masks_nhw, 1, -1).astype(np.float32)))
        for name, value in values.items():
            if name.startswith("j_"):
                assert value == 1
                scored[int(name[2:])].append(frame.index)
    assert scored == {n: [index for index in frames if index >= first] for n, first in firsts.items()}
    assert metric.compute()["j"] == 1


def test_the_frame_on_which_a_late_object_is_prompted_counts_as_in_vos_benchmark(video, tmp_path):
    """Object 3 comes on frame 4 and is half found on later ones: (1 + 6 * 0.5) / 7, without the last frame."""
    root = label_maps(tmp_path / "annotations", range(FRAMES))
    metric = DavisJF(root=root)
    metric.open(video, annotations(video, root, 3))
    for frame in video:
        labels_hw = np.array(Image.open(f"{root}/v/{frame.index:05d}.png"))
        mask_hw = labels_hw == 3
        if frame.index > 4:
            columns = np.flatnonzero(mask_hw.any(0))
            mask_hw[:, columns[len(columns) // 2] :] = False
        metric.update(frame, FrameMasks(frame.index, (3,), np.where(mask_hw, 1, -1).astype(np.float32)[None]))
    assert metric.compute()["j_3"] == pytest.approx((1 + 6 * 0.5) / 7)


@pytest.mark.slow
def test_a_run_from_sa_v_s_folders(video, tmp_path):
    root = object_folders(tmp_path / "annotations", range(0, FRAMES, 4))
    done = run_command(
        tmp_path, "model=nano", f"video={tmp_path / 'frames' / 'v'}", "prompt=annotations", f"prompt.root={root}",
        "metric=[davis_jf]", f"metric.davis_jf.root={root}", "output=[]", "tracker=none", "hydra.run.dir=out",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["objects"] == [1, 2, 3]
    lines = [json.loads(line) for line in (tmp_path / "out" / "masks.jsonl").read_text().splitlines()]
    begins = {
        n: min(line["frame"] for line in lines for o in line["objects"] if o["id"] == n and o["area"]) for n in COMES
    }
    assert begins == COMES
    scores = [json.loads(line) for line in (tmp_path / "out" / "frames.jsonl").read_text().splitlines()]
    assert [line["frame"] for line in scores if "metric/j_1" in line] == [0, 4, 8]
    assert summary["metrics"]["j_1"] == pytest.approx(scores[4]["metric/j_1"]), "neither the first nor the last"
    assert summary["metrics"]["j_1"] > 0.4  # half of the object is covered


@pytest.mark.parametrize(
    ("root", "object", "message"),
    [
        (None, None, "prompt.root: missing; give the folder of the annotations, prompt.root=Annotations"),
        ("nowhere", None, "prompt.root: nowhere has no folder v with the annotations of v"),
        ("maps", 7, "prompt.object: 7 isn't in maps/v; the objects there are [1, 2, 3]"),
        ("empty", None, "prompt.root: empty/v has annotations, and none with an object on an extracted frame"),
        ("twice", None, "prompt.root: twice/v: the folder 0000 is there twice"),
        ("many", None, "prompt.root: many/v: the folder 254 is no object; numbers go from 0 to 253"),
    ],
)
def test_mistakes(video, tmp_path, monkeypatch, root, object, message):
    monkeypatch.chdir(tmp_path)
    label_maps(tmp_path / "maps", range(FRAMES))
    save(tmp_path / "empty" / "v" / "00003.png", np.zeros((60, 80), np.uint8))
    for name in ("twice/v/000", "twice/v/0000", "many/v/254"):
        save(tmp_path / name / "00000.png", np.full((60, 80), 255, np.uint8))
    with pytest.raises(InputError) as error:
        annotations(video, root, object)
    assert str(error.value).startswith(message)
