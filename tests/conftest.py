"""What the tests share: small real clips, the command as a process, and where the real videos are."""

import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import numpy as np
import platformdirs
import pytest
from hydra.core.global_hydra import GlobalHydra

if "PYTEST_XDIST_WORKER" in os.environ:  # a core a worker: two workers of two threads wait for each other
    os.environ.setdefault("OMP_NUM_THREADS", "1")

if "PYTEST_XDIST_WORKER" not in os.environ and "vidseg-tests-" not in os.environ.get("XDG_CACHE_HOME", ""):
    # Once: workers inherit it, and a folder's own conftest.py may import this one again, under another name.
    # Frames of the built-in clip are kept for the session; all else in the user's cache folder is as it was.
    CACHE = tempfile.TemporaryDirectory(prefix="vidseg-tests-")
    own, users = Path(CACHE.name), Path(platformdirs.user_cache_dir())
    (own / "vidseg").mkdir()
    for link in [*users.glob("[!.]*"), *(users / "vidseg").glob("*")]:
        if link.name not in ("vidseg", "clip"):
            (own / link.relative_to(users)).symlink_to(link)
    os.environ["XDG_CACHE_HOME"] = CACHE.name

ROOT = Path(__file__).parent.parent
SEARCH_PATH = f"hydra.searchpath=[file://{ROOT / 'tests' / 'conf'}]"  # for runs in this process: model=square is found


def slow_but(quick, values):
    """The values of a parameter; the tests with any but ``quick`` are slow ones."""
    return [value if value in quick else pytest.param(value, marks=pytest.mark.slow) for value in values]


@contextmanager
def hydra_of_its_own():
    """A process in which nobody has initialised Hydra; sam2 has, where another test imported it before."""
    theirs = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    yield
    GlobalHydra.instance().hydra = theirs


@pytest.fixture
def own_hydra():
    """The same for a test."""
    with hydra_of_its_own():
        yield


def picture(index, width=160, height=120):
    """A gradient with a bright square of 40 pixels, moving 2 pixels a frame, where fakes.Square's object 1 is."""
    image = np.empty((height, width, 3), np.uint8)
    image[..., 0] = np.linspace(20, 90, width)
    image[..., 1] = np.linspace(30, 80, height)[:, None]
    image[..., 2] = 60
    image[10:50, 2 * index : 2 * index + 40] = (220, 180, 40)
    return image


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    """20 frames of 160x120 at 10 fps, H.264 in MP4."""
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", 10, options={"crf": "10"})
        stream.width, stream.height, stream.pix_fmt, stream.time_base = 160, 120, "yuv420p", Fraction(1, 10)
        for index in range(20):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(index), format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.fixture
def data():
    """The folder of real videos and DAVIS sequences, named by VIDSEG_DATA."""
    if "VIDSEG_DATA" not in os.environ:
        pytest.skip("VIDSEG_DATA does not name the folder of real videos")
    return Path(os.environ["VIDSEG_DATA"])


def command(*arguments, env=None):
    """The command line of vidseg with the fakes and their YAML files, as keywords of subprocess.run and Popen."""
    words = [sys.executable, "-m", "vidseg", "--config-dir", str(ROOT / "tests" / "conf"), *arguments]
    return {"args": words, "env": {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", **(env or {})}}


def run_command(folder, *arguments, timeout=120, env=None):
    """Runs the command in ``folder``."""
    return subprocess.run(
        **command(*arguments, env=env), cwd=folder, capture_output=True, text=True, timeout=timeout, check=False
    )


@pytest.fixture
def vidseg(tmp_path):
    """Runs the command in an empty folder."""
    return partial(run_command, tmp_path)
