"""Timecode: arithmetic with drop-frame labels, and from a source into its outputs."""

from fractions import Fraction

import av
import pytest
from video.clips import copy_video, make_clip

from vidseg.video import open_source
from vidseg.video.timecode import shifted

NTSC = Fraction(30000, 1001)


@pytest.mark.parametrize(
    ("label", "frames", "rate", "expected"),
    [
        ("01:00:00:00", 0, 25, "01:00:00:00"),
        ("01:00:00:20", 7, 25, "01:00:01:02"),
        ("01:00:00:23", 1, Fraction(24000, 1001), "01:00:01:00"),
        ("00:00:59:29", 1, NTSC, "00:01:00:00"),
        ("00:00:59;29", 1, NTSC, "00:01:00;02"),  # two labels are dropped
        ("00:01:59;29", 1, NTSC, "00:02:00;02"),
        ("00:09:59;29", 1, NTSC, "00:10:00;00"),  # but none in a tenth minute
        ("00:00:00;00", 107892, NTSC, "01:00:00;00"),  # an hour of the clock
        ("23:59:59;29", 1, NTSC, "00:00:00;00"),
        ("10:00:00.00", 1799, NTSC, "10:00:59;29"),
        ("00:00:59;59", 1, 2 * NTSC, "00:01:00;04"),
        ("10:00:59;24", 1, 25, "10:01:00:00"),  # only 29.97 and 59.94 drop
        ("10:00:00:25", 0, 25, None),
        ("ten", 0, 25, None),
    ],
)
def test_labels_are_counted_on(label, frames, rate, expected):
    assert shifted(label, float(frames / Fraction(rate)), Fraction(rate)) == expected


@pytest.mark.parametrize(
    ("name", "rate", "labels"),
    [
        ("a.mov", NTSC, {0: "00:59:59;20", 13: "01:00:00;03"}),
        ("a.mp4", 24, {0: "01:00:00:00", 13: "01:00:00:13"}),
        ("a.mkv", 24, {5: "01:00:00:05"}),
    ],
)
def test_outputs_go_on_with_the_label_of_their_first_frame(tmp_path, name, rate, labels):
    first = labels.get(0, "01:00:00:00")
    path = make_clip(tmp_path / name, frames=20, rate=rate, metadata={"timecode": first})
    for start, label in labels.items():
        for out in ("out.mp4", "out.mov"):
            copy_video(open_source(str(path), start=start), tmp_path / out, "h264")
            with av.open(str(tmp_path / out)) as container:
                assert container.streams.data[0].metadata["timecode"] == label
    assert open_source(str(path), step=2).info.timecode is None
