"""Finding runs and reading what they were."""

import json
import shutil
from functools import reduce

import pytest
import yaml

from vidseg.errors import InputError
from vidseg.record.run import find_runs


def test_the_runs_of_a_sweep_are_named_by_number_and_in_its_order(make_run, tmp_path):
    for number in (10, 2, 0):
        make_run(f"sweep/{number}_model=nano,stride={number}")
    runs = find_runs([tmp_path])
    assert [run.name for run in runs] == ["0", "2", "10"]
    assert runs[1].choices == {"model": "nano", "precision": "fp32", "prompt": "click"}
    assert runs[1].folder == tmp_path / "sweep" / "2_model=nano,stride=2"


def test_runs_of_two_sweeps_keep_the_sweep_in_their_names(make_run, tmp_path):
    make_run("one/0_model=nano")
    make_run("two/0_model=nano")
    assert [run.name for run in find_runs([tmp_path / "one", tmp_path / "two"])] == ["one/0", "two/0"]


def test_runs_whose_short_names_collide_have_their_whole_names(make_run, tmp_path):
    make_run("0_model=nano")
    make_run("0_model=tiny")
    assert [run.name for run in find_runs([tmp_path])] == ["0_model=nano", "0_model=tiny"]


def test_a_run_that_is_named_twice_is_there_once(make_run, tmp_path):
    folder = make_run("a")
    assert len(find_runs([folder, tmp_path, folder / "summary.json"])) == 1


def test_the_configuration_is_that_of_the_whole_file(sweep):
    for run in find_runs([sweep]):
        whole = yaml.safe_load((run.folder / ".hydra" / "config.yaml").read_text())
        said = {key: reduce(dict.__getitem__, key.split("."), whole) for key in run.config}
        assert run.config == {key: str(value) if isinstance(value, list) else value for key, value in said.items()}
        assert {key.split(".")[0] for key in run.config} == set(whole)
        assert (run.config["model.fail_at"], run.config["output.overlay.codec"]) == (whole["model"]["fail_at"], "h264")
        assert run.choices["model"] in ("square", "shifted")
        assert "stride" in run.overrides


def test_what_was_overridden_is_known_by_its_key(make_run):
    folder = make_run("a", overrides=["model=tiny", "+model.image_size=256", "~metric.jaccard", "output@x=[rle]"])
    assert find_runs([folder])[0].overrides == ("model", "model.image_size", "metric.jaccard", "x")


def test_a_broken_summary_is_left_out_with_a_warning(make_run, tmp_path, caplog):
    make_run("good")
    (make_run("broken") / "summary.json").write_text('{"status": "fin')
    (make_run("other") / "summary.json").write_text("[1]")
    assert [run.name for run in find_runs([tmp_path])] == ["good"]
    assert "broken" in caplog.text
    assert "other" in caplog.text


def test_a_broken_configuration_does_not_cost_the_run(make_run, caplog):
    folder = make_run("a", model="tiny")
    for name in ("config.yaml", "overrides.yaml"):
        (folder / ".hydra" / name).write_text("- [")
    (run,) = find_runs([folder])
    assert (run.config, run.overrides, run.summary["model"]) == ({}, (), "tiny")
    assert run.choices["model"] == "tiny"
    assert caplog.text.count("can't be read") == 2


def test_a_run_without_hydra_is_one(make_run):
    folder = make_run("a")
    shutil.rmtree(folder / ".hydra")
    assert find_runs([folder])[0].config == {}


def test_runs_that_left_no_summary_are_counted(make_run, tmp_path, caplog):
    make_run("good")
    (make_run("killed") / "summary.json").unlink()
    assert len(find_runs([tmp_path])) == 1
    assert "1 without summary.json" in caplog.text


def test_what_lies_in_a_run_is_not_looked_through(make_run):
    folder = make_run("a")
    (folder / "samples").mkdir()
    (folder / "samples" / "summary.json").write_text(json.dumps({"status": "finished"}))
    assert len(find_runs([folder])) == 1


def test_a_path_that_is_missing_or_empty_is_the_users_mistake(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        find_runs([tmp_path / "nowhere"])
    with pytest.raises(InputError, match=r"no run is there.*summary\.json"):
        find_runs([tmp_path])


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("clips/a.mp4", "/data/clips/a.mp4", True),
        ("clips/a.mp4", "other/a.mp4", False),
        ("sample", "sample", True),
        ("sample", "clips/sample", False),
    ],
)
def test_a_video_is_the_same_from_another_folder(make_run, one, other, same):
    runs = [find_runs([make_run(n, config={"video": video})])[0] for n, video in (("a", one), ("b", other))]
    assert runs[0].same_video(runs[1]) == runs[1].same_video(runs[0]) == same


def test_the_built_in_clips_differ_by_seed(make_run):
    configs = [{"video": "sample", "sample": {"seed": seed}} for seed in (0, 1)]
    a, b = (find_runs([make_run(str(n), config=config)])[0] for n, config in enumerate(configs))
    assert (a.video, b.video) == ("sample", "sample, seed 1")
    assert not a.same_video(b)
