"""Which columns there are, what is best in them, and how they are sorted."""

import json

import pytest
import yaml

from vidseg.compare.table import label_runs, tabulate
from vidseg.compare.text import average
from vidseg.errors import InputError
from vidseg.record.run import find_runs


def shown(table, about="config"):
    return [column.name for column in table.columns if column.about == about and not column.extra]


def names(table):
    return [run.name for run in table.runs]


def model(width, size=None):
    return {"_target_": f"models.{width}", "width": width, "image_size": size}


def test_only_what_differs_is_a_column_and_what_follows_from_the_model_is_not(make_run, tmp_path):
    make_run("0", model="nano", config={"model": model(1)})
    make_run("1", model="tiny", config={"model": model(2)})
    make_run("2", model="tiny", precision="bf16", config={"model": model(2), "tracker": {"name": "x"}})
    table = tabulate(find_runs([tmp_path]))
    assert shown(table) == ["model", "precision"]
    assert [row["model.width"] for row in table.rows] == [1, 2, 2]
    assert not any(column.name.startswith("tracker") for column in table.columns)


def test_a_model_s_detector_follows_from_the_model_unless_somebody_named_it(make_run, tmp_path):
    for run, (name, detector) in enumerate([("yolo", "yolo"), ("sam", "yolox_nano"), ("nano", None)]):
        choices = {"model": name} | ({"detector@model.detector": detector} if detector else {})
        hydra = make_run(str(run), model=name) / ".hydra" / "hydra.yaml"
        hydra.write_text(yaml.safe_dump({"hydra": {"runtime": {"choices": choices}}}))
    assert label_runs(tabulate(find_runs([tmp_path]))) == ["model=yolo", "model=sam", "model=nano"]
    (tmp_path / "1" / ".hydra" / "overrides.yaml").write_text("[model=sam, detector@model.detector=yolox_nano]")
    assert label_runs(tabulate(find_runs([tmp_path]))) == [
        "model=yolo,model.detector=yolo", "model=sam,model.detector=yolox_nano", "model=nano"
    ]  # fmt: skip


def test_a_key_that_somebody_named_is_shown_even_if_it_goes_with_the_model(make_run, tmp_path):
    make_run("0", model="nano", config={"model": model(1)})
    make_run("1", model="tiny", config={"model": model(2, 256)}, overrides=["model=tiny", "model.image_size=256"])
    assert shown(tabulate(find_runs([tmp_path]))) == ["model", "model.image_size"]


def labels(tmp_path):
    return [row["label"] for row in tabulate(find_runs([tmp_path])).rows]


def choose(folder, **choices):
    """Records the choices of a run that the fixture doesn't know."""
    text = yaml.safe_dump({"hydra": {"runtime": {"choices": choices}}})
    (folder / ".hydra" / "hydra.yaml").write_text(text)


def test_a_choice_stands_for_the_keys_that_it_alone_has(make_run, tmp_path):
    mask = {"_target_": "vidseg.prompt.mask", "path": "prompts/skater.png", "frame": 0}
    box = {"_target_": "vidseg.prompt.box", "box": [1, 2, 3, 4], "frame": 0}
    choose(make_run("0", config={"prompt": mask}, overrides=["prompt=mask", "prompt.path=x"]), prompt="mask")
    choose(make_run("1", config={"prompt": box}, overrides=["prompt=box", "prompt.box=[1,2,3,4]"]), prompt="box")
    assert labels(tmp_path) == ["prompt=mask", "prompt=box"]
    other = {**mask, "path": "prompts/dog.png"}
    choose(make_run("2", config={"prompt": other}, overrides=["prompt=mask", "prompt.path=y"]), prompt="mask")
    assert labels(tmp_path) == ["prompt=mask,prompt.path=skater.png", "prompt=box", "prompt=mask,prompt.path=dog.png"]


def test_where_no_choice_is_recorded_a_class_is_told_by_its_name(make_run, tmp_path):
    for n, kind in enumerate(("mask", "box")):
        run = make_run(str(n), config={"prompt": {"_target_": f"vidseg.prompt.{kind}", "frame": n}})
        (run / ".hydra" / "hydra.yaml").unlink()
    assert labels(tmp_path) == ["prompt=mask", "prompt=box"]


def test_of_outputs_and_metrics_the_names_are_told(make_run, tmp_path):
    outputs = {name: {"_target_": "vidseg.output.video.VideoOutput", "codec": "h264"} for name in ("overlay", "cutout")}
    make_run("0", config={"output": {"overlay": outputs["overlay"]}})
    make_run("1", config={"output": outputs})
    make_run("2", config={"output": {}})
    assert labels(tmp_path) == ["output=[overlay]", "output=[cutout,overlay]", "output=[]"]


