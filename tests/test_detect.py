"""Prompts from detectors and from words: what becomes an object, what is left out, what is said and drawn."""

import json
import logging

import numpy as np
import pytest
from conftest import SEARCH_PATH
from detecting import Planted
from mistakes import failed_run
from PIL import Image
from sources import ArraySource

import vidseg
from vidseg.composite import colour
from vidseg.config.overrides import compose_config
from vidseg.config.values import name_groups
from vidseg.contract import build
from vidseg.errors import ContractError, InputError
from vidseg.prompt.detected import one_detector
from vidseg.prompt.looking import LookingAgain, Looks, Wanted, plain
from vidseg.sweep.videos import spread
from vidseg.types import Detections, Frame, FrameMasks, Prompt
from vidseg.video import open_source

pytestmark = [pytest.mark.timeout(60), pytest.mark.usefixtures("own_hydra")]


def given(*overrides, source=None):
    """What prompt=… gives for a grey video of 20 frames, or for ``source``."""
    config, _ = compose_config([SEARCH_PATH, *overrides])
    grey = ArraySource(np.full((20, 100, 200, 3), 60, np.uint8))
    return build(config, "prompt")(grey if source is None else source)


def named(prompts):
    return [(prompt.frame_index, prompt.object_id, prompt.name) for prompt in prompts]


PLANTED = ("prompt=detect", "prompt.detector=planted")


def test_the_skaters_of_the_built_in_clip():
    (only,) = given("prompt=detect", "prompt.classes=[person]", source=open_source("sample"))
    assert (only.frame_index, only.object_id, only.name, only.joins) == (0, 1, "person", False)
    found = given("prompt=detect", "prompt.classes=[person]", "prompt.frame=54", source=open_source("sample"))
    assert named(found) == [(54, 1, "person"), (54, 2, "person")]
    again = given("prompt=detect", "prompt.classes=[person]", "prompt.frame=1.8s", source=open_source("sample"))
    assert named(again) == named(found)
    assert all(prompt.mask_hw is None for prompt in found)


def test_classes_are_those_of_the_prompt_or_of_the_detector_in_their_order():
    assert list(given(*PLANTED).classes) == ["person", "dog", "sports ball"]
    assert list(given(*PLANTED, "prompt.classes=[sports_ball,Dog]").classes) == ["sports ball", "dog"]
    words = ("prompt=text", "prompt.detector=phrases")
    assert list(given(*words, "prompt.text=[red hat,dog]").classes) == ["red hat", "dog"]
    assert list(given("prompt=detect", words[1], "prompt.classes=[red_hat,dog]").classes) == ["red hat", "dog"]


def test_the_surest_first_and_no_more_than_wanted(caplog):
    caplog.set_level(logging.INFO)
    assert named(given(*PLANTED)) == [(0, 1, "person"), (0, 2, "dog")]
    assert named(given(*PLANTED, "prompt.classes=[Dog]")) == [(0, 1, "dog")]
    assert named(given(*PLANTED, "prompt.classes=dog")) == [(0, 1, "dog")]
    assert named(given(*PLANTED, "prompt.max_objects=1")) == [(0, 1, "person")]
    assert named(given(*PLANTED, "prompt.confidence=0.85")) == [(0, 1, "person")]
    said = [record.getMessage() for record in caplog.records]
    assert "frame 0: person 0.90 becomes object 1; dog 0.80 becomes object 2" in said
    assert "frame 0: dog 0.80 becomes object 1; person 0.90 isn't among prompt.classes" in said
    assert "frame 0: person 0.90 becomes object 1; dog 0.80 is beyond prompt.max_objects=1" in said


def test_it_looks_on_until_something_is_there(caplog):
    caplog.set_level(logging.INFO)
    found = given(*PLANTED, "prompt.detector.first=4", "prompt.frame=3", "prompt.classes=[dog,person]")
    assert named(found) == [(7, 1, "person"), (7, 2, "dog")]
    assert "frame 3: no dog or person; looking on until something is found" in caplog.text
    assert [index for index in range(20) if found.finder.due(index)] == []
    again = given(*PLANTED, "prompt.detector.first=4", "prompt.frame=3", "prompt.every=5").finder
    assert looked(again, range(20)) == [12, 17]
    assert looked(looking([]), [0, 2, 8, 12, 18, 20, 22, 30, 38, 42]) == [12, 20, 30, 42], (
        "10 and 40 are damaged and left out"
    )


def test_masks_are_sent_where_there_are_some():
    first, second = given(*PLANTED, "prompt.detector.masks=true", "prompt.send=mask")
    assert first.box_xyxy is None
    assert (int(first.mask_hw.sum()), int(second.mask_hw.sum())) == (40 * 60, 40 * 40)


