"""What threads do with a frame: in order, few at a time, nothing lost when one fails. A hang fails by its timeout."""

import json
import threading
import time

import fakes
import numpy as np
import pytest
from sources import ArraySource, click, moving_squares

from vidseg.meter import Meter
from vidseg.output.samples import Samples
from vidseg.prefetch import Crew
from vidseg.record.progress import Progress
from vidseg.runner import run
from vidseg.tracker.guard import Guarded, NoTracker
from vidseg.types import FrameMasks
from vidseg.work import MOST_UNDER_WAY, Parts, most_under_way

pytestmark = pytest.mark.timeout(30)

FAILS_AT = 12  # position of the frame


def ours():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("vidseg-")]


def test_a_crew_takes_items_in_order_and_joins_their_results():
    seen = {"a": [], "b": []}
    ended = []
    tasks = {"a": lambda item: seen["a"].append(item), "b": lambda item: (time.sleep(0.001 * (item % 3)), 2 * item)[1]}
    with Crew(tasks, lambda item, results: ended.append((item, results))) as crew:
        for item in range(30):
            crew.put(item)
            while crew.under_way > 4:
                crew.wait("b")
                crew.finish()
    assert seen["a"] == list(range(30))
    assert ended == [(item, {"a": None, "b": 2 * item}) for item in range(30)]
    assert ours() == []


@pytest.mark.parametrize("failing", ["slow", "quick", "last"])
def test_the_items_before_a_failure_are_finished_and_none_after_it(failing):
    begun, ended = [], []

    def task(name, item):
        if name == "slow":
            time.sleep(0.01)
        if (name, item) == (failing, 5):
            raise OSError(f"{name} failed")
        begun.append((name, item))

    def last(item, results):
        task("last", item)
        ended.append(item)

    with (
        pytest.raises(OSError, match=f"{failing} failed"),
        Crew({name: lambda item, name=name: task(name, item) for name in ("slow", "quick")}, last) as crew,
    ):
        for item in range(100):
            crew.put(item)
            while crew.under_way > 3:
                crew.finish()
    assert ended == [0, 1, 2, 3, 4]
    assert [item for name, item in begun if name == "slow"] in (list(range(5)), list(range(6)), list(range(7)))
    assert max(item for _, item in begun) <= 9  # what was under way
    assert ours() == []


def test_the_first_failure_in_order_counts_not_the_first_in_time():
    def slow(item):
        time.sleep(0.05)
        if item == 1:
            raise OSError("the first")

    def quick(item):
        if item == 2:
            raise OSError("the second")

    with pytest.raises(OSError, match="the first"), Crew({"quick": quick, "slow": slow}, lambda *_: None) as crew:
        for item in range(4):
            crew.put(item)


def test_at_ctrl_c_only_what_has_begun_is_finished():
    begun = []
    with (
        pytest.raises(KeyboardInterrupt),
        Crew({"task": lambda item: (begun.append(item), time.sleep(0.1))}, print) as crew,
    ):
        for item in range(50):
            crew.put(item)
        raise KeyboardInterrupt
    assert len(begun) < 5
    assert ours() == []


def test_ctrl_c_while_the_last_items_are_finished_leaves_the_rest(monkeypatch):
    def interrupted(self):
        raise KeyboardInterrupt  # as the signal's handler does while this waits

    begun = []
    monkeypatch.setattr(Crew, "finish", interrupted)
    with pytest.raises(KeyboardInterrupt), Crew({"task": lambda n: (begun.append(n), time.sleep(0.05))}, print) as crew:
        for item in range(50):
            crew.put(item)
    assert len(begun) < 6
    assert ours() == []


class Writing:
    """An output: notes the frames that it gets, takes ``pause_s`` for each, and fails as it is told."""

    path = "written"

    def __init__(self, pause_s=0.0, fails_at=None):
        self.got, self.pause_s, self.fails_at, self.ended = [], pause_s, fails_at, None

    def open(self, folder, source):
        pass

    def write(self, frame, masks):
        time.sleep(self.pause_s)
        if frame.index == self.fails_at:
            raise OSError(28, "No space left on device")
        assert masks.frame_index == frame.index
        self.got.append(frame.index)

    def close(self):
        self.ended = "closed"

    def abort(self):
        self.ended = "aborted"


class Scoring(Writing):
    """The same as a metric."""

    def update(self, frame, masks):
        self.write(frame, masks)
        return {"index": frame.index}


class Sampling(Samples):
    fails_at = None

    def write(self, frame, masks):
        if frame.index == self.fails_at:
            raise OSError(28, "No space left on device")
        return super().write(frame, masks)


class Telling(NoTracker):
    """A tracker that notes its steps, and fails from one of them on."""

    def __init__(self, fails_at=None):
        self.steps, self.samples, self.fails_at = [], [], fails_at

    def log_sample(self, frame, masks, prompts):
        self.samples.append(frame.index)

    def log(self, step, values):
        if step == self.fails_at:
            raise ConnectionError("nobody listens")
        self.steps.append((step, values["frame"], values["metric/index"]))