def test_an_experiment_stands_for_the_keys_that_it_sets(make_run, tmp_path):
    make_run("0")
    run = make_run("1", config={"stride": 1, "sample": {"seed": 3}}, overrides=["+experiment=preview", "sample.seed=3"])
    choose(run, experiment="preview", model="nano")
    assert labels(tmp_path) == ["sample.seed=0", "experiment=preview,sample.seed=3"]


def test_a_key_that_one_run_alone_has_is_told_and_so_is_null(make_run, tmp_path):
    make_run("0", config={"extra": {"key": True}})
    make_run("1", config={"model": {"_target_": "vidseg.model.Nano", "zoom": 0.5}})
    assert labels(tmp_path) == ["extra.key=true", "model.zoom=0.5"]
    for n, zoom in enumerate((None, 0.85, 2)):
        make_run(f"more/{n}", config={"model": {"zoom": zoom}}, overrides=["stride=5", f"model.zoom={zoom}"])
    assert labels(tmp_path / "more") == ["model.zoom=null", "model.zoom=0.85", "model.zoom=2"]


def test_keys_are_in_the_order_of_the_command_line(make_run, tmp_path):
    for n, (stride, kind) in enumerate(((5, "tiny"), (9, "large"))):
        make_run(str(n), model=kind, config={"stride": stride}, overrides=[f"stride={stride}", f"model={kind}"])
    assert labels(tmp_path) == ["stride=5,model=tiny", "stride=9,model=large"]


def test_each_videos_prompt_and_truth_go_without_saying(make_run, tmp_path):
    for n, video in enumerate(("a.mp4", "b.mp4")):
        config = {"video": video, "prompt": {"points": [[n, n]]}, "metric": {"davis_jf": {"truth": f"{n}"}}}
        make_run(str(n), config=config, overrides=["prompt.points=[[1,1]]"])
    assert shown(tabulate(find_runs([tmp_path]))) == ["video"]


def test_what_fell_back_is_said(make_run, tmp_path):
    make_run("0", precision="bf16", device="cpu")
    make_run("1", precision="auto", device="cpu")
    assert "precision_resolved" not in shown(tabulate(find_runs([tmp_path])), "run")
    run = make_run("2", precision="fp16", device="cuda:0")
    summary = json.loads((run / "summary.json").read_text())
    (run / "summary.json").write_text(json.dumps(summary | {"precision": "fp32"}))
    table = tabulate(find_runs([tmp_path]))
    assert shown(table, "run") == ["run", "precision_resolved", "device_resolved", "status"]
    assert table.rows[2]["precision_resolved"] == "fp32"


def test_named_objects_are_a_column(make_run, tmp_path):
    make_run("0")
    assert "objects" not in shown(tabulate(find_runs([tmp_path])), "run")
    run = make_run("1")
    summary = json.loads((run / "summary.json").read_text())
    (run / "summary.json").write_text(
        json.dumps(summary | {"objects": [1, 2, 3], "names": {"1": "person", "3": "dog"}})
    )
    table = tabulate(find_runs([tmp_path]))
    assert "objects" in shown(table, "run")
    assert [row["objects"] for row in table.rows] == [None, "1 person, 2, 3 dog"]


def test_a_run_without_a_configuration_makes_nothing_differ(make_run, tmp_path):
    make_run("0")
    (make_run("1") / ".hydra" / "config.yaml").unlink()
    assert shown(tabulate(find_runs([tmp_path]))) == []


def test_the_best_is_the_highest_or_the_lowest_of_those_that_finished(make_run, tmp_path):
    make_run("0", fps=3.0, peak_rss_mib=600.0, metrics={"j": 0.8, "flicker": 0.1, "parts": 1.0})
    make_run("1", fps=2.0, peak_rss_mib=500.0, metrics={"j": 0.9, "flicker": 0.3, "parts": 2.0})
    make_run("2", fps=99.0, peak_rss_mib=1.0, status="failed", error="no")
    table = tabulate(find_runs([tmp_path]))
    best = {column.name: table.best(column) for column in table.columns if table.best(column)}
    assert best == {"peak_rss_mib": {1}, "j": {1}, "flicker": {0}}  # of fps only what is more than noise


