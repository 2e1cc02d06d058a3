"""A mistake in a class of the user's is one line that names the class and the rule; the run is recorded as failed."""

import json

import pytest
from mistakes import CONF, failed_run
from sources import ArraySource, click, moving_squares

import vidseg
from vidseg.contract import TrackChecker
from vidseg.errors import ContractError
from vidseg.types import FrameMasks

pytestmark = pytest.mark.timeout(60)

FEW = ("model=square", "prompt=click", "prompt.points=[[20,30]]", "output=[rle]", "metric=[]", "extract.stop=5")


@pytest.fixture
def failure(tmp_path, clip):
    return lambda *overrides: failed_run(tmp_path / "run", f"video={clip}", *FEW, *overrides)


@pytest.fixture
def finished(tmp_path, clip):
    """Runs with the overrides; returns what summary.json says."""

    def run(*overrides):
        common = [f"hydra.searchpath=[file://{CONF}]", f"hydra.run.dir={tmp_path / 'run'}", "tracker=none"]
        vidseg.run([*common, f"video={clip}", *FEW, *overrides])
        return json.loads((tmp_path / "run" / "summary.json").read_text())

    return run


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        ("too few", "it ended after 3 of 5 frames; it must yield every frame of the source once, in order"),
        ("too many", "it yielded frame 4 after the last of 5 frames; it must yield every frame"),
        ("one twice", "it yielded frame 0 where frame 1 was due; it must yield every frame"),
        ("every second", "it yielded frame 2 where frame 1 was due"),
        ("reversed", "it yielded frame 4 where frame 0 was due"),
        ("None", "it returned None; it must yield pairs (Frame, FrameMasks)"),
        ("no masks", "it yielded an object of vidseg.types.Frame; it must yield pairs"),
        ("arrays", "with frame 0 it yielded an object of numpy.ndarray; it must yield pairs"),
        ("shifted", "with frame 0 it yielded the masks of frame 1"),
        ("bool", "FrameMasks: logits_nhw is bool (1, 120, 160); with 1 object ids it must be float32 (1, h, w)"),
        ("small masks", "the masks of frame 0 are (h, w) = (60, 160), the video is (120, 160)"),
        ("small frames", "the pixels of frame 0 are (h, w) = (60, 160), the video is (120, 160)"),
        ("id 7", "frame 0 has masks of objects (7,); prompted, in order, are (1,)"),
        ("descending", "frame 0 has masks of objects (2, 1); prompted, in order, are (1,)"),
        ("grey frame", "Frame: rgb_hw3 is uint8 (120, 160); it must be uint8 (height, width, 3)"),
    ],
)
def test_a_segmenter_that_breaks_a_rule(failure, mistake, message):
    said = failure("model=broken", f"model.mistake='{mistake}'")
    assert said.startswith(f"fakes.Broken.track: {message}")
    assert len(said.splitlines()) == 1


def test_track_may_return_a_list(finished):
    summary = finished("model=broken")
    assert (summary["status"], summary["frames"]) == ("finished", 5)


def test_masks_that_are_replayed_have_ids_of_their_own(finished, tmp_path):
    finished()
    (tmp_path / "run").rename(tmp_path / "first")
    summary = finished("model=replay", f"model.path={tmp_path / 'first'}", "prompt.object=7")
    assert (summary["status"], summary["frames"]) == ("finished", 5)


class Damaged(ArraySource):
    """Leaves out a frame in the middle and the last one, as a damaged file does."""

    def __iter__(self):
        return (frame for frame in super().__iter__() if frame.index not in (2, 5))


class Seeking:
    """Reads ``source[index]`` instead of iterating."""

    def track(self, source, prompts):
        for index in source.frames:
            frame = source[index]
            yield frame, FrameMasks(index, (1,), -frame.rgb_hw3[None, ..., 0].astype("float32"))


class Twice(Seeking):
    """Reads the first half, then everything, as corrections do."""

    def track(self, source, prompts):
        for frame, _ in zip(source, range(3), strict=False):
            assert frame.rgb_hw3.any()
        for frame in source:
            yield frame, FrameMasks(frame.index, (1,), -frame.rgb_hw3[None, ..., 0].astype("float32"))


class Watched:
    """A source that tells the checker what was read, as the runner's does."""

    def __init__(self, source, checker):
        self.frames, self._source, self._checker = source.frames, source, checker

    def __getitem__(self, index):
        return self._source[index]

    def __iter__(self):
        for position, frame in enumerate(self._source):
            self._checker.saw(position, frame)
            yield frame
        self._checker.saw_all()


def tracked(segmenter, source):
    checker = TrackChecker(segmenter, source, [click(0, 1, (9, 9, 1))])
    return [frame.index for frame, _ in checker.pairs(Watched(source, checker))]


def test_frames_that_the_source_leaves_out_are_not_missed():
    assert tracked(Twice(), Damaged(moving_squares(6))) == [0, 1, 3, 4]


def test_a_segmenter_may_seek():
    assert tracked(Seeking(), ArraySource(moving_squares(6), frames=[1, 2, 5])) == [1, 2, 5]


