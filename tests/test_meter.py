"""Times add up, peaks start anew, for each job of a process."""

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
    assert meter.seconds["segment"] == pytest.approx(0.04, abs=0.015)
    assert meter.seconds["extract"] == pytest.approx(0.05, abs=0.015)
    assert sum(meter.seconds.values()) <= meter.total()


def test_stages_of_another_thread_neither_count_nor_disturb():
    meter = Meter()
    entered, leave = threading.Event(), threading.Event()

    def read():
        with meter.stage("extract"):
            entered.set()
            leave.wait(10)

    reader = threading.Thread(target=read)
    with meter.stage("segment"):
        reader.start()
        assert entered.wait(10)
    with meter.stage("composite"):
        time.sleep(0.05)
    leave.set()
    reader.join()
    assert meter.seconds["extract"] == 0
    assert meter.seconds["composite"] >= 0.05


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
