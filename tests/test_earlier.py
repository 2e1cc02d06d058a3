"""A run into a folder that holds an earlier run starts clean, and touches nothing that vidseg didn't write."""

import json
import shutil
from functools import partial

import pytest
from conftest import SEARCH_PATH
from sweeping import SQUARE

import vidseg as package
from vidseg.errors import InputError
from vidseg.job import JobFailed
from vidseg.record import earlier

pytestmark = pytest.mark.timeout(120)
ALL = "output=[cutout,masks,frames,rle]"


def run_in(folder, clip, *overrides):
    """A run of 4 frames in this process, without W&B."""
    return package.run([SEARCH_PATH, *SQUARE, f"video={clip}", "tracker=none", f"hydra.run.dir={folder}", *overrides])


@pytest.fixture
def run(tmp_path, clip):
    """Runs into the folder ``run``."""
    return partial(run_in, tmp_path / "run", clip)


@pytest.fixture(scope="module")
def made(tmp_path_factory, clip):
    return run_in(tmp_path_factory.mktemp("made") / "run", clip, ALL, "stride=1").folder


@pytest.fixture
def ran(made, tmp_path):
    """The folder ``run`` with an earlier run."""
    return shutil.copytree(made, tmp_path / "run")


def content(folder):
    """What is in every file of a folder, without vidseg's own."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and ".vidseg" not in path.parts)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize("killed", [False, True])
def test_nothing_of_an_earlier_run_is_left(run, ran, killed):
    folder = ran
    mine = {"notes.txt": b"a", "samples/mine.png": b"b", "masks/mine.png": b"c", "mine/00000.png": b"d"}
    for name, data in mine.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
    if killed:
        (folder / "summary.json").unlink()
        for name in (".cutout.mp4.part", "frames/.00003.png.part", "samples/.frame_00003.png.part"):
            (folder / name).touch()
    (folder / ".vidseg" / "memory.pt").touch()  # such as a checkpoint of the engine
    run("output=[]", "extract.start=2", "stride=2", "prompt.frame=2")
    left = {name for name in content(folder) if not name.startswith(".hydra")}
    own = {"summary.json", "vidseg.log", "masks.jsonl", "frames.jsonl", "contact_sheet.png", "samples/frame_00002.png"}
    assert left == {*own, *mine}
    assert not (folder / "frames").exists()
    assert sorted(path.name for path in (folder / ".vidseg").iterdir()) == ["files.json", "lock", "run.json"]
    assert (folder / "vidseg.log").read_text().count("finished: ") == 1


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        ("stride=0", "stride: 0"),
        ("prompt.points=[[500,30]]", "prompt.points: "),
        ("video=nowhere.mp4", "video: no such file"),
        ("output.cutout.codec=divx", "output.cutout.codec: "),
        ("+model.nonsense=1", "model: "),  # a model that can't be built
        ("model.shift='${nothing}'", "model.shift: Interpolation key 'nothing' not found"),
    ],
)
def test_a_mistake_loses_nothing_of_an_earlier_run(run, ran, mistake, message):
    before = content(ran)
    with pytest.raises(JobFailed, match=message):
        run("output=[cutout]", mistake)
    after = content(ran)
    log = after.pop("vidseg.log").decode()
    assert log.startswith(before.pop("vidseg.log").decode())
    assert message in log
    assert after == before
    assert run("output=[]").summary["outputs"] == {"rle": "masks.jsonl"}


@pytest.mark.parametrize("path", ["", "/", "/masks.jsonl", "/cutout.mp4", "/frames", "/masks/00000.png", "/samples"])
def test_a_run_doesn_t_remove_what_it_reads(ran, path):
    before = content(ran)
    with pytest.raises(InputError, match=f"^model.path: the run reads {ran}{path}, .*; choose another hydra.run.dir"):
        earlier.check(ran, {}, {"model.path": f"{ran}{path}"})
    assert content(ran) == before
    others = ("sample", "", "~nobody/x", "a" * 5000, "\0", str(ran.parent), f"{ran}/vidseg.log", None, 0.5)
    earlier.check(ran, {}, dict(zip("abcdefghi", others, strict=True)))


def test_a_run_isn_t_replayed_into_its_own_folder(ran, clip):
    common = (SEARCH_PATH, f"video={clip}", "model=replay", "prompt=replayed", "tracker=none", "output=[cutout]")
    before = content(ran)
    with pytest.raises(JobFailed, match=r"^model.path: the run reads"):
        package.run([*common, f"model.path={ran}", f"hydra.run.dir={ran}"])
    assert {**content(ran), "vidseg.log": b""} == {**before, "vidseg.log": b""}


def test_what_somebody_else_wrote_is_neither_removed_nor_overwritten(run, tmp_path):
    folder = tmp_path / "run"
    (folder / "masks").mkdir(parents=True)
    (folder / "masks" / "00000.png").write_bytes(b"an annotation")
    (folder / "cutout.mp4").write_bytes(b"a video")
    for output, path in (("masks", "masks"), ("cutout", "cutout.mp4")):
        line = (
            f"^output.{output}.path: {folder / path} is there already, and vidseg didn't write it; choose another path"
        )
        for _ in range(2):  # the record of the first attempt makes nothing there vidseg's own
            with pytest.raises(JobFailed, match=line):
                run(f"output=[{output},rle]")
    run("output=[rle]")
    assert (folder / "masks" / "00000.png").read_bytes() == b"an annotation"
    assert (folder / "cutout.mp4").read_bytes() == b"a video"
    with pytest.raises(JobFailed, match=r"^output.cutout.path: "):
        run("output=[cutout]")
    assert (folder / "masks.jsonl").exists()


@pytest.mark.parametrize("name", ["frames.jsonl", "masks.jsonl", "samples/photo.png", "summary.json"])
def test_a_folder_with_such_files_of_somebody_else_is_no_run_s(tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine")
    with pytest.raises(InputError, match=r"^hydra.run.dir: .* is there already, and vidseg didn't write it; choose an"):
        earlier.check(tmp_path, {}, {})


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        (("a.mp4", "./a.mp4"), "output.1.path: ./a.mp4 is the path of output.0.path, too; give each its own"),
        (("summary.json",), "output.0.path: summary.json is a file of the run's own record; choose another path"),
        (("samples",), "output.0.path: samples is a file of the run's own record"),
        (("file/a.mp4",), "output.0.path: file/a.mp4 can't be written into .*/file; choose another path"),
        (("../beside.mp4",), "output.0.path: .*/beside.mp4 is there already"),
    ],
)
def test_paths_that_outputs_can_t_have(tmp_path, paths, message):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "file").touch()
    (tmp_path / "beside.mp4").touch()
    with pytest.raises(InputError, match=message):
        earlier.check(tmp_path / "run", {f"output.{number}.path": path for number, path in enumerate(paths)}, {})


def test_what_is_listed_is_removed_inside_the_folder_only(tmp_path):
    folder = tmp_path / "run"
    (folder / "masks").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    for path in (tmp_path / "beside.mp4", tmp_path / "elsewhere" / "00000.png", folder / "masks" / "00000.png"):
        path.touch()
    outputs = ["../beside.mp4", "../elsewhere", "linked", "masks", "deep/down/a.mp4", str(tmp_path / "empty")]
    (tmp_path / "empty").mkdir()
    earlier.begin(folder, outputs)
    assert (folder / "deep" / "down").is_dir()
    earlier.check(folder, {f"output.{name}.path": name for name in outputs}, {})
    earlier.begin(folder, [])
    assert {path.name for path in tmp_path.iterdir()} == {"run", "beside.mp4", "elsewhere", "empty"}
    assert (tmp_path / "elsewhere" / "00000.png").exists()
    assert not (folder / "masks").exists()
    assert "masks" not in json.loads((folder / ".vidseg" / "files.json").read_text())["files"]
