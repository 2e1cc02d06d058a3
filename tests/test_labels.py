"""What runs are called: in tables after they ran, and in sweeps before."""

import pytest
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from vidseg.record.labels import key_of, shorten_paths, word
from vidseg.sweep.labels import label_jobs


def short(key, *values):
    found = shorten_paths(key, values)
    return [found.get(value, value) for value in values]


@pytest.mark.parametrize(
    ("key", "values", "expected"),
    [
        ("prompt.path", ["/data/prompts/skater.yaml", "other/dog.yaml"], ["skater.yaml", "dog.yaml"]),
        ("prompt.path", ["a/x/s.yaml", "b/x/s.yaml", "b/x/t.yaml"], ["a/x/s.yaml", "b/x/s.yaml", "t.yaml"]),
        ("prompt.path", ["s.yaml", "a/s.yaml", "/b/a/s.yaml"], ["s.yaml", "a/s.yaml", "b/a/s.yaml"]),
        ("video", ["clips/libby.mp4", "dance.mov", "sample"], ["libby", "dance", "sample"]),
        ("video", ["clips/libby.mp4", "old/libby.avi"], ["libby.mp4", "libby.avi"]),
        ("video", ["a/clip.mp4", "b/clip.mp4"], ["a/clip", "b/clip"]),
        ("video", ["DAVIS/480p/camel/", "DAVIS/480p/cows.v2"], ["camel", "cows.v2"]),
        ("model.checkpoint", ["hf://facebook/tiny/t.pt", "random"], ["t.pt", "random"]),
        ("model._target_", ["vidseg.model.Nano", "mine.Nano", "a.Sam"], ["model.Nano", "mine.Nano", "Sam"]),
        ("prompt.text", ["cat/dog", "dog"], ["cat/dog", "dog"]),
        ("stride", [1, None, True], [1, None, True]),
    ],
)
def test_paths_are_as_long_as_it_takes(key, values, expected):
    assert short(key, *values) == expected


def test_keys_and_values_are_as_one_types_them():
    assert [key_of(name) for name in ("+a.b", "~c", "detector@prompt.detector")] == ["a.b", "c", "prompt.detector"]
    values = [None, True, 0.5, "fp32", "[[20, 30]]", '["a", "b"]', 'say "a, b"']
    assert [word(value) for value in values] == ["null", "true", "0.5", "fp32", "[[20,30]]", "[a,b]", 'say "a, b"']


def labels(*arguments, jobs=None, params=None):
    config = {"hydra": {"sweeper": {"params": params}, "overrides": {"task": list(arguments)}}}
    if jobs is None:
        params = [f"{key}={value}" for key, value in (params or {}).items()]
        (jobs,) = BasicSweeper.split_arguments(OverridesParser.create().parse_overrides([*params, *arguments]), None)
    return label_jobs(OmegaConf.create(config), jobs)


def test_a_job_is_called_by_the_swept_keys_in_the_order_of_the_command_line():
    assert labels("video=clips/libby.mp4,clips/dance.mp4", "prompt=skater", "model=tiny", "+seed=range(2)") == [
        "video=libby,seed=0",
        "video=libby,seed=1",
        "video=dance,seed=0",
        "video=dance,seed=1",
    ]
    assert labels("model=tiny", "video=clip.mp4") == [""]
    assert labels("output=[rle],[cutout, overlay]", "a='x,y',null") == [
        "output=[rle],a=x,y",
        "output=[rle],a=null",
        "output=[cutout,overlay],a=x,y",
        "output=[cutout,overlay],a=null",
    ]
    assert labels("stride=1,2", "stride=3") == [""]
    assert labels("stride=5", 'prompt.path="${stem:${video}}.yaml"', params={"model": "a,b"}) == ["model=a", "model=b"]


def test_one_batch_of_a_sweep_knows_the_whole():
    """As Optuna's, which gives its jobs one by one, and a sweeper that has keys of its own."""
    arguments = ("video=a/clip.mp4,b/clip.mp4", "model.mask_threshold=interval(-1,1)", "model=nano")
    job = ("video=b/clip.mp4", "model.mask_threshold=0.25", "model=nano", "+noise=3")
    assert labels(*arguments, jobs=[job]) == ["video=b/clip,model.mask_threshold=0.25,noise=3"]
