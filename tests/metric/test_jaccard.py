"""J against ground truth: DAVIS' definition, void pixels, objects that the truth doesn't know."""

from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from vidseg.errors import InputError
from vidseg.metric.jaccard import Jaccard, jaccard
from vidseg.types import Frame, FrameMasks, Prompt, VideoInfo

BOX = np.s_[2:6, 2:8]


def frame_masks(index, **boxes):
    """FrameMasks of 10x12 with a filled box for each object, given as o1=slices."""
    ids = tuple(int(name[1:]) for name in sorted(boxes))
    logits = np.full((len(ids), 10, 12), -1, np.float32)
    for row, object_id in enumerate(ids):
        if boxes[f"o{object_id}"] is not None:
            logits[row][boxes[f"o{object_id}"]] = 1
    return Frame(index, 0.0, np.zeros((10, 12, 3), np.uint8)), FrameMasks(index, ids, logits)


def source(truth):
    info = VideoInfo(12, 10, Fraction(24), 3, Fraction(1, 24))
    return SimpleNamespace(info=info, truth=truth, frames=range(3))


def labels(value=1, box=BOX):
    image = np.zeros((10, 12), np.uint8)
    image[box] = value
    return image


def test_intersection_over_union():
    one, two = labels()[:, :] > 0, labels(box=np.s_[4:8, 2:8]) > 0
    assert jaccard(one, two) == pytest.approx(12 / 36)
    assert jaccard(one, one) == 1
    assert jaccard(~one & one, ~one & one) == 1  # two empty masks agree
    assert jaccard(one, ~one & one) == 0


def test_mean_over_frames_from_the_first_prompt_on():
    metric = Jaccard()
    metric.open(source(lambda index: labels()), [Prompt(1, 1)])
    metric.update(*frame_masks(0, o1=None))  # before the prompt: not scored
    metric.update(*frame_masks(1, o1=BOX))
    metric.update(*frame_masks(2, o1=np.s_[4:8, 2:8]))
    assert metric.compute() == pytest.approx({"j": (1 + 1 / 3) / 2, "j_1": (1 + 1 / 3) / 2})


def test_objects_are_matched_by_id_and_strangers_are_named(caplog):
    metric = Jaccard()
    truth = labels() + labels(2, np.s_[8:10, 0:3])
    metric.open(source(lambda index: truth), [Prompt(0, 1), Prompt(0, 2), Prompt(0, 5)])
    metric.update(*frame_masks(0, o1=BOX, o2=np.s_[8:10, 0:6], o5=BOX))
    assert metric.compute() == pytest.approx({"j": 1, "j_1": 1, "j_2": 0.5})
    assert "no object 5" in caplog.text


def test_no_truth_no_scores():
    metric = Jaccard()
    metric.open(source(lambda index: None), [Prompt(0, 1)])
    metric.update(*frame_masks(0, o1=BOX))
    assert metric.compute() == {}


def test_a_folder_of_davis_annotations(tmp_path):
    Image.fromarray(labels(255)).save(tmp_path / "00000.png")  # DAVIS-2016's single object
    both = labels(1) + labels(255, np.s_[8:10, 0:12])  # void beside an object
    Image.fromarray(both).save(tmp_path / "00002.png")
    metric = Jaccard(str(tmp_path))
    metric.open(source(lambda index: None), [Prompt(0, 1)])
    metric.update(*frame_masks(0, o1=BOX))
    metric.update(*frame_masks(1, o1=None))  # no annotation of this frame
    metric.update(*frame_masks(2, o1=BOX))
    assert metric.compute() == {"j": 1, "j_1": 1}


def test_truth_that_can_not_be(tmp_path):
    with pytest.raises(InputError, match=r"metric\.jaccard\.truth: no such folder"):
        Jaccard(str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match="holds no label maps"):
        Jaccard(str(tmp_path))
    Image.fromarray(np.ones((4, 4), np.uint8)).save(tmp_path / "00000.png")
    metric = Jaccard(str(tmp_path))
    metric.open(source(lambda index: None), [Prompt(0, 1)])
    with pytest.raises(InputError, match="frame 0 is 4x4, the video is 12x10"):
        metric.update(*frame_masks(0, o1=BOX))