def test_equals_are_best_together_but_not_where_all_are_equal(make_run, tmp_path):
    for n, j in enumerate((0.9, 0.90001, 0.5)):
        make_run(str(n), metrics={"j": j, "f": 0.7})
    table = tabulate(find_runs([tmp_path]))
    assert table.best(table.column("j")) == {0, 1}
    assert table.best(table.column("f")) == set()


def test_each_video_has_its_best(make_run, tmp_path):
    for n, (video, j) in enumerate((("a", 0.9), ("a", 0.8), ("b", 0.3), ("b", 0.4))):
        make_run(str(n), config={"video": video}, metrics={"j": j})
    table = tabulate(find_runs([tmp_path]))
    assert table.best(table.column("j")) == {0, 3}


def test_it_is_sorted_by_quality_then_speed_and_failures_come_last(make_run, tmp_path):
    make_run("0", fps=1.0, metrics={"j": 0.5})
    make_run("1", fps=2.0, metrics={"j": 0.5})
    make_run("2", fps=1.0, metrics={"j": 0.9})
    make_run("3", fps=9.0, metrics={})
    make_run("4", fps=9.0, metrics={"j": 0.99}, status="failed", error="no")
    assert names(tabulate(find_runs([tmp_path])).sorted()) == ["2", "1", "0", "3", "4"]


@pytest.mark.parametrize(
    ("by", "order"),
    [
        ("fps", ["1", "2", "0"]),
        ("-fps", ["0", "2", "1"]),
        ("peak_rss_mib", ["2", "0", "1"]),
        ("model", ["0", "2", "1"]),
        ("-model", ["1", "2", "0"]),
        ("j", ["2", "1", "0"]),
        ("-j", ["1", "2", "0"]),
        ("j_1", ["1", "0", "2"]),
        ("seconds.total", ["0", "1", "2"]),
    ],
)
def test_any_column_sorts_best_first_and_a_minus_turns_it_round(make_run, tmp_path, by, order):
    make_run("0", model="large", fps=1.0, peak_rss_mib=6.0, metrics={"j": float("nan")})
    make_run("1", model="tiny", fps=3.0, peak_rss_mib=7.0, metrics={"j": 0.1, "j_1": 0.3})
    make_run("2", model="small", fps=2.0, peak_rss_mib=5.0, metrics={"j": 0.2})
    assert names(tabulate(find_runs([tmp_path])).sorted(by)) == order


def test_an_unknown_column_is_told_which_there_are(make_run, tmp_path):
    make_run("0", metrics={"j": 0.5})
    with pytest.raises(
        InputError, match=r"--sort: no column 'speed'; there are run, label, j, fps, .*status, .*folder$"
    ):
        tabulate(find_runs([tmp_path])).sorted("speed")


def test_labels_say_what_differs_and_are_unique(make_run, tmp_path):
    for n, (kind, stride) in enumerate((("nano", 5), ("nano", 15), ("tiny", 5), ("tiny", 5))):
        make_run(str(n), model=kind, config={"stride": stride})
    table = tabulate(find_runs([tmp_path]))
    labels = ["model=nano,stride=5", "model=nano,stride=15", "2 model=tiny,stride=5", "3 model=tiny,stride=5"]
    assert label_runs(table) == [row["label"] for row in table.rows] == labels


def test_means_are_over_the_videos(make_run, tmp_path):
    for n, (kind, video, fps, j) in enumerate(
        (("tiny", "a", 10.0, 0.8), ("tiny", "b", 20.0, 0.6), ("large", "a", 4.0, 0.9), ("large", "b", 6.0, 0.9))
    ):
        make_run(str(n), model=kind, config={"video": video}, fps=fps, metrics={"j": j})
    means = average(tabulate(find_runs([tmp_path])))
    assert [column.name for column in means.columns] == ["model", "j", "fps", "peak_rss_mib"]
    assert means.rows[0] == {"model": "large", "fps": 5.0, "peak_rss_mib": 500.0, "j": pytest.approx(0.9)}
    assert means.best(means.column("j")) == {0}


def test_only_configurations_that_finished_on_every_video_have_means(make_run, tmp_path):
    for n, (kind, video) in enumerate((("tiny", "a"), ("tiny", "b"), ("large", "a"))):
        make_run(str(n), model=kind, config={"video": video})
    make_run("3", model="large", config={"video": "b"}, status="failed", error="no")
    assert [row["model"] for row in average(tabulate(find_runs([tmp_path]))).rows] == ["tiny"]
    assert average(tabulate(find_runs([tmp_path / "0", tmp_path / "2"]))) is None