def test_words():
    words = ("prompt=text", "prompt.detector=phrases", "prompt.text='the red  bicycle. a dog.'")
    assert named(given(*words)) == [(0, 1, "the red bicycle"), (0, 2, "a dog")]
    listed = given("prompt=detect", "prompt.detector=phrases", "prompt.classes=[traffic_light,cat]")
    assert named(listed) == [(0, 1, "traffic light"), (0, 2, "cat")]


def test_yaml_of_a_detector_sees_the_other_keys():
    assert given(*PLANTED, "device=cpu").detector.told_device == "cpu"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ((*PLANTED, "prompt.classes=[persn]"), "prompt.classes: Planted has no class 'persn'; the nearest: person"),
        ((*PLANTED, "prompt.classes=[xylophone]"), "prompt.classes: Planted has no class 'xylophone'; it"),
        (
            (*PLANTED, "prompt.classes=[sports_ball]"),
            "prompt.classes: no sports_ball on the 20 frames of array from 0 on; there are: dog, person\n",
        ),
        ((*PLANTED, "prompt.detector.things=[]"), "prompt.classes: nothing on the 20 frames of array from 0 on\n"),
        ((*PLANTED, "prompt.classes=[]"), "prompt.classes: the list is empty"),
        ((*PLANTED, "prompt.classes=7"), "prompt.classes: 7 is not a list of names"),
        ((*PLANTED, "prompt.frame=1h"), "prompt.frame: '1h' is neither a frame number (100) nor seconds (2.5s)"),
        ((*PLANTED, "prompt.frame=20"), "prompt.frame: 20 is beyond the last extracted frame, 19"),
        ((*PLANTED, "prompt.every=0"), "prompt.every: 0 is not an integer from 1 on"),
        ((*PLANTED, "prompt.iou=2"), "prompt.iou: 2 is not a number from 0 to 1"),
        ((*PLANTED, "prompt.confidence=high"), "prompt.confidence: high is not a number from 0 to 1"),
        ((*PLANTED, "prompt.join_confidence=-1"), "prompt.join_confidence: -1 is not a number from 0 to 1"),
        ((*PLANTED, "prompt.max_objects=0"), "prompt.max_objects: 0 is not an integer from 1 on"),
        ((*PLANTED, "prompt.max_objects=255"), "prompt.max_objects: 255; there are ids for up to 254 objects"),
        ((*PLANTED, "prompt.send=both"), "prompt.send: both is not one of box, mask"),
        ((*PLANTED, "prompt.send=mask"), "prompt.send: Planted makes boxes, not masks; send=box, or another"),
        (("prompt=detect", "prompt.detector.confidence=2"), "prompt.detector.confidence: 2 is not a number"),
        (("prompt=detect", "prompt.detector.size=tall"), "prompt.detector.size: 'tall' is not a whole number"),
        (("prompt=detect", "prompt.detector.checkpoint=nowhere.onnx"), "prompt.detector.checkpoint: nowhere.o"),
        (("prompt=detect", "prompt.detector=null"), "prompt.detector: None is no detector"),
        (("prompt=detect", "prompt.detector=phrases"), "prompt.classes: missing; this detector looks"),
        (("prompt=text", "prompt.detector=phrases"), "prompt.text: missing; say what to look for, a full stop"),
        (("prompt=text", "prompt.detector=phrases", "prompt.text=' . '"), "prompt.text: missing; say what to look for"),
        (("prompt=text", "prompt.detector=phrases", "prompt.text=3"), "prompt.text: 3 is no text; say what"),
        (("prompt=text", "prompt.detector=planted", "prompt.text=dog"), "prompt.text: this detector knows its own"),
        (("prompt.every=15",), "prompt.every: unknown key; it belongs to prompt=detect, text"),
        (("prompt=click", "prompt.detector.size=5"), "prompt.detector: unknown key; it belongs to prompt=detect, text"),
        (("model=nano", "model.min_iou=0.5"), "model.min_iou: unknown key; it belongs to model=mask_rcnn, rf"),
        (("prompt=detect", "prompt.detector=nobody"), "detector: there is no 'nobody'; choose from "),
        (
            ("prompt=click", "prompt.detector=planted"),
            "prompt.detector: this prompt has no detector; those that have one: prompt=detect, prompt=text",
        ),
    ],
)  # fmt: skip
def test_mistakes(overrides, message):
    with pytest.raises(InputError) as raised:
        given(*overrides)
    assert str(raised.value).startswith(message)
    assert len(str(raised.value).splitlines()) <= 2


