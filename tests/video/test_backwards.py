"""Frames from a position back to the first, the same pixels as forward."""

import threading
import time
import weakref
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sources import ArraySource, click, moving_squares
from video.clips import make_clip, picture
from video.test_reader import CUT, GOP, KINDS, plain

from vidseg.errors import InputError
from vidseg.meter import Meter
from vidseg.runner import segmented
from vidseg.sample import SampleSource
from vidseg.types import FrameMasks
from vidseg.video import open_source, pictures, reader
from vidseg.video.reader import FileSource
from vidseg.video.window import Selection
from vidseg.work import Told


def same(ours, theirs):
    assert [frame.index for frame in ours] == [frame.index for frame in theirs]
    for a, b in zip(ours, theirs, strict=True):
        assert a.time_s == b.time_s
        assert np.array_equal(a.rgb_hw3, b.rgb_hw3)


LONG_GOP = {"options": {"x264-params": "keyint=250:scenecut=0:bframes=3:b-adapt=0"}}  # one key frame, the first
SMALL = 11 * 160 * 120 * 3  # a chunk of 11 frames of these clips


@pytest.mark.parametrize(
    "kind", ["long.mp4", "mp4", "open_gop.mp4", "irregular.mkv", "xvid.avi", "raw.h264", "ts", "vp8.webm", "hevc.mp4"]
)
@pytest.mark.parametrize(("start", "stop", "step"), [(None, None, 1), (7, 51, 3)])
def test_a_file_backwards_in_chunks(tmp_path, monkeypatch, kind, start, stop, step):
    monkeypatch.setattr(reader, "CHUNK_BYTES", SMALL)
    path = make_clip(tmp_path / (kind if "." in kind else f"clip.{kind}"), frames=60, **KINDS.get(kind, LONG_GOP))
    source = open_source(str(path), start, stop, step)
    forward, last = list(source), len(source.frames) - 1
    assert len(forward) == last + 1 > 11
    for position in (last, last - 5, 0):
        same(list(source.backwards(position)), forward[position::-1])
    same([source[index] for index in reversed(source.frames[last - 3 :])], forward[: last - 4 : -1])


def test_a_turned_file_backwards(tmp_path, monkeypatch):
    monkeypatch.setattr(reader, "CHUNK_BYTES", SMALL)
    path = make_clip(tmp_path / "clip.mp4", frames=30, options=GOP)
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + 4 + 40  # a quarter turn in the display matrix, as in test_reader.py
    content[at : at + 16] = np.array([0, 65536, 0, -65536], ">i4").tobytes()
    content[at + 16 : at + 20] = bytes(4)
    path.write_bytes(content)
    source = open_source(str(path))
    assert (source.info.width, source.info.height) == (120, 160)
    same(list(source.backwards(29)), list(source)[::-1])


def test_a_chunk_has_a_least_number_of_frames(tmp_path, monkeypatch):
    """However little fits, a chunk has eight frames: 21 frames are decoded in three chunks."""
    monkeypatch.setattr(reader, "CHUNK_BYTES", 1)
    source = open_source(str(make_clip(tmp_path / "clip.mp4", frames=60, **LONG_GOP)), start=8, step=2)
    opened, open_input = [], pictures.open_input
    monkeypatch.setattr(pictures, "open_input", lambda path: opened.append(path) or open_input(path))
    assert [frame.index for frame in source.backwards(20)] == list(range(48, 6, -2))
    assert len(opened) == 3


def damaged(path, begin, end):
    content = bytearray(path.read_bytes())
    begin, end = int(begin * len(content)), int(end * len(content))
    content[begin:end] = np.random.default_rng(0).bytes(end - begin)
    path.write_bytes(content)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.avi"])
def test_damaged_frames_are_left_out_as_in_iteration(tmp_path, monkeypatch, name):
    monkeypatch.setattr(reader, "CHUNK_BYTES", SMALL)
    kind = KINDS["xvid.avi"] if name == "a.avi" else {"options": GOP, "muxer": "mpegts" if name == "a.ts" else None}
    path = make_clip(tmp_path / name, frames=72, **kind)
    whole = plain(path)
    source = open_source(str(damaged(path, 0.33, 0.36)))
    forward, last = list(source), len(source.frames) - 1
    back = list(source.backwards(last))
    assert [frame.index for frame in back] == [frame.index for frame in reversed(forward)]
    if name == "a.mp4":  # its index is intact, so that each frame is known by its number, also after the damage
        assert 24 < len(forward) < 72
        for frame in [*forward, *back]:
            if not 24 <= frame.index < 36:  # the group that was hit
                assert np.array_equal(frame.rgb_hw3, whole[frame.index]), frame.index


