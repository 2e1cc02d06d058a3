"""Objects have names, ends, and may join: from prompt files to the run's record, with a segmenter that finds one."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import ROOT
from fakes import Square
from sources import ArraySource, click, moving_squares

import vidseg
from vidseg import prompt
from vidseg.errors import ContractError, InputError
from vidseg.meter import Meter
from vidseg.metric.mask_stats import MaskStats
from vidseg.output.samples import Samples
from vidseg.prompt import checking
from vidseg.record.found import read_found, write_found
from vidseg.record.progress import Progress
from vidseg.runner import run as run_parts
from vidseg.tracker.guard import NoTracker
from vidseg.types import FrameMasks, Prompt
from vidseg.work import Parts

CONF = f"hydra.searchpath=[file://{ROOT / 'tests' / 'conf'}]"


def test_names_are_in_the_record_of_a_run(tmp_path, clip):
    prompts = [Prompt(0, 1, points_xy=[[20, 30]], name="the skater"), Prompt(0, 2, points_xy=[[20, 80]])]
    keys = [CONF, f"video={clip}", "tracker=none", "output=[]"]
    made = vidseg.run([*keys, "model=square", f"hydra.run.dir={tmp_path / 'run'}"], prompts=prompts)
    assert made.summary["objects"] == [1, 2]
    assert made.summary["names"] == {"1": "the skater"}
    lines = [json.loads(line) for line in (tmp_path / "run" / "masks.jsonl").read_text().splitlines()]
    assert all([thing.get("name") for thing in line["objects"]] == ["the skater", None] for line in lines)
    vidseg.run([*keys, "model=replay", f"model.path={tmp_path / 'run'}", f"hydra.run.dir={tmp_path / 'again'}"])
    assert (tmp_path / "again" / "masks.jsonl").read_bytes() == (tmp_path / "run" / "masks.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ("[{points: [[1, 2]], name: [a]}]", "name: ['a'] is no name"),
        ("[{frame: 5, points: [[1, 2]], until: 4}]", "until: 4 is before the object's prompt on frame 5"),
        ("[{points: [[1, 2]], joins: 1}]", "joins: 1 is neither true nor false"),
        ("[{points: [[1, 2]], name: a}, {frame: 3, points: [[1, 2]], name: b}]", "name: a and b; an object has one"),
        ("[{points: [[1, 2]], until: 4}, {frame: 6, points: [[1, 2]]}]", "frame: 6 is after 4, until which"),
    ],
)
def test_mistakes_in_a_prompt_file(tmp_path, entries, message):
    (tmp_path / "p.yaml").write_text(f"prompts: {entries}")
    source = ArraySource(moving_squares(10))
    with pytest.raises(InputError) as error:
        checking.check(source, prompt.file(source, str(tmp_path / "p.yaml")))
    assert message in str(error.value)


class Script:
    """A finder that finds object 2 on frame 3."""

    def __init__(self):
        self.prompts = []

    def due(self, frame_index):
        return frame_index == 3

    def find(self, frame, masks):
        self.prompts.append(Prompt(3, 2, box_xyxy=[1, 2, 9, 9], name="dog", joins=True))
        return self.prompts[-1:]

    def state(self):
        return ""


class Joining(Square):
    """Takes objects while it tracks; from ``loses`` on it has forgotten the first."""

    joinable, loses = True, None

    def track(self, source, prompts, finder=None):
        for frame, masks in super().track(source, prompts):
            found = list(finder.find(frame, masks)) if finder.due(frame.index) else finder.prompts
            ids = (1,) * (frame.index != self.loses) + tuple(each.object_id for each in found)
            yield frame, FrameMasks(frame.index, ids, np.ones((len(ids), *frame.rgb_hw3.shape[:2]), np.float32))


def joined_run(folder, segmenter):
    source, prompts, finder = ArraySource(moving_squares(6)), (click(0, 1, (20, 30, 1)),), Script()
    parts = Parts(source, prompts, {}, [MaskStats()], Samples(folder, 100, prompts, 6), NoTracker(), finder=finder)
    parts.metrics[0].open(source, prompts)
    folder.mkdir()
    assert run_parts(parts, segmenter, folder, Meter(), Progress(folder))
    lines = [json.loads(line) for line in (folder / "masks.jsonl").read_text().splitlines()]
    return [[(thing["id"], thing.get("name")) for thing in line["objects"]] for line in lines]


def test_an_object_that_was_found_is_in_the_record_from_then_on(tmp_path, caplog):
    assert joined_run(tmp_path / "run", Joining()) == [[(1, None)]] * 3 + [[(1, None), (2, "dog")]] * 3
    assert joined_run(tmp_path / "square", Square()) == [[(1, None)]] * 6
    assert "prompt.every: this model takes no objects while it runs" in caplog.text


def test_an_object_is_not_lost_when_another_joins(tmp_path):
    segmenter = Joining()
    segmenter.loses = 4
    with pytest.raises(ContractError, match=r"frame 4 has no masks of objects \[1\]"):
        joined_run(tmp_path / "run", segmenter)


def test_found_prompts_make_the_same_prompts_again(tmp_path):
    mask_hw = np.zeros((120, 160), bool)
    mask_hw[10:20, 30:50] = True
    prompts = (
        Prompt(0, 1, box_xyxy=[1.5, 2, 60, 50], name="person"),
        Prompt(4, 7, mask_hw=mask_hw, name="dög", joins=True, until=5),
    )
    write_found(tmp_path, prompts)
    source = SimpleNamespace(frames=range(6), info=SimpleNamespace(width=160, height=120, num_frames=6), name="clip")
    assert prompt.file(source, str(tmp_path / "found.yaml")) == prompts
    assert read_found(tmp_path) == list(prompts)
    assert read_found(tmp_path / "found") == []


@pytest.mark.parametrize("name", ["", "   ", "a\nb", 7])
def test_names_that_are_none(name):
    with pytest.raises(InputError, match=r"name: .* is no name; a word or two, on one line"):
        Prompt(0, 1, box_xyxy=[0, 0, 9, 9], name=name)
    assert Prompt(0, 1, box_xyxy=[0, 0, 9, 9], name=" dog\n").name == "dog"
