"""Kept frames of the built-in clip: bit by bit as drawn, ten times sooner, and never worse than none."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT

import vidseg.sample.cache as cache
from vidseg.paths import made_whole
from vidseg.sample import SampleSource
from vidseg.sample.cache import CLIPS, FrameCache
from vidseg.sample.drawing import Drawing

drawing_of = lru_cache(Drawing)  # its rink takes 0.7 s to paint


@pytest.fixture(autouse=True)
def clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the clips, not there yet."""
    monkeypatch.setattr("vidseg.sample.source.Drawing", drawing_of)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "vidseg" / "clip"


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From its call on nothing can be drawn."""

    def forbid() -> None:
        for name in ("picture", "truth"):
            monkeypatch.setattr(Drawing, name, lambda *_: pytest.fail("drawn"))

    return forbid


def same(source: SampleSource, index: int, drawing: Drawing) -> bool:
    """Whether the source's frame and truth are those of the drawing, bit by bit."""
    picture, truth = source[index].rgb_hw3, source.truth(index)
    assert (picture.dtype, truth.dtype) == (np.uint8, np.uint8)
    return np.array_equal(picture, drawing.picture(index)) and np.array_equal(truth, drawing.truth(index))


@pytest.mark.parametrize("seed", [0, 1, 5])
def test_a_kept_frame_is_the_drawn_one(seed: int, undrawn: Callable[[], None]) -> None:
    drawing, indices = drawing_of(seed), (0, 91, 179)
    first = SampleSource(seed)
    assert all(same(first, index, drawing) for index in indices)
    drawn = [(drawing.picture(index), drawing.truth(index)) for index in indices]
    undrawn()
    kept = SampleSource(seed, indices)
    for frame, (picture, truth) in zip(kept, drawn, strict=True):
        assert np.array_equal(frame.rgb_hw3, picture)
        assert np.array_equal(kept.truth(frame.index), truth)
        frame.rgb_hw3[:] = 0  # whoever changes a frame changes its own
    backwards = list(kept.backwards(2))
    assert [frame.index for frame in backwards] == [179, 91, 0]
    assert all(np.array_equal(f.rgb_hw3, picture) for f, (picture, _) in zip(backwards[::-1], drawn, strict=True))


def test_only_what_was_asked_for_is_drawn_and_kept(clips: Path) -> None:
    source = SampleSource(2, range(0, 180, 60))
    source.truth(5)
    assert not clips.exists()
    assert len(list(source)) == 3
    (folder,) = clips.iterdir()
    assert sorted(path.name for path in folder.iterdir()) == ["000.frame", "060.frame", "120.frame"]
    assert max(path.stat().st_size for path in folder.iterdir()) < 2.8e6  # 180 of them are 0.5 GB


def test_reading_takes_a_tenth_of_drawing() -> None:
    """Measured: a fiftieth. Processor time of all threads, the fastest of five frames of each."""

    def fastest(source: SampleSource) -> float:
        took = []
        for index in range(80, 85):
            begun = time.process_time()
            source[index]
            source.truth(index)
            took.append(time.process_time() - begun)
        return min(took)

    drawing = fastest(SampleSource(0))
    assert fastest(SampleSource(0)) < drawing / 10


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:1000],
        lambda data: data[: 1280 * 720 * 3],
        lambda data: data[: 1280 * 720 * 3 + 5],
        lambda data: data[:-1],
        lambda data: data + b"\0",
        lambda data: bytes(len(data)),
        lambda data: flipped(data, 1_000_000),
        lambda data: flipped(data, 1280 * 720 * 3 + 9),
        lambda data: flipped(data, len(data) - 1),
        lambda data: flipped(data, len(data) - 6),
        lambda data: flipped(data, len(data) - 12),
        lambda data: data[4096:8192] + data[:4096] + data[8192:],
    ],
)
@pytest.mark.parametrize("truth_first", [False, True])
def test_a_damaged_file_is_drawn_and_kept_again(damage: Callable[[bytes], bytes], truth_first: bool) -> None:
    drawing = drawing_of(0)
    folder = FrameCache(0).folder
    assert folder is not None
    picture, truth = drawing.picture(40), drawing.truth(40)
    FrameCache(0).keep(40, picture, truth)
    path = folder / "040.frame"
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    source = SampleSource(0)
    if truth_first:
        assert np.array_equal(source.truth(40), truth)
    assert np.array_equal(source[40].rgb_hw3, picture)
    assert np.array_equal(source.truth(40), truth)
    assert np.array_equal(source[40].rgb_hw3, picture)
    assert path.read_bytes() == whole