def live(index, boxes, ids):
    """FrameMasks with a filled box of each object on a picture of 200x100; None is an empty mask."""
    logits = np.full((len(ids), 100, 200), -1, np.float32)
    for row, box in enumerate(boxes):
        if box is not None:
            x0, y0, x1, y1 = box
            logits[row, y0:y1, x0:x1] = 1
    return FrameMasks(index, tuple(ids), logits)


GREY = np.full((100, 200, 3), 60, np.uint8)
FIRST = (Prompt(0, 1, box_xyxy=[0, 0, 40, 80], name="person"), Prompt(0, 3, box_xyxy=[150, 50, 199, 99], name="dog"))


def looking(things, masks=False, classes=None, most=8, send="box", frames=range(0, 100, 2)):
    wanted = Wanted(classes, 0.25, most, send, 0.5)
    return LookingAgain(Planted(things, masks=masks), wanted, 5, frames, FIRST, Looks())


def looked(finder, frames):
    """The frames on which it looks, where it finds nothing."""
    finder._detector.things = []
    return [
        index for index in frames if finder.due(index) and not finder.find(Frame(index, 0, GREY), live(index, [], ()))
    ]


def test_what_nothing_covers_becomes_an_object(caplog):
    caplog.set_level(logging.INFO)
    things = [
        ("person", 0.9, 0, 0, 40, 60),  # IoU 0.75 with the first object
        ("person", 0.85, 5, 5, 25, 20),  # in it
        ("sports ball", 0.8, 5, 5, 25, 20),  # in it, and something else
        ("dog", 0.75, 60, 10, 90, 40),
        ("dog", 0.7, 150, 50, 199, 99),  # where the second object was, which is gone
        ("person", 0.45, 100, 10, 120, 60),
    ]
    finder = looking(things)
    found = finder.find(Frame(10, 0.4, GREY), live(10, [(0, 0, 40, 80), None], (1, 3)))
    assert [(p.object_id, p.name, p.frame_index, p.joins) for p in found] == [
        (4, "sports ball", 10, True), (5, "dog", 10, True), (6, "dog", 10, True),
    ]  # fmt: skip
    assert found[1].box_xyxy.tolist() == [60, 10, 90, 40]
    assert tuple(finder.prompts) == tuple(found)
    assert caplog.messages == [
        "frame 10: sports ball 0.80 becomes object 4; dog 0.75 becomes object 5; dog 0.70 becomes object 6; "
        "person 0.90 is object 1 (IoU 0.75); person 0.85 is a part of object 1 (100% of it); "
        "person 0.45 is under prompt.join_confidence (0.50)"
    ]
    covered = [(0, 0, 40, 80), None, (5, 5, 25, 20), (60, 10, 90, 40), (150, 50, 199, 99)]
    assert finder.find(Frame(20, 0.8, GREY), live(20, covered, (1, 3, 4, 5, 6))) == []
    assert "frame 20: " in caplog.messages[-1], "the dogs are named as covered, once"
    finder.find(Frame(30, 0.8, GREY), live(30, covered, (1, 3, 4, 5, 6)))
    assert "frame 30: " not in caplog.text
    assert list(finder._looks) == [10, 20], "a look that says nothing new is not drawn"


def test_masks_are_compared_where_masks_are_sent():
    finder = looking([("person", 0.9, 0, 0, 40, 40)], masks=True, send="mask")
    apart = FrameMasks(10, (1, 3), np.full((2, 100, 200), -1, np.float32))
    apart.logits_nhw[0, 0, :] = apart.logits_nhw[0, :, 0] = 1  # its bounding box is all of the picture
    (found,) = finder.find(Frame(10, 0.4, GREY), FrameMasks(10, (1, 3), apart.logits_nhw))
    assert found.mask_hw.sum() == 1600
    assert finder.find(Frame(20, 0.4, GREY), live(20, [(0, 0, 40, 30), None], (1, 3))) == []


def test_no_more_looks_once_all_are_there(caplog):
    caplog.set_level(logging.INFO)
    finder = looking([("dog", 0.9, 60, 10, 90, 40), ("dog", 0.8, 100, 10, 130, 40)], most=3)
    (found,) = finder.find(Frame(10, 0.4, GREY), live(10, [None, None], (1, 3)))
    assert found.object_id == 4
    assert not finder.due(20)
    assert "dog 0.80 is beyond prompt.max_objects=3" in caplog.text
    assert caplog.messages[-1] == "prompt.max_objects=3 are there: no more looks"


