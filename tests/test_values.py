"""Values that name a file, whatever the file's name is: each comes through Hydra as it is."""

import json
import os
import shlex
import unicodedata

import pytest
from conftest import SEARCH_PATH, run_command
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf
from sweeping import SQUARE, jobs

import vidseg
from vidseg.config import resolvers
from vidseg.config.overrides import compose_config
from vidseg.config.values import quote_paths
from vidseg.job import JobFailed
from vidseg.paths import find_home, meant
from vidseg.sweep.videos import spread

NAMES = [
    "clip (1).mp4", "Tom's.mp4", "naïve é 日本.mp4", "a=b.mp4", "a,b.mp4", "#1.mp4", "[HD] x.mp4",
    "é/josé.mp4", "~x", "@home.mp4", "null", "true", " leading.mp4", "trailing.mp4 ", 'say "hi".mp4',
    "$HOME.mp4", "${x}.mp4", "${video}", "{a}.mp4", "{a: 1}", "back\\slash.mp4", "end\\", "a\\,b.mp4",
    "y\\'z.mp4", "a\\${b}.mp4", "a\\\\${b}.mp4", "a&b.mp4", "wow!.mp4", "50%d.mp4", "star*.mp4", "what?.mp4",
    "1.5", "1e3", "1_000", "nan", "emoji 🎬.mp4", unicodedata.normalize("NFD", "naïve.mp4"), "new\nline.mp4",
    "-m", "x" * 250, "é" * 120, "choice(a,b)", "range(1,3)", "'quoted'", '"quoted"', "a:b.mp4", "a|b.mp4",
    "a;b.mp4", "tab\t.mp4", "a,,b.mp4", "a, b.mp4", ",", "=", "[]", "\udcff.mp4",
]  # fmt: skip