def test_ids_of_its_own_ascend():
    class Own(Seeking):
        own_objects = True

        def track(self, source, prompts):
            for frame, masks in super().track(source, prompts):
                yield frame, FrameMasks(frame.index, (3, 2), masks.logits_nhw.repeat(2, axis=0))

    with pytest.raises(ContractError, match=r"Own.track: frame 0 has masks of objects \(3, 2\); ids must ascend"):
        tracked(Own(), ArraySource(moving_squares(2)))


MODEL = "it must have device, precision, provenance, track"
OUTPUT = "it must have path, open, write, close, abort"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["model=broken", "model._target_=fakes.NoDevice"],
         f"model: fakes.NoDevice has no device; {MODEL}"),
        (["output=[failing]", "output.failing._target_=fakes.NoAbort"],
         f"output.failing: fakes.NoAbort has no abort; {OUTPUT}"),
        (["output=[failing]", "output.failing._target_=fakes.NoPath"],
         f"output.failing: fakes.NoPath has no path; {OUTPUT}"),
        (["output=[failing]", "output.failing._target_=fakes.NumberedPath"],
         "output.failing: the path of fakes.NumberedPath is 7; it must be text"),
        (["metric=[told]", "metric.told._target_=fakes.NoCompute"],
         "metric.told: fakes.NoCompute has no compute; it must have open, update, compute"),
        (["metric=[told]", "metric.told.compute={score: good}"],
         "fakes.Told.compute: it must return a dict of numbers by name; 'score' is 'good'"),
        (["metric=[told]", "metric.told.update={score: good}"],
         "fakes.Told.update: it must return a dict of numbers by name; 'score' is 'good'"),
        (["metric=[told]", "metric.told.update=[1,2]"],
         "fakes.Told.update: it must return a dict of numbers by name, not [1, 2]"),
        (["model._target_=fakes.Triangle"], "model._target_: there is no Triangle in fakes, for fakes.Triangle"),
        (["model._target_=fakes.Square.side"],
         "model._target_: there is no side in fakes.Square, for fakes.Square.side"),
        (["model._target_=mine.Square"], "model._target_: there is no module mine, for mine.Square; the folder that "
         "holds it must be on PYTHONPATH"),
        (["model.fail_at=???"], "model.fail_at: missing; it has no default"),
        (["~model._target_"], "model._target_: missing; it names a class"),
    ],
)  # fmt: skip
def test_a_part_that_is_none(failure, overrides, message):
    said = failure(*overrides)
    assert said.startswith(message)
    assert len(said.splitlines()) == 1


def test_a_module_that_fails_when_it_is_imported(failure, tmp_path, monkeypatch):
    (tmp_path / "unfinished.py").write_text("import nowhere\n")
    monkeypatch.syspath_prepend(tmp_path)
    said = failure("model._target_=unfinished.Square")
    assert said == ("model._target_: importing unfinished fails: ModuleNotFoundError: No module named 'nowhere'")


@pytest.mark.parametrize(("function", "found"), [("boxes", "[1, 2, 3, 4]"), ("nothing_said", "None")])
def test_a_prompt_function_returns_prompts(failure, function, found):
    said = failure(f"prompt._target_=fakes.{function}")
    assert said == f"fakes.{function}: it must return vidseg.Prompts; {found} is none"


def test_a_metric_may_return_numpy_s_numbers(finished, tmp_path, monkeypatch):
    import fakes
    import numpy as np

    monkeypatch.setattr(fakes.Told, "update", lambda self, frame, masks: {"a": np.float32(0.5), "b": np.int64(3)})
    monkeypatch.setattr(fakes.Told, "compute", lambda self: {"a": np.float32(0.5)})
    assert finished("metric=[told]")["metrics"] == {"a": 0.5}
    line = json.loads((tmp_path / "run" / "frames.jsonl").read_text().splitlines()[0])
    assert (line["metric/a"], line["metric/b"]) == (0.5, 3)


def test_a_render_that_needs_an_object_has_one(finished):
    assert finished("output=[rendered]")["outputs"]["rendered"] == "rendered.mp4"


@pytest.mark.parametrize(
    ("render", "message"),
    [
        ("floats", "render: fakes.floats returned float64 (120, 160, 3) for frame 0; it must be uint8 (120, 160, 3)"),
        ("flat", "render: fakes.flat returned uint8 (120, 160) for frame 0; it must be"),
        ("nothing", "render: fakes.nothing returned NoneType () for frame 0; it must be"),
        ("dividing", "render: fakes.dividing fails: ZeroDivisionError: "),
        ("undone", "render: there is no undone in fakes, for fakes.undone"),
    ],
)
def test_a_render_that_can_not_be_encoded_is_told_before_the_model_is_built(failure, tmp_path, render, message):
    said = failure("output=[rendered]", f"output.rendered.render=fakes.{render}")
    assert said.startswith(f"output.rendered.{message}")
    assert len(said.splitlines()) == 1
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["device"] is None


def test_a_render_s_options_are_tried_before_the_model_is_built(failure, tmp_path):
    assert failure("output=[rendered]", "+output.rendered.glow=3").startswith("output.rendered.render: first_object() ")
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["device"] is None


def test_a_render_that_goes_wrong_later(failure):
    said = failure("output=[rendered]", "output.rendered.render=fakes.flat_later")
    assert said.startswith("render: fakes.flat_later returned uint8 (120, 160) for frame 2; it must be")
