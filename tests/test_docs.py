"""What the README and docs/ show: every command, snippet, link and path, and the table of keys.

Every command is composed as it stands. It is also run in small where this machine can: videos and annotations are drawn
here, and the fake (fakes.Square) takes the place of SAM 2; for prompt files and in Python `nano` at 128 pixels. A
command that the tests don't know fails.
"""

import argparse
import contextlib
import json
import logging
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch
import yaml
from conftest import ROOT, SEARCH_PATH, hydra_of_its_own, picture
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, RangeSweep
from omegaconf import OmegaConf
from safetensors.torch import load_file

from docs.keys import PAGE as KEYS
from docs.keys import page
from vidseg import config as configuration
from vidseg.config.values import name_groups
from vidseg.video import open_source

pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("own_hydra")]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PROGRAMS = ("python", "make", "wandb", "vidseg", "pip", "git", ".venv/bin/pre-commit")

# Composed and not run: these need a cluster, GPUs or minutes. tests/test_sweep_launchers.py and test_sweep_optuna.py
# run what this machine can of them.
ELSEWHERE = ("hydra/launcher=", "hydra/sweeper=optuna", "device=")
BENCHMARKS = (
    "benchmarks.engine",
    "benchmarks.flops",
    "benchmarks.gpu",
    "benchmarks.memory",
    "benchmarks.peers",
    "benchmarks.strangers",
    "benchmarks.yolo_skaters",
)  # arguments parsed
SMALL = {  # what takes the place of an argument, so that a run takes seconds
    "precision=bf16,tf32": "precision=fp32,tf32",
    "prompt.frame=40": "prompt.frame=2",
    "prompt.frame=3000": "prompt.frame=1",
    "prompt.frame=1.5s": "prompt.frame=0.1s",
    "extract.start=3000": "extract.start=1",
    "extract.stop=130s": "extract.stop=0.15s",
    "output.cutout.codec=hevc": "output.cutout.codec=ffv1",
    "extract.height=540": "extract.height=60",
}
SAM2 = ("tiny", "small", "base_plus", "large")
RAN = []  # small commands that have run


def blocks(text):
    """(language, content) of every fenced block, and of every indented one, which is "bash"; a listing is ""."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    rest = re.sub(r"^```\w*\n.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    indented = re.findall(r"(?<=\n\n)((?:    .*\n)+)", rest)
    return [*fenced, *(("bash", re.sub(r"^    ", "", content, flags=re.MULTILINE)) for content in indented)]


def spans(text):
    """What stands in backticks outside the blocks, each on one line."""
    prose = re.sub(r"^```\w*\n.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose)]


def snippets(language):
    """The blocks of a language on all pages: (page, content)."""
    return [(path.name, content) for path in PAGES for name, content in blocks(path.read_text()) if name == language]


def commands():
    """The commands of all pages as lists of words, split by bash itself; each once."""
    found = {}
    for path in PAGES:
        text = path.read_text()
        shell = [content for language, content in blocks(text) if language == "bash"]
        begins = re.compile(rf"({'|'.join(map(re.escape, PROGRAMS))})\s")
        lines = [*shell, *filter(begins.match, spans(text))]
        functions = "\n".join(f"{name}() {{ printf '%s\\0' {name} \"$@\"; printf '\\1'; }}" for name in PROGRAMS)
        script = "\n".join([functions, "PATH=", *lines])
        done = subprocess.run(["bash", "-euf", "-c", script], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{path.name}: a command that tests/test_docs.py doesn't know: {done.stderr}"
        for record in done.stdout.split("\1")[:-1]:
            found.setdefault(tuple(record.split("\0")[:-1]), path.name)
    return [
        pytest.param(
            words, id=f"{name}: {' '.join(words)}"[:150], marks=() if name == "README.md" else pytest.mark.slow
        )
        for words, name in found.items()
    ]


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A folder with everything that the pages name: videos, annotations, prompt files, weights, earlier runs."""
    folder = tmp_path_factory.mktemp("desk")
    for path in ("clips", "prompts", "checkpoints", "masks", "runs/wandb/offline-run-1"):
        (folder / path).mkdir(parents=True)
    encode(folder / "clip.mp4")
    for name in ("match.mkv", "clips/a.mp4", "clips/b.mp4"):
        shutil.copy(folder / "clip.mp4", folder / name)
    for name in ("camel", "dog"):
        sequence, truth = (folder / "DAVIS" / part / "480p" / name for part in ("JPEGImages", "Annotations"))
        for part in (sequence, truth):
            part.mkdir(parents=True)
        for index in range(4):
            cv2.imwrite(f"{sequence}/{index:05d}.jpg", picture(index))
            mask = np.zeros((120, 160), np.uint8)
            mask[10:50, 2 * index : 2 * index + 40] = 255
            cv2.imwrite(f"{truth}/{index:05d}.png", mask)
    (folder / "photos").mkdir()
    skater = open_source("sample")[0].rgb_hw3[..., ::-1]
    for name, width in (("photo", 1280), ("photos/beach", 1200), ("photos/harbour", 1280)):
        cv2.imwrite(f"{folder}/{name}.jpg", skater[:, :width])
    mask = np.zeros((720, 1280), np.uint8)
    mask[400:500, 600:700] = 255
    cv2.imwrite(f"{folder}/masks/third.png", mask)
    (folder / "videos.txt").write_text("clips/a.mp4\nclips/b.mp4\n")
    for name in ("a", "b"):
        (folder / "prompts" / f"{name}.yaml").write_text("prompts: [{frame: 0, object: 1, points: [[782, 301]]}]")
    for _, content in [*snippets("yaml"), *snippets("python")]:
        if named := re.match(r"(?:# @package .*\n)?# ([\w./]+\.(?:yaml|py))\n", content):
            path = folder / named[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content.replace("frame: 40", "frame: 1").replace("frame: 90", "frame: 2"))
    shutil.copy(ROOT / "vidseg/model/nano/nano.yaml", folder / "mine.yaml")
    torch.save({"model": load_file(ROOT / "vidseg/model/nano/nano.safetensors")}, folder / "checkpoints/mine.pt")
    return folder