def run_of(folder, segmenter=None, outputs=(), metric=None, fails_at=None, tracker=None, frames=30, source=None):
    source = source or ArraySource(moving_squares(frames))
    prompts = (click(0, 1, (20, 30, 1)),)
    samples = Sampling(folder, 4, prompts, frames)
    samples.fails_at = fails_at
    tracker = tracker or Telling()
    parts = Parts(source, prompts, dict(enumerate(outputs)), [metric or Scoring()], samples, Guarded(tracker))
    parts.tracker.start({}, folder)
    meter = Meter()
    try:
        return run(parts, segmenter or fakes.Square(), folder, meter, Progress(folder)), meter
    finally:
        assert ours() == []


def recorded(folder):
    lines = {name: (folder / f"{name}.jsonl").read_text().splitlines() for name in ("masks", "frames")}
    masks, frames = ([json.loads(line)["frame"] for line in lines[name]] for name in ("masks", "frames"))
    assert masks == frames == list(range(len(frames)))
    return len(frames)


def test_everybody_gets_every_frame_in_order(tmp_path):
    outputs, tracker = [Writing(0.003), Writing()], Telling()
    finished, _ = run_of(tmp_path, outputs=outputs, tracker=tracker)
    assert finished
    assert [output.got for output in outputs] == [list(range(30))] * 2
    assert tracker.steps == [(n, n, n) for n in range(30)]
    assert tracker.samples == list(range(0, 30, 4))
    assert recorded(tmp_path) == 30
    assert len([*(tmp_path / "samples").iterdir()]) == 8


@pytest.mark.parametrize("failing", ["output", "metric", "sample", "segmenter", "reader"])
@pytest.mark.parametrize("slow", [False, True], ids=["all quick", "another output is slow"])
def test_a_run_that_fails_has_all_frames_before_the_failure(tmp_path, failing, slow):
    outputs = [Writing(0.01 * slow), Writing(fails_at=FAILS_AT if failing == "output" else None)]
    tracker = Telling()
    parts = {"outputs": outputs, "tracker": tracker}
    if failing == "metric":
        parts["metric"] = Scoring(fails_at=FAILS_AT)
    if failing == "sample":
        parts["fails_at"] = FAILS_AT
    if failing == "segmenter":
        parts["segmenter"] = fakes.Square(fail_at=FAILS_AT)
    if failing == "reader":
        parts["source"] = ArraySource(moving_squares(30), fails_at=FAILS_AT)
    with pytest.raises((OSError, RuntimeError), match=r"No space left|fell over|the reader failed"):
        run_of(tmp_path, **parts)
    assert recorded(tmp_path) == FAILS_AT
    assert [step for step, *_ in tracker.steps] == list(range(FAILS_AT))
    for output in outputs:
        assert output.ended == "closed"
        assert output.got == list(range(len(output.got)))
        assert FAILS_AT <= len(output.got) <= FAILS_AT + MOST_UNDER_WAY


def test_a_tracker_that_fails_ends_nothing(tmp_path, caplog):
    tracker = Telling(fails_at=7)
    finished, _ = run_of(tmp_path, tracker=tracker)
    assert finished
    assert recorded(tmp_path) == 30
    assert [step for step, *_ in tracker.steps] == list(range(7))
    assert "nobody listens; the run goes on without it" in caplog.text


class Counting(fakes.Square):
    """Notes how many frames it has given out that the output hasn't got yet."""

    def __init__(self, output):
        super().__init__()
        self.output, self.most = output, 0

    def track(self, source, prompts):
        for given, pair in enumerate(super().track(source, prompts), start=1):
            self.most = max(self.most, given - len(self.output.got))
            yield pair


@pytest.mark.parametrize("kind", ["output", "metric"])
def test_few_frames_are_under_way_however_slow_one_is(tmp_path, kind):
    slow = Scoring(0.03) if kind == "metric" else Writing(0.03)
    segmenter = Counting(slow)
    parts = {"metric": slow} if kind == "metric" else {"outputs": [slow]}
    _, meter = run_of(tmp_path, segmenter, **parts)
    assert MOST_UNDER_WAY <= segmenter.most <= MOST_UNDER_WAY + 2
    waited, other = ("log", "composite") if kind == "metric" else ("composite", "log")
    assert meter.seconds[waited] > max(0.3, 2 * meter.seconds[other])  # 20 frames or so of 30 ms


def test_the_larger_frames_are_the_fewer_are_under_way():
    def masks(objects, height, width):
        return FrameMasks(0, tuple(range(1, objects + 1)), np.zeros((objects, height, width), np.float32))

    assert most_under_way(masks(1, 720, 1280)) == MOST_UNDER_WAY
    assert most_under_way(masks(1, 2160, 3840)) == most_under_way(masks(3, 2160, 3840)) == 2
    assert most_under_way(masks(0, 720, 1280)) == MOST_UNDER_WAY