def value_of(argument):
    """What a configuration has, first as the command gives it, then as a sweep gives it to its job."""
    for _ in range(2):
        override = OverridesParser.create().parse_override(argument)
        assert not override.is_sweep_override()
        config = OmegaConf.create({"value": None})
        OmegaConf.update(config, "value", override.value())
        yield config.value
        argument = f"{override.key_or_group}={override.get_value_element_as_str()}"


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:20])
def test_an_existing_path_is_that_path(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    for key in ("++video", "metric.davis_jf.truth", "hydra.run.dir"):
        for flags in ([], ["-m"]):
            argument = spread([*flags, f"{key}={name}"])[-1]
            assert argument.startswith(f"{key}=")
            assert list(value_of(argument)) == [name, name]
    assert spread([argument]) == [argument], "what is quoted already stays as it is"


def test_other_keys_and_ordinary_names_stay_as_they_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.mp4", "sample", "random", "5", "a b.png", "x,y", "[rle]", "tiny,small"):
        (tmp_path / name).touch()
    for same in ("video=a.mp4", "video=sample", "model.checkpoint=random", "stride=5", "output=[rle]",
                 "model=tiny,small", "+metric.mine.count=5", "+output.mine.count=5", "video='b c.mp4'",
                 "hydra.run.dir='b c'", "~video",
                 "hydra.run.dir=runs/${now:%Y-%m-%d}", "prompt.path=missing (1).yaml", "prompt.path=null", "--help",
                 "--config-dir=a b.png"):  # fmt: skip
        assert quote_paths([same]) == [same]
    assert quote_paths(["+output.mine.image=a b.png!"]) == ["+output.mine.image=a b.png!"]
    (tmp_path / "a b.png!").touch()
    assert quote_paths(["+output.mine.image=a b.png!"]) == ["+output.mine.image='a b.png!'"]
    assert quote_paths(["+metric.mine.labels=x,y"]) == ["+metric.mine.labels='x,y'"]
    assert quote_paths(["video=1e3"]) == ["video='1e3'"], "no such file, but the message has the user's text"
    (tmp_path / "???").touch()
    assert quote_paths(["video=???"]) == ["video=./???"], "OmegaConf takes ??? for a missing value"


def test_folders_that_are_not_there_yet(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for text in ("out (1)", "josé's", "a,b", "2024_01_01", "null", " out", "x=y"):
        for key in ("hydra.run.dir", "hydra.sweep.dir", "tracker.dir"):
            assert list(value_of(quote_paths([f"{key}={text}"])[0])) == [text, text]
    found = quote_paths(["hydra.run.dir=runs/${now:%Y}/clip (1)"])
    assert found == ["hydra.run.dir='runs/${now:%Y}/clip (1)'"], "an interpolation stays one"


@pytest.mark.parametrize(
    "text", ["der große Hund.", "赤い自転車", "a dog, a cat.", "the red bicycle. a dog.", "a=b", "dog"]
)
def test_words_in_any_language(text):
    assert list(value_of(spread([f"prompt.text={text}"])[0])) == [text, text]
    assert spread(["-m", "prompt.text=Hündin,a cat"]) == ["-m", "prompt.text='Hündin',a cat"]
    for same in ("prompt.text='x, y'", "prompt.text=[a,b]", "prompt.text=null", "prompt.text=${x}", "prompt.text="):
        assert spread([same]) == [same]


def test_the_home_folder(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "jo é"))
    (tmp_path / "jo é").mkdir()
    (tmp_path / "jo é" / "p.yaml").touch()
    assert quote_paths(["prompt.path=~/p.yaml"]) == [f"prompt.path='{tmp_path}/jo é/p.yaml'"]
    assert str(meant("~no such user/x")) == "~no such user/x"
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # as for a user whom nobody lists
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.delenv("HOME")
    find_home()
    find_home()
    assert [str(path) for path in tmp_path.glob("vidseg-home-*")] == [os.environ["HOME"]]
    assert caplog.text.count("HOME isn't set") == 1


def test_several_values_of_a_sweep(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a (1).mp4", "b.mp4", "c,d.mp4", "null"):
        (tmp_path / name).touch()
    assert spread(["-m", "video=a (1).mp4,b.mp4,sample"])[1] == "video='a (1).mp4',b.mp4,sample"
    assert spread(["-m", "video=c,d.mp4,a (1).mp4"])[1] == "video='c,d.mp4','a (1).mp4'"
    assert spread(["-m", "video=a*,c,d.mp4"])[1] == "video='a (1).mp4','c,d.mp4'"
    assert spread(["-m", "prompt.path=b.mp4,null"])[1] == "prompt.path=b.mp4,'null'"
    assert spread(["-m", "prompt.path=b.mp4,missing"])[1] == "prompt.path=b.mp4,missing"
    assert spread(["-m", "hydra.sweep.dir=a,b"])[1] == "hydra.sweep.dir='a,b'"


@pytest.mark.parametrize(
    "argument", ["video=Tom's (2).mp4", "prompt.path=${stem:${video}}.yaml", "video=a,b.mp4", "+model.x={é}!"]
)
def test_the_message_has_what_to_type(tmp_path, monkeypatch, argument):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(JobFailed) as raised:
        vidseg.run(["prompt=file", argument])
    before, form = str(raised.value).split("in a shell ")
    (typed,) = shlex.split(form)
    override = OverridesParser.create().parse_override(typed)
    assert before.startswith(argument)
    assert override.value() == argument.partition("=")[2]


@pytest.mark.slow
def test_a_run_and_a_sweep_end_to_end(tmp_path, monkeypatch, clip):
    """Through the folders' names, W&B's tags and the record, once by the command and once from Python."""
    monkeypatch.chdir(tmp_path)
    names = ["[HD] naïve (1), é=日本.mp4", "w\\${x}' \".mp4", "null"]
    for name in names:
        (tmp_path / name).hardlink_to(clip)
    (tmp_path / "null.yaml").write_text("prompts: [{frame: 0, object: 1, points: [[20, 30]]}]")
    click = [argument for argument in SQUARE if not argument.startswith("prompt")]
    run = vidseg.run([SEARCH_PATH, *click, "video=null", "prompt=file", 'prompt.path="${stem:${video}}.yaml"',
                      "tracker=none", "hydra.run.dir=out (1)"])  # fmt: skip
    assert run.summary["status"] == "finished"
    assert str(run.folder) == "out (1)"
    assert OmegaConf.load(run.folder / ".hydra" / "config.yaml").video == "null"
    done = run_command(tmp_path, "-m", *SQUARE, f"video={','.join(names)}", "hydra.sweep.dir=a sweep",
                       env={"WANDB_MODE": "disabled", "PYTHONIOENCODING": "ascii"})  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = jobs(tmp_path / "a sweep")
    assert [job["status"] for job in found] == ["finished"] * len(names)
    for job, name in zip(found, names, strict=True):
        config, _ = compose_config([SEARCH_PATH, *job["overrides"]])
        recorded = OmegaConf.load(tmp_path / "a sweep" / job["folder"] / ".hydra" / "config.yaml")
        assert config.video == recorded.video == name
        assert json.loads((tmp_path / "a sweep" / job["folder"] / "summary.json").read_text())["frames"] == 4


def test_names_of_folders_fit_into_a_file_system():
    name = resolvers.slug(1000, "video=" + "日" * 100)
    assert len(name.encode()) <= 205
    assert name != resolvers.slug(1000, "video=" + "日" * 101)
