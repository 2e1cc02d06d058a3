"""Every YAML composes, its parts exist, and the command answers quickly without loading anything heavy."""

import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from vidseg import config as configuration
from vidseg.config import resolvers
from vidseg.contract import locate

pytestmark = pytest.mark.usefixtures("own_hydra")

CONF = Path(configuration.folder())
CHOICES = sorted(path.relative_to(CONF) for path in CONF.glob("*/*.yaml"))


def composed(*overrides):
    configuration.register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("config", list(overrides))


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_every_choice_composes_and_names_something_real(choice):
    group, name = choice.parent.name, choice.stem
    if choice.stem == "rle":  # masks.jsonl is in every run
        assert not composed("output=[rle]").output
        return
    if group == "detector":
        node = composed("prompt=detect", f"detector@prompt.detector={name}").prompt.detector
    else:
        listed = group in ("output", "metric")
        config = composed(f"{group}=[{name}]" if listed else f"{group}={name}")
        node = config[group][name] if listed else config[group]
    if group == "precision":
        assert node.name == name
        return
    found = locate(f"{group}._target_", node._target_)
    assert callable(found)
    assert found.__module__.startswith("vidseg.")
    if "render" in node:
        assert callable(locate("render", node.render))


def test_every_choice_says_what_it_is():
    silent = [str(choice) for choice in CHOICES if not (CONF / choice).read_text().startswith("# ")]
    assert silent == []


def test_outputs_are_a_set():
    assert sorted(composed().output) == ["cutout", "overlay"]
    assert list(composed("output=[masks]").output) == ["masks"]
    assert list(composed("output=masks").output) == ["masks"]
    assert sorted(composed("output=[cutout,rle]", "output.cutout.background=white").output) == ["cutout"]


def test_the_article_s_click():
    assert OmegaConf.to_container(composed("prompt=skater").prompt.points) == [[782, 301]]


def test_replay_needs_no_prompt_but_takes_one():
    assert composed("model=replay", "model.path=x").prompt._target_ == "vidseg.prompt.replayed"
    assert composed("model=replay", "model.path=x", "prompt=skater").prompt._target_ == "vidseg.prompt.click"


def imports_and_seconds(*arguments):
    """The output of a Python process, with what it imports, and its seconds of CPU, whatever else the machine does."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments], capture_output=True, text=True, check=True, timeout=60
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return done, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


# Beside the import of Hydra, as machines differ: --help takes 5 to 6 times as long with every extra, as Hydra copies
# the launchers' configurations for each group that it lists; --cfg job twice as long.
@pytest.mark.parametrize(("flag", "limit"), [("--help", 9), ("--cfg=job", 4)])
def test_help_and_cfg_are_quick_and_light(flag, limit):
    done, seconds = imports_and_seconds("-m", "vidseg", *flag.split("="))
    loaded = set(re.findall(r"\|\s+(\w+)$", done.stderr, re.MULTILINE))
    assert "hydra" in loaded
    assert not loaded & {"torch", "wandb", "cv2", "av", "sam2", "numpy"}
    assert seconds < limit * imports_and_seconds("-c", "import hydra")[1]
    assert "nano" in done.stdout


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        ("model=large,prompt=skater", "3_model=large,prompt=skater"),
        ("video=clips/a b.mp4", "3_video=clips_a_b.mp4"),
        ("prompt.points=[[1,2]]", "3_prompt.points=_1,2_"),
        ("", "3"),
    ],
)
def test_sweep_folders_have_safe_names(overrides, name):
    assert resolvers.slug(3, overrides) == name


def test_long_sweep_folders_stay_apart():
    whole = "video=" + "x" * 114
    assert resolvers.slug(0, whole) == f"0_{whole}"
    first, second = (resolvers.slug(0, whole + end) for end in "ab")
    assert first != second
    assert len(first) == len(second) == 122