def encode(path):
    """Four frames of 1280x720 at 20 fps: a bright square on a gradient, where the pages click."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", 20, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt, stream.time_base = 1280, 720, "yuv420p", Fraction(1, 20)
        for index in range(4):
            image = np.full((720, 1280, 3), 60, np.uint8)
            image[100:500, 640 + 8 * index : 900 + 8 * index] = (220, 180, 40)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


@pytest.fixture(scope="module")
def earlier(desk):
    """The runs that the pages look back at: a sweep of two jobs, and each of them as a run of its own."""
    sweep = desk / "runs/sweeps/2026-11-23/09-30-00"
    with contextlib.chdir(desk), pytest.MonkeyPatch.context() as patch, hydra_of_its_own():
        run(
            ["-m", "video=clip.mp4", "prompt=skater", "model=square", "precision=fp32,tf32", "output=[overlay,rle]",
             f"hydra.sweep.dir={sweep}", *ALWAYS],
            patch,
        )  # fmt: skip
    for number, name in enumerate(("09-30-00", "09-12-41")):
        (job,) = sweep.glob(f"{number}_*")
        shutil.copytree(job, desk / "runs/2026-11-23" / name)
    return desk


ALWAYS = ["tracker=none", "threads=1", SEARCH_PATH]


def run(arguments, monkeypatch):
    """`python -m vidseg ARGUMENTS` in this process."""
    from vidseg.__main__ import main

    handlers = list(logging.root.handlers)
    monkeypatch.setattr(sys, "argv", ["vidseg", *arguments])
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")  # main() sets it
    monkeypatch.syspath_prepend(str(Path.cwd()))  # as python -m does
    try:
        main()
    except SystemExit as ended:
        if ended.code:
            pytest.fail(f"{arguments}: {ended.code}")
    finally:
        for handler in set(logging.root.handlers) - set(handlers):
            handler.close()
        logging.root.handlers[:] = handlers


@pytest.mark.parametrize("words", commands())
def test_command(words, earlier, monkeypatch, capsys):
    monkeypatch.chdir(earlier)
    program, *rest = words
    if program == "python":
        assert rest[0] == "-m"
        python(rest[1], rest[2:], monkeypatch, capsys)
    elif program == "vidseg":
        run(rest, monkeypatch)
        assert "hydra" in capsys.readouterr().out
    elif program == "make":
        subprocess.run(["make", "-n", *rest], cwd=ROOT, check=True, capture_output=True)
    elif program == "wandb":
        wandb(rest)
    elif program == "pip":
        install(rest)
    elif program == "git":
        assert rest[0] == "show"
        if git("rev-parse", "--is-shallow-repository").stdout != "false\n":
            pytest.skip("this checkout has no history")
        assert git("cat-file", "-e", rest[1]).returncode == 0
    else:
        assert words == (".venv/bin/pre-commit", "install")
        assert (ROOT / ".pre-commit-config.yaml").exists()


def git(*arguments):
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


def python(module, arguments, monkeypatch, capsys):
    if module == "vidseg":
        if {"--help", "--cfg"} & set(arguments):
            run(arguments, monkeypatch)
            assert "video: sample" in capsys.readouterr().out
        elif arguments:
            as_written(arguments)
            if not any(argument.startswith(ELSEWHERE) for argument in arguments):
                in_small(arguments, monkeypatch)
    elif module == "vidseg.compare":
        from vidseg.compare.__main__ import main

        main(arguments)
        assert "fps" in capsys.readouterr().out
    elif module == "vidseg.pick":
        from vidseg.pick.opening import open_all

        open_all([SMALL.get(each, each) for each in arguments]).close()  # tests/pick opens the page
    elif module == "docs.keys":
        assert not arguments  # test_keys runs it
    else:
        assert module in BENCHMARKS
        parse(module, arguments, monkeypatch)


def as_written(arguments):
    """Composes the last job of a command: its choices, keys and types are there."""
    options, overrides = [], []
    for argument in arguments:
        (options if argument.startswith("-") or options[-1:] == ["--config-dir"] else overrides).append(argument)
    folder = f"hydra.searchpath=[file://{Path.cwd() / options[-1]}]" if "--config-dir" in options else None
    configuration.register()
    with initialize_config_dir(configuration.folder(), version_base="1.3"):
        config = compose(
            "config",
            [*map(last_value, name_groups(overrides)), *([folder] if folder else [])],
            return_hydra_config=True,
        )
    OmegaConf.to_container(config.model, resolve=True)


def last_value(argument):
    """Of KEY=A,B the argument KEY=B; of a range or an interval its beginning."""
    if argument.startswith("video="):  # lists and patterns are vidseg's own
        return "video=sample"
    override = OverridesParser.create().parse_override(argument)
    if not override.is_sweep_override():
        return argument
    value = override.value()
    if isinstance(value, RangeSweep | IntervalSweep):
        return f"{override.get_key_element()}={value.start}"
    return f"{override.get_key_element()}={list(override.sweep_string_iterator())[-1]}"


def in_small(arguments, monkeypatch):
    """Runs a command on what lies on the desk, and looks at what it leaves; the same small command once."""
    fine_tuned = any(argument.startswith("model.checkpoint=") for argument in arguments)  # the desk has these weights
    model = "nano" if "prompt=file" in arguments and "-m" not in arguments else "square"
    large = () if fine_tuned else (*SAM2, "nano") if "-m" in arguments else SAM2
    small = [SMALL.get(each, with_model(each, model, large)) for each in planted(arguments)]
    if small in RAN:
        return
    RAN.append(list(small))
    if not any(argument.startswith("video=") for argument in small):
        small += ["extract.stop=3"]
    if {"model=nano", "model=base_plus"} & set(small):
        small += ["model.image_size=128"]
    sweep = "-m" in small
    where = "hydra.sweep.dir=" if sweep else "hydra.run.dir="
    given = [argument.removeprefix(where) for argument in small if argument.startswith(where)]
    folder = Path(*given) if given else Path("ran") / str(len(RAN))
    run([*small, *ALWAYS, *([] if given else [f"{where}{folder}"])], monkeypatch)
    if sweep:
        jobs = json.loads((folder / "sweep.json").read_text())["jobs"]
        assert len(jobs) > 1
        assert {job["status"] for job in jobs} == {"finished"}
        return
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["status"] == "finished"
    assert summary["frames"] > 0 or list(folder.glob("samples/ruler_*.png"))
    assert all((folder / path).exists() for path in summary["outputs"].values())
    assert list(folder.rglob("samples/*.png"))


def planted(arguments):
    """The same, with a detector that finds a person and a dog, or phrases, whatever the picture."""
    name = {"prompt=detect": "planted", "prompt=text": "phrases"}
    chosen = [f"prompt.detector={name[each]}" for each in arguments if each in name]
    if chosen and "prompt.send=mask" in arguments:
        chosen.append("prompt.detector.masks=true")
    return [*(each for each in arguments if not (chosen and each.startswith("prompt.detector="))), *chosen]


def with_model(argument, model, large):
    """Of model=A,B the same, but with ``model`` for those that are ``large``."""
    key, _, value = argument.partition("=")
    if key != "model":
        return argument
    return "model=" + ",".join(dict.fromkeys(model if each in large else each for each in value.split(",")))


class Parsed(Exception):  # noqa: N818
    """The arguments were understood."""


def parse(module, arguments, monkeypatch):
    """Ends the module as soon as its arguments have been read."""
    original = argparse.ArgumentParser.parse_args

    def parse_args(parser, *given):
        original(parser, *given)
        raise Parsed

    Path("FOLDER/videos").mkdir(parents=True, exist_ok=True)
    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_args)
    monkeypatch.setattr(sys, "argv", [module, *arguments])
    monkeypatch.delitem(sys.modules, module, raising=False)  # another test may have imported it
    with pytest.raises(Parsed):
        runpy.run_module(module, run_name="__main__")


def wandb(arguments):
    """W&B's own command line understands the arguments; nothing is uploaded."""
    import click
    from wandb.cli.cli import cli

    name, *rest = [
        found for word in arguments for found in (sorted(map(str, Path().glob(word))) if "*" in word else [word])
    ]
    with contextlib.chdir(ROOT if name == "sweep" else Path()):
        context = click.Context(cli)
        cli.get_command(context, name).make_context(name, rest, parent=context)
        assert all(Path(word).exists() for word in rest if "/" in word and "ENTITY" not in word)


