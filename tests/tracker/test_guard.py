"""The guard, around a tracker that fails where it is told to."""

import logging

import numpy as np
import pytest

from vidseg.tracker.guard import Guarded, NoTracker
from vidseg.types import Frame, FrameMasks

FRAME = Frame(0, 0.0, np.zeros((4, 4, 3), np.uint8))
MASKS = FrameMasks(0, (1,), np.ones((1, 4, 4), np.float32))


class Failing:
    """A tracker that notes its calls and raises in those named."""

    def __init__(self, *failing, error=None):
        self.calls, self._failing, self._error = [], failing, error or OSError("no space\nsecond line")

    def __getattr__(self, name):
        def call(*_):
            self.calls.append(name)
            if name in self._failing:
                raise self._error
            return {"id": "x"} if name == "start" else None

        return call


def run(tracker, folder):
    record = tracker.start({}, folder)
    for step in range(3):
        tracker.log_sample(FRAME, MASKS, [])
        tracker.log(step, {})
    tracker.finish({}, folder)
    return record


FRAMES = ["log_sample", "log"] * 3


@pytest.mark.parametrize(
    ("failing", "calls"),
    [
        ((), ["start", *FRAMES, "finish"]),
        (("start",), ["start"]),
        (("log",), ["start", "log_sample", "log", "finish"]),
        (("log_sample", "finish"), ["start", "log_sample", "finish"]),
        (("finish",), ["start", *FRAMES, "finish"]),
    ],
)
def test_the_first_failure_is_one_warning_and_the_last_attempt_but_for_finish(tmp_path, caplog, failing, calls):
    inner = Failing(*failing)
    with caplog.at_level(logging.INFO):
        record = run(Guarded(inner), tmp_path)
    assert inner.calls == calls
    assert record == (None if "start" in failing else {"id": "x"})
    warned = ["tracker: OSError: no space; the run goes on without it"] if failing else []
    assert [entry.getMessage() for entry in caplog.records] == warned


def test_the_whole_failure_is_in_the_debug_log(tmp_path, caplog):
    with caplog.at_level(logging.DEBUG):
        run(Guarded(Failing("log")), tmp_path)
    assert "second line" in caplog.text


@pytest.mark.parametrize("call", ["start", "log", "log_sample", "finish"])
def test_the_users_interruption_passes_through(tmp_path, call):
    with pytest.raises(KeyboardInterrupt):
        run(Guarded(Failing(call, error=KeyboardInterrupt())), tmp_path)


def test_finish_is_done_once(tmp_path):
    inner = Failing()
    tracker = Guarded(inner)
    run(tracker, tmp_path)
    tracker.finish({}, tmp_path)
    assert inner.calls.count("finish") == 1


def test_an_expected_record_begins_with_what_is_first_logged_or_never(tmp_path):
    inner, begun = Failing(), []
    tracker = Guarded(inner)
    tracker.expect({}, tmp_path, begun.append)
    assert (inner.calls, begun) == (["prepare"], [])
    tracker.log_sample(FRAME, MASKS, [])
    tracker.log(0, {})
    tracker.begin()
    tracker.finish({}, tmp_path)
    assert (inner.calls, begun) == (["prepare", "start", "log_sample", "log", "finish"], [{"id": "x"}])
    inner.calls.clear()
    never = Guarded(inner)
    never.expect({}, tmp_path, begun.append)
    never.finish({}, tmp_path)
    assert (inner.calls, len(begun)) == (["prepare"], 1)


def test_a_record_that_can_t_be_prepared_is_not_begun(tmp_path, caplog):
    inner = Failing("prepare")
    tracker = Guarded(inner)
    tracker.expect({}, tmp_path, lambda record: pytest.fail("it began"))
    tracker.log(0, {})
    tracker.finish({}, tmp_path)
    assert inner.calls == ["prepare"]
    assert len([entry for entry in caplog.records if entry.levelno == logging.WARNING]) == 1


def test_no_tracker_records_nothing(tmp_path):
    assert run(NoTracker(), tmp_path) is None
    assert list(tmp_path.iterdir()) == []