@pytest.mark.parametrize("send", ["box", "mask"])
def test_it_goes_on_from_its_state(send):
    things = [("dog", 0.9, 60, 10, 90, 40)]
    finder, other = (looking(things, masks=True, send=send) for _ in range(2))
    finder.find(Frame(10, 0.4, GREY), live(10, [None, None], (1, 3)))
    other.restore(finder.state())
    assert list(other.prompts) == list(finder.prompts)
    assert json.loads(finder.state())["prompts"][0]["object"] == 4
    assert (finder.due(18), other.due(18), other.due(20)) == (False, False, True)
    other._detector.things = [("person", 0.9, 100, 10, 130, 40)]
    assert [p.object_id for p in other.find(Frame(20, 0.8, GREY), live(20, [None] * 3, (1, 3, 4)))] == [5]


class Damaged(ArraySource):
    """Its first two frames can't be decoded."""

    def __iter__(self):
        return (frame for frame in super().__iter__() if frame.index > 1)

    def __getitem__(self, index):
        if index < 2:
            raise InputError(f"video: frame {index} is damaged")
        return super().__getitem__(index)


def test_damaged_frames_are_passed_over():
    assert named(given(*PLANTED, source=Damaged(np.full((3, 100, 200, 3), 60, np.uint8)))) == [
        (2, 1, "person"), (2, 2, "dog"),
    ]  # fmt: skip
    with pytest.raises(InputError, match="frame 0 is damaged"):
        given(*PLANTED, source=Damaged(np.full((1, 100, 200, 3), 60, np.uint8)))


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ((np.zeros((0, 4)), [], ()), "Planted.detect: it must return vidseg.types.Detections, not "),
        (
            Detections(np.float32([[0, 0, 9, 9]]), np.float32([0.9]), ("dog",), np.ones((1, 50, 100), bool)),
            "Planted.detect: it must return vidseg.types.Detections with masks of the picture's 200x100, not ",
        ),
    ],
)
def test_what_a_detector_returns_is_checked(monkeypatch, found, message):
    monkeypatch.setattr(Planted, "detect", lambda self, picture: found)
    with pytest.raises(ContractError, match=message):
        given(*PLANTED)


def test_a_folder_of_photographs_shares_a_detector(monkeypatch):
    with one_detector():
        first, same, other = (given(*PLANTED, *more).detector for more in ((), (), ("prompt.detector.first=1",)))
    assert first is same
    assert first is not other
    assert given(*PLANTED).detector is not first


def test_looks_that_nobody_draws_are_forgotten():
    looks = Looks()
    for index in range(1000):
        looks.add(Frame(index, 0, GREY), {}, [])
    assert len(looks) == 256
    assert max(looks) == 999


def test_names_that_are_written_differently():
    assert plain("Dining_Table") == plain("dining  table") == plain("dining-table")


def test_a_choice_of_a_group_at_a_key():
    assert name_groups(["prompt.detector=yolox_s", "model.detector=a,b", "prompt.detector.size=5"]) == [
        "detector@prompt.detector=yolox_s", "detector@model.detector=a,b", "prompt.detector.size=5",
    ]  # fmt: skip
    same = ["prompt.detector=null", "~prompt.detector", "prompt.detector=", "video=prompt.detector=a", "-m"]
    assert name_groups(same) == same
    assert spread(["-m", "prompt.detector=yolox_s,planted"]) == ["-m", "detector@prompt.detector=yolox_s,planted"]


def test_a_run_draws_what_was_seen_and_names_its_objects(tmp_path, clip):
    folder = tmp_path / "run"
    common = [SEARCH_PATH, "tracker=none", f"video={clip}", "model=square", "output=[]", "metric=[]"]
    vidseg.run([*common, *PLANTED, "prompt.every=null", "prompt.max_objects=1", f"hydra.run.dir={folder}"])
    assert json.loads((folder / "summary.json").read_text())["names"] == {"1": "person"}
    assert sorted(path.name for path in (folder / "samples").iterdir())[0] == "found_00000.png"
    picture = np.asarray(Image.open(folder / "samples" / "found_00000.png").convert("RGB"))
    assert picture[70, 20].tolist() == list(colour(1)), "its box"
    assert picture[60, 90].tolist() == [150, 150, 150], "that of the dog, which was left out"
    said = failed_run(tmp_path / "other", *common[2:], *PLANTED, "prompt.detector.things=[]")
    assert said.startswith("prompt.classes: nothing on the 20 frames of clip.mp4")
    vidseg.run([*common, "prompt=click", "prompt.points=[[20,30]]", f"hydra.run.dir={folder}"])
    assert not list(folder.glob("samples/found_*")), "an earlier run's pictures go"
