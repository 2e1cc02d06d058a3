"""Frames from a position back to the first, the same pixels as forward."""

import threading

import numpy as np
import pytest
from PIL import Image
from video.clips import make_clip, picture
from video.test_reader import KINDS

from vidseg.video import backwards, open_source
from vidseg.video.sample import SampleSource
from vidseg.video.selection import Selection


def same(ours, theirs):
    assert [frame.index for frame in ours] == [frame.index for frame in theirs]
    for a, b in zip(ours, theirs, strict=True):
        assert a.time_s == b.time_s
        assert np.array_equal(a.rgb_hw3, b.rgb_hw3)


@pytest.mark.parametrize("kind", ["open_gop.mp4", "irregular.mkv", "xvid.avi", "ts", "vp8.webm"])
@pytest.mark.parametrize(("start", "step"), [(None, 1), (7, 3)])
def test_a_file_backwards_in_chunks(tmp_path, monkeypatch, kind, start, step):
    monkeypatch.setattr(backwards, "CHUNK_BYTES", 11 * 160 * 120 * 3)
    path = make_clip(tmp_path / (kind if "." in kind else f"clip.{kind}"), frames=60, **KINDS[kind])
    source = open_source(str(path), start, None, step, None, 0)
    forward = list(source)
    last = len(source.frames) - 1
    for position in (last, last - 5, 0):
        same(list(source.backwards(position)), forward[position::-1])


def test_a_chunk_has_a_least_number_of_frames_and_none_is_left_out():
    parts = list(backwards.chunks(range(100, 160, 2), 20, 10**9))
    assert [len(part) for part in parts] == [8, 8, 5]
    assert [index for part in reversed(parts) for index in part] == list(range(100, 142, 2))


def test_damaged_frames_are_left_out_as_in_iteration(tmp_path, monkeypatch):
    monkeypatch.setattr(backwards, "CHUNK_BYTES", 1)
    path = make_clip(tmp_path / "clip.ts", frames=60, **KINDS["ts"])
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 3000] = bytes(3000)
    path.write_bytes(data)
    source = open_source(str(path), None, None, 1, None, 0)
    forward = list(source)
    back = list(source.backwards(len(source.frames) - 1))
    assert 20 < len(forward) < 60
    assert {frame.index for frame in back} <= set(range(60))
    assert [frame.index for frame in back] == sorted({frame.index for frame in back}, reverse=True)


def test_closing_early_ends_the_thread(tmp_path):
    path = make_clip(tmp_path / "clip.mp4", frames=60, **KINDS["mp4"])
    source = open_source(str(path), None, None, 1, None, 0)
    frames = source.backwards(50)
    assert next(frames).index == 50
    frames.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "vidseg-prefetch"]


def test_folders_samples_and_selections(tmp_path):
    for number in range(5):
        Image.fromarray(picture(number)).save(tmp_path / f"{number:05d}.png")
    folder = open_source(str(tmp_path), None, None, 2, None, 0)
    same(list(folder.backwards(2)), [*folder][::-1])
    sample = SampleSource(0, frames=range(0, 9, 4))
    same(list(sample.backwards(1)), [*sample][1::-1])
    same(list(Selection(sample, [0, 8]).backwards(1)), [sample[8], sample[0]])