def test_a_folder_that_cannot_be_written_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    caplog.set_level("INFO")
    source = SampleSource(0)
    assert all(same(source, index, drawing_of(0)) for index in (3, 4, 3))
    (said,) = caplog.messages
    assert said.startswith("sample: drawn frames are not kept: ")


def test_the_last_space_is_left_to_others(clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(clips.parents[1])
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=10**9))
    assert same(SampleSource(0), 7, drawing_of(0))
    assert list(clips.glob("*/*")) == []


def test_a_home_folder_for_one_run_holds_no_clips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/tmp/vidseg-home-1234")
    assert FrameCache(0).folder is None
    assert same(SampleSource(0), 7, drawing_of(0))


def test_two_writers_at_once(clips: Path, undrawn: Callable[[], None]) -> None:
    code = "from vidseg.sample import SampleSource\nfor frame in SampleSource(3, range(50, 55)): pass"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    writers = [subprocess.Popen([sys.executable, "-c", code], env=environment) for _ in range(2)]
    assert [writer.wait(100) for writer in writers] == [0, 0]
    (folder,) = clips.iterdir()
    assert sorted(path.name for path in folder.iterdir()) == [f"0{index}.frame" for index in range(50, 55)]
    drawn = drawing_of(3).picture(54)
    undrawn()
    assert np.array_equal(list(SampleSource(3, range(50, 55)))[-1].rgb_hw3, drawn)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, OSError])
def test_an_interrupted_writer_leaves_nothing(stop: type[BaseException], tmp_path: Path) -> None:
    path = tmp_path / "new" / "000.frame"
    with pytest.raises(stop), made_whole(path) as file:
        file.write(b"half")
        file.flush()
        raise stop
    assert list(path.parent.iterdir()) == []


def test_what_killed_writers_left_is_removed_later(clips: Path) -> None:
    SampleSource(0)[0]
    (folder,) = clips.iterdir()
    for name, age_s in ((".old.part", 7200), (".new.part", 60)):
        (folder / name).touch()
        os.utime(folder / name, (time.time() - age_s,) * 2)
    SampleSource(0)[1]
    assert sorted(path.name for path in folder.iterdir()) == [".new.part", "000.frame", "001.frame"]


def test_other_versions_and_older_clips_make_room(clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = np.zeros((720, 1280, 3), np.uint8)
    for age_s, seed in enumerate((1, 0, 10, 2, 3)):
        FrameCache(seed).keep(0, small, small[..., 0].copy())
        for folder in clips.glob(f"seed{seed}-*"):
            os.utime(folder, (time.time() - 100 + age_s,) * 2)
    current = cache.version()
    assert {path.name for path in clips.iterdir()} == {f"seed{seed}-{current}" for seed in (0, 10, 2, 3)}
    assert len(list(clips.iterdir())) == CLIPS
    monkeypatch.setattr(cache, "version", lambda: "new")
    FrameCache(10).keep(0, small, small[..., 0].copy())
    assert {path.name for path in clips.iterdir()} == {"seed10-new", *(f"seed{s}-{current}" for s in (0, 2, 3))}


def test_whoever_changes_the_drawing_changes_the_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = shutil.copytree(Path(cache.__file__).parent, tmp_path / "sample")
    monkeypatch.setattr(cache, "__file__", str(copy / "cache.py"))
    before = cache.version.__wrapped__()
    assert before == cache.version()
    for name in ("figure.py", "paint.py", "pose.py", "rink.py", "skater.py", "drawing.py"):
        with (copy / name).open("a") as file:
            file.write("GRAIN = 6\n")
        after = cache.version.__wrapped__()
        assert after != before
        before = after
    monkeypatch.setattr("cv2.__version__", "9.9")
    assert cache.version.__wrapped__() != before


def test_alpha_is_kept_where_it_was_asked_for(clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawing, source = drawing_of(0), SampleSource(0)
    expected = drawing.alpha(90)
    assert np.array_equal(source.alpha(90), expected)
    (folder,) = clips.iterdir()
    assert [path.name for path in folder.iterdir()] == ["090.alpha"]
    assert (folder / "090.alpha").stat().st_size < 100_000
    (folder / "090.alpha").write_bytes(flipped((folder / "090.alpha").read_bytes(), 1000))
    assert np.array_equal(SampleSource(0).alpha(90), expected)
    monkeypatch.setattr(Drawing, "alpha", lambda *_: pytest.fail("drawn"))
    assert np.array_equal(SampleSource(0).alpha(90), expected)