def install(arguments):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert arguments[0] == "install"
    for word in arguments[1:]:
        extra = re.fullmatch(r"vidseg\[([\w-]+)\]", word)
        assert word in ("-e", ".") or (extra and extra[1] in project["optional-dependencies"]), word


@pytest.mark.parametrize(
    ("name", "content"), snippets("python"), ids=[f"{n}-{i}" for i, (n, _) in enumerate(snippets("python"))]
)
def test_python(name, content, desk, monkeypatch, capsys):
    monkeypatch.chdir(desk)
    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.syspath_prepend(str(desk))
    small = content.replace('"model=large"', '"model=nano", "model.image_size=128", "threads=1"')
    small = small.replace('model="tiny"', 'model="nano", **{"model.image_size": 128, "threads": 1}')
    exec(compile(small, name, "exec"), {"__name__": "snippet"})
    assert ("print(" in content) == bool(capsys.readouterr().out)


def test_json_and_yaml_are_well_formed():
    assert snippets("json")
    for _, content in snippets("json"):
        assert all(json.loads(line) for line in content.splitlines())
    assert snippets("yaml")
    for _, content in snippets("yaml"):
        assert isinstance(yaml.safe_load(content), dict)


@pytest.mark.parametrize("path", sorted((ROOT / "sweeps").glob("*.yaml")), ids=lambda path: path.name)
def test_wandb_sweep(path):
    sweep = yaml.safe_load(path.read_text())
    assert sweep["command"][2:4] == ["-m", "vidseg"]
    configuration.register()
    with initialize_config_dir(configuration.folder(), version_base="1.3"):
        for end in (0, -1):
            chosen = {
                key: [each["value"]] if "value" in each else each["values"] for key, each in sweep["parameters"].items()
            }
            compose("config", [f"{key}={values[end]}" for key, values in chosen.items()], return_hydra_config=True)


