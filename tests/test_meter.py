"""Seconds of the stages add up, also with threads, and every job of a process has its own peaks of memory."""

import threading
import time

import numpy as np
import pytest

from vidseg.meter import Meter, peak_cuda_mib, peak_rss_mib, rss_mib


def test_nested_stages_count_for_the_innermost():
    meter = Meter()
    with meter.stage("segment"):
        time.sleep(0.02)
        with meter.stage("extract"):
            time.sleep(0.05)
        time.sleep(0.02)
    assert meter.seconds["segment"] >= 0.04
    assert meter.seconds["extract"] >= 0.05
    assert sum(meter.seconds.values()) <= meter.total()


class Reader:
    """A thread that waits for a frame until it is told to stop."""

    def __init__(self, meter):
        self._entered, self._leave = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._read, args=(meter,))

    def _read(self, meter):
        with meter.stage("extract"):
            self._entered.set()
            self._leave.wait(10)

    def __enter__(self):
        self._thread.start()
        assert self._entered.wait(10)

    def __exit__(self, *error):
        self._leave.set()
        self._thread.join()


def test_what_a_reading_thread_waits_for_is_extraction():
    meter = Meter()
    with meter.stage("segment"):
        time.sleep(0.03)
        with Reader(meter):
            time.sleep(0.05)
    assert meter.seconds["extract"] >= 0.05
    assert meter.seconds["segment"] >= 0.03
    assert meter.lap_ms()["extract"] == pytest.approx(1e3 * meter.seconds["extract"])
    assert sum(meter.seconds.values()) <= meter.total()


def test_a_wait_beside_another_stage_counts_up_to_what_the_loop_waited_for_the_masks():
    meter = Meter()
    with Reader(meter), meter.stage("composite"):  # it delays the frame that the loop waits for next
        time.sleep(0.08)
    with meter.stage("segment"):
        time.sleep(0.03)
    assert meter.seconds["composite"] >= 0.08
    assert meter.seconds["extract"] >= 0.03
    assert meter.seconds["segment"] == pytest.approx(0, abs=1e-9)
    with meter.stage("segment"):  # what is left of the wait is no later frame's
        time.sleep(0.03)
    assert meter.seconds["segment"] >= 0.03
    assert sum(meter.seconds.values()) <= meter.total()


def test_a_wait_that_the_loop_did_not_notice_counts_nowhere():
    meter = Meter()
    with Reader(meter), meter.stage("composite"):
        time.sleep(0.03)
    with meter.stage("segment"):
        pass
    assert meter.seconds["extract"] < 0.02
    assert meter.seconds["composite"] >= 0.03


def test_two_threads_that_wait_at_once_count_once():
    meter = Meter()
    with meter.stage("segment"), Reader(meter), Reader(meter):
        time.sleep(0.05)
    assert 0.05 <= meter.seconds["extract"] <= meter.total()


def test_a_lap_is_one_frame_s_share():
    meter = Meter()
    with meter.stage("log"):
        time.sleep(0.01)
    assert meter.lap_ms()["log"] >= 10
    assert meter.lap_ms() == dict.fromkeys(meter.seconds, 0.0)


def test_a_stage_that_raises_is_counted_and_left():
    meter = Meter()
    with pytest.raises(ValueError, match="no"), meter.stage("segment"):
        raise ValueError("no")
    with meter.stage("log"):
        pass
    time.sleep(0.02)
    before = meter.seconds["segment"]
    with meter.stage("log"):
        pass
    assert meter.seconds["segment"] == before


def test_peak_memory_starts_anew_with_each_meter():
    Meter()
    np.ones(64 * 2**20, np.uint8)
    high = peak_rss_mib()
    Meter()
    if peak_rss_mib() == high:
        pytest.skip("this system can't reset the high-water mark")
    assert peak_rss_mib() <= high - 48
    assert 0 < rss_mib() <= peak_rss_mib() + 1


def test_no_gpu_memory_without_a_gpu():
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    assert peak_cuda_mib() is None
