"""A list that the shell has split, and keys that are written as flags: the message has the words to type."""

import shlex

import pytest

from vidseg.config.values import read, split
from vidseg.config.words import check_words
from vidseg.errors import InputError


@pytest.mark.parametrize(
    ("line", "typed"),
    [
        ("prompt=click prompt.points=[[540, 420]]", "prompt.points=[[540, 420]]"),
        ("prompt.points=[[540, 420], [-3, 4]] model=tiny", "prompt.points=[[540, 420], [-3, 4]]"),
        ("prompt.box=[1, 2, 3, 4] preview=true", "prompt.box=[1, 2, 3, 4]"),
        ("prompt.box=[ 1,2,3,4 ]", "prompt.box=[ 1,2,3,4 ]"),
        ("output=[cutout, overlay]", "output=[cutout, overlay]"),
        ("'prompt.classes=[dining' 'table, dog]'", "prompt.classes=[dining table, dog]"),
        ("-m model=tiny, large", "model=tiny, large"),
        ("+prompt.points=[[1, 2]]", "+prompt.points=[[1, 2]]"),
    ],
)
def test_a_list_that_the_shell_has_split_is_told_whole(line, typed):
    with pytest.raises(InputError) as raised:
        check_words(shlex.split(line))
    said, _, copied = str(raised.value).partition("in quotes it is one: ")
    assert said.startswith(typed.split(" ")[0] + ": the shell splits a value at its blanks")
    assert shlex.split(copied) == [typed]
    assert typed.startswith("model") or isinstance(read(split(typed)[2]), list)  # as Hydra reads it


@pytest.mark.parametrize(
    ("line", "typed"),
    [
        ("--video x", ["video=x"]),
        ("--video=x", ["video=x"]),
        ("--video 'my clip.mp4' --model tiny", ["video=my clip.mp4", "model=tiny"]),
        ("--prompt.points [[1, 2]] prompt=click", ["prompt.points=[[1, 2]]"]),
        ("--model.image-size 512", ["model.image_size=512"]),
        ("--preview video=x", ["preview=true"]),
        ("--seed -1", ["seed=-1"]),
        ("--stride --preview", ["stride=VALUE", "preview=true"]),
        ("--output [cutout, overlay]", ["output=[cutout, overlay]"]),
    ],
)
def test_a_key_that_is_written_as_a_flag_is_told_as_a_key(line, typed):
    with pytest.raises(InputError) as raised:
        check_words(shlex.split(line))
    said, _, copied = str(raised.value).partition(": keys are KEY=VALUE, without dashes: ")
    assert said == shlex.split(line)[0]
    assert shlex.split(copied) == typed


def test_another_flag_is_named():
    with pytest.raises(InputError, match=r"^--points: there is no such flag; keys are KEY=VALUE, and --help lists"):
        check_words(["--points", "3"])


@pytest.mark.parametrize(
    "line",
    [
        "video=clip.mp4 prompt=click 'prompt.points=[[540, 420]]'",
        "-m model=tiny,large --config-dir mine --cfg job",
        "--help --hydra-help --multi --info all",
        "prompt.points=[[540, model=tiny",  # what is missing isn't in the words after it: Hydra says so
        "'video=a [b' 'c.mp4'",
        "hydra.run.dir=runs/${now:%Y} ~tracker",
    ],
)
def test_other_words_pass(line):
    check_words(shlex.split(line))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["prompt=click", "prompt.points=[[540,", "420]]"],
            "prompt.points=[[540,: the shell splits a value at its blanks; in quotes it is one: "
            "'prompt.points=[[540, 420]]'",
        ),
        (["--video", "x"], "--video: keys are KEY=VALUE, without dashes: video=x"),
    ],
)
def test_the_command_says_it(vidseg, words, message):
    done = vidseg(*words)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"{message}\n")