def test_keys():
    assert page() == KEYS.read_text(), "docs/keys.md isn't what the comments in conf/ say: python -m docs.keys"
    assert [line for line in page().splitlines() if line.endswith("|  |")] == []  # each key says what it does


def test_the_model_card_has_nano_s_values():
    card = (ROOT / "docs/nano.md").read_text()
    conf = yaml.safe_load((ROOT / "conf/model/nano.yaml").read_text())
    own = {key: value for key, value in conf.items() if not key.startswith("_")}
    shared = ("defaults", "config", "checkpoint", "encode_ahead")
    shown = {key: str(value).lower() if type(value) is bool else value for key, value in own.items()}
    values = [f"`model.{key}={value}`" for key, value in shown.items() if key not in shared]
    assert len(values) > 3
    assert [value for value in values if value not in card] == []


def test_the_readme_is_short():
    assert (ROOT / "README.md").stat().st_size <= 10_000


@pytest.mark.parametrize("folder", ["vidseg", "vidseg/model"])
def test_the_layout_names_every_module(folder):
    layout = (ROOT / "CONTRIBUTING.md").read_text()
    parts = [*(ROOT / folder).glob("*.py"), *(path.parent for path in (ROOT / folder).glob("*/__init__.py"))]
    names = {path.relative_to(ROOT).as_posix() for path in parts if path.name != "__init__.py"}
    assert len(names) > 3
    assert {name for name in names if name not in layout} == set()


def anchors(path):
    """The anchors that GitHub gives a page's headings."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.M | re.S), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_and_paths_lead_somewhere(path):
    text = path.read_text()
    for target in re.findall(r"\]\(([^)]+)\)", text):
        file, _, anchor = target.partition("#")
        if not file.startswith("http"):
            there = path if not file else path.parent / file
            assert there.exists(), target
            assert not anchor or anchor in anchors(there), target
    for span in spans(text):
        if re.fullmatch(r"(vidseg|tests|benchmarks|docs|conf|sweeps|hydra_plugins)/[\w./]*", span):
            assert (ROOT / span).exists(), span
