"""What extract.start, extract.stop and extract.step mean."""

import numpy as np
import pytest

from vidseg.errors import InputError
from vidseg.video.window import frame_window

FILM = np.arange(100) / 24 + 0.5  # 100 frames at 24 a second; the first time stamp is not zero


@pytest.mark.parametrize(
    ("start", "stop", "step", "expected"),
    [
        (None, None, 1, range(100)),
        (10, 20, 1, range(10, 20)),
        (10, 20, 3, range(10, 20, 3)),
        (0, 1000, 1, range(100)),
        ("1s", "2s", 1, range(24, 48)),
        ("1.5s", None, 1, range(36, 100)),
        ("0.04s", "0.09s", 1, range(1, 3)),  # first at or after 0.04: 1/24 = 0.0417; last before 0.09: 2/24 = 0.0833
        (" 2 s", "1000s", 10, range(48, 100, 10)),
        (".5s", "20", 1, range(12, 20)),
        (99, None, 50, range(99, 100, 50)),
    ],
)
def test_windows(start, stop, step, expected):
    assert frame_window(FILM, start, stop, step) == expected


@pytest.mark.parametrize(
    ("start", "stop", "step", "words"),
    [
        (-1, None, 1, "extract.start: -1 is neither"),
        (None, -5, 1, "extract.stop: -5 is neither"),
        ("-1s", None, 1, "extract.start: '-1s' is neither"),
        ("nans", None, 1, "extract.start: 'nans'"),
        (float("nan"), None, 1, "extract.start: nan"),
        (2.5, None, 1, r"extract.start: 2.5 is neither a frame number \(100\) nor seconds \(2.5s\)"),
        (None, "2m", 1, "extract.stop: '2m'"),
        (None, "", 1, "extract.stop: ''"),
        (True, None, 1, "extract.start: True"),
        (100, None, 1, r"extract.start: 100 is beyond the video's last frame \(99, at 4.125 s\)"),
        ("5s", None, 1, "extract.start: 5s is beyond"),
        (20, 20, 1, r"extract.stop: 20 must be after extract.start \(20\)"),
        (30, "1s", 1, "extract.stop: 1s must be after extract.start"),
        (None, 0, 1, r"extract.stop: 0 must be after extract.start \(0\)"),
        ("1.001s", "1.002s", 1, "no frame lies between"),
        (None, None, 0, "extract.step: 0 is not 1, 2, 3"),
        (None, None, -1, "extract.step: -1"),
        (None, None, 1.5, "extract.step: 1.5"),
        (None, None, True, "extract.step: True"),
    ],
)
def test_a_mistake_names_its_key(start, stop, step, words):
    with pytest.raises(InputError, match=words) as caught:
        frame_window(FILM, start, stop, step)
    assert "\n" not in str(caught.value)