def test_a_position_beyond_the_last_frame_that_decodes(tmp_path, monkeypatch):
    monkeypatch.setattr(reader, "CHUNK_BYTES", SMALL)
    path = make_clip(tmp_path / "a.mp4", frames=72, **CUT["faststart.mp4"])
    source, forward, back = open_source(str(damaged(path, 0.6, 1))), [], []
    with pytest.raises(InputError, match=r"a\.mp4 is truncated or damaged: it ends after \d+ of 72 frames") as ahead:
        forward.extend(source)
    with pytest.raises(InputError) as behind:
        back.extend(source.backwards(71))
    assert str(behind.value) == str(ahead.value)
    assert 24 < len(forward) < 60
    same(back, forward[::-1])
    same(list(source.backwards(20)), forward[20::-1])  # asks for no more than there is


def test_a_cut_file_backwards_from_its_last_frame(tmp_path, monkeypatch):
    monkeypatch.setattr(reader, "CHUNK_BYTES", SMALL)
    path = make_clip(tmp_path / "a.mp4", frames=60, **CUT["faststart.mp4"])
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    source, forward = open_source(str(path)), []
    with pytest.raises(InputError, match="truncated"):
        forward.extend(source)
    same(list(source.backwards(len(source.frames) - 1)), forward[::-1])


@pytest.fixture
def alive(monkeypatch):
    """The addresses of the pictures of all frames that a file's source has made and that are still held."""
    made = FileSource._frame
    held = set()

    def make(self, number, image):
        frame = made(self, number, image)
        held.add(key := id(frame.rgb_hw3))
        weakref.finalize(frame.rgb_hw3, held.discard, key)
        return frame

    monkeypatch.setattr(FileSource, "_frame", make)
    return held


def test_a_chunk_of_frames_is_held_and_no_more(tmp_path, monkeypatch, alive):
    monkeypatch.setattr(reader, "CHUNK_BYTES", 20 * 160 * 120 * 3)
    source = open_source(str(make_clip(tmp_path / "clip.mp4", frames=150, options=GOP)))
    most = 0
    with closing(source.backwards(149)) as frames:
        for _ in frames:
            most = max(most, len(alive))
            time.sleep(0.002)  # the thread gets as far ahead as it can
    queued, handed_over = 4, 2
    assert 20 - handed_over <= most <= 20 + queued + handed_over
    del _
    assert not alive


def test_closing_early_ends_the_thread_and_frees_everything(tmp_path, alive):
    source = open_source(str(make_clip(tmp_path / "clip.mp4", frames=60, options=GOP)))
    frames = source.backwards(50)
    assert next(frames).index == 50
    frames.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("vidseg")]
    assert not alive
    open_files = [str(p.readlink()) for p in Path("/proc/self/fd").iterdir() if p.is_symlink()]
    assert not [name for name in open_files if name.endswith(".mp4")]


def test_folders_samples_and_selections(tmp_path):
    for number in range(5):
        Image.fromarray(picture(number)).save(tmp_path / f"{number:05d}.png")
    folder = open_source(str(tmp_path), step=2)
    same(list(folder.backwards(2)), [*folder][::-1])
    sample = SampleSource(0, frames=range(0, 9, 4))
    same(list(sample.backwards(1)), [*sample][1::-1])
    same(list(Selection(sample, [0, 8]).backwards(1)), [sample[8], sample[0]])


def test_reading_backwards_counts_as_extract():
    class Slow(ArraySource):
        """Takes 20 ms to read a frame backwards."""

        def backwards(self, position):
            for frame in super().backwards(position):
                time.sleep(0.02)
                yield frame

    class BothWays:
        """Reads all frames backwards before it tracks them."""

        def track(self, source, prompts):
            same(list(source.backwards(4)), list(source)[::-1])
            for frame in source:
                yield frame, FrameMasks(frame.index, (1,), np.ones((1, *frame.rgb_hw3.shape[:2]), np.float32))

    meter, source = Meter(), Slow(moving_squares(5))
    assert len(list(segmented(BothWays(), Told(source, (click(0, 1, (20, 30, 1)),)), meter))) == 5
    assert 0.1 <= meter.seconds["extract"] < meter.total()
