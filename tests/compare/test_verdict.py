"""What the headline says: only what is more than noise, and what found nothing or failed before it."""

import math
import random
from statistics import median

import pytest

from vidseg.compare.speed import BLOCK, Noise, block_means, frame_times_ms, log_time, measure_noise, rank
from vidseg.compare.table import tabulate
from vidseg.compare.verdict import Verdict, judge
from vidseg.record.run import find_runs


def steady(ms, seed=0, frames=80, sigma=0.05):
    """Times of frames that scatter by ``sigma`` around ``ms``."""
    made = random.Random(seed)
    return [ms * math.exp(made.gauss(0, sigma)) for _ in range(frames)]


@pytest.fixture
def verdict(tmp_path):
    return lambda: Verdict(tabulate(find_runs([tmp_path])))


def test_a_time_is_the_median_of_blocks_by_hand(make_run):
    times = [float(n % 7 + n // 9) for n in range(1, 65)]  # 64 frames: 8 blocks of 8
    run = find_runs([make_run("a", frames_ms=times)])[0]
    assert frame_times_ms(run) == pytest.approx(times)
    blocks = [sum(times[n : n + 8]) / 8 for n in range(0, 64, 8)]
    assert list(block_means(times)) == pytest.approx(blocks)
    assert median(blocks) == pytest.approx(math.exp(log_time(run)))


def test_a_model_that_encodes_four_frames_at_once_has_its_whole_time(make_run):
    run = find_runs([make_run("a", frames_ms=[80.0, 2.0, 2.0, 2.0] * 20)])[0]
    assert math.exp(log_time(run)) == pytest.approx(86 / 4)  # the median frame takes 2 ms


@pytest.mark.parametrize(("frames", "blocks"), [(1, 1), (5, 5), (20, 8), (64, 8), (160, 20), (5000, 128)])
def test_short_runs_have_short_blocks_and_long_ones_long_blocks(frames, blocks):
    assert len(block_means([1.0] * frames)) == blocks
    assert BLOCK == 8


def test_of_one_computation_none_is_the_fastest(make_run):
    """auto and fp32 on a CPU: 2.14 against 5.33 fps, on a busy machine."""
    runs = [
        find_runs([make_run(precision, precision=precision, frames_ms=[1000 / fps] * 40)])[0]
        for precision, fps in (("auto", 2.14), ("fp32", 5.33))
    ]
    runs[0].summary["precision"] = "fp32"  # as auto resolved
    found = Verdict(tabulate(runs))
    assert len(found.groups) == 1
    speed, same = found.sentences
    assert speed.startswith("All 2 runs are one computation: ")
    assert speed.endswith(", the same within 149%.")  # 5.33 / 2.14 = 2.49
    assert same == "auto and fp32 are one computation here, fp32."
    assert not judge(found.table)[0].marked["fps"]


def test_repetitions_are_one_group_and_seeds_are_not(make_run, verdict):
    for n, (repeat, seed) in enumerate([(0, 1), (1, 1), (0, 2), (1, 2)]):
        make_run(str(n), config={"repeat": repeat, "seed": seed, "tracker": {"name": str(n)}})
    assert [[run.name for run in group.runs] for group in verdict().groups] == [["0", "1"], ["2", "3"]]


@pytest.mark.parametrize("change", [{"versions": {"vidseg": "2"}}, {"device": "cuda:0"}, {"precision": "bf16"}])
def test_other_versions_devices_and_precisions_are_other_computations(make_run, verdict, change):
    make_run("0")
    make_run("1")
    runs = verdict().table.runs
    runs[1].summary.update(change)
    assert len(Verdict(tabulate(runs)).groups) == 2


def test_two_gpus_of_a_machine_are_one_device(make_run, verdict):
    make_run("0", device="cuda:0")
    make_run("1", device="cuda:1")
    assert len(verdict().groups) == 1


def test_single_runs_are_told_apart_only_beyond_what_noise_may_make(make_run, verdict):
    make_run("0", model="nano", frames_ms=steady(100))
    make_run("1", model="tiny", frames_ms=steady(250, 1))
    (sentence,) = verdict().sentences
    assert sentence.startswith("Whether speeds differ isn't known: ")
    assert sentence.endswith("with a run each, a ratio below 4 may be noise, which repeat=3 measures.")
    make_run("2", model="large", frames_ms=steady(900, 2))
    assert "Which is the fastest" in verdict().sentences[0]
    assert not verdict().fastest


def test_a_difference_beyond_any_noise_needs_no_repetition(make_run, verdict):
    make_run("0", model="nano", frames_ms=steady(100))
    make_run("1", model="large", frames_ms=steady(900, 2))
    table, found = judge(verdict().table)
    assert "is the fastest: " in found.sentences[0]
    assert {table.runs[row].name for row in table.marked["fps"]} == {"0"}


def test_single_runs_within_the_spread_of_a_repeated_one_are_not_called(make_run, verdict):
    """One computation is the same within 30%; two single runs differ by 25%, and a third takes five times as long."""
    for n, ms in enumerate((100.0, 130.0)):
        make_run(f"0{n}", config={"repeat": n}, frames_ms=[ms] * 80)
    make_run("1", model="tiny", frames_ms=[104.0] * 80)
    found = verdict()
    assert found.noise.largest == pytest.approx(1.3)
    assert found.sentences == [
        "Speeds don't differ beyond noise: 104 to 114 ms a frame; runs of one computation differ by up to 30% here."
    ]
    assert not found.fastest


def test_repetitions_that_agree_show_a_small_difference(make_run, verdict):
    """Three runs each of two, with 1% of noise: the margin by hand, and the ratio 1.1 beyond it."""
    runs = {"nano": (100.0, 101.0, 99.0), "tiny": (110.0, 111.0, 109.0)}
    for model, times in runs.items():
        for n, ms in enumerate(times):
            make_run(f"{model}{n}", model=model, config={"repeat": n}, frames_ms=[ms] * 80)
    found = verdict()
    logs = {model: [math.log(ms) for ms in times] for model, times in runs.items()}
    means = {model: sum(values) / 3 for model, values in logs.items()}
    squares = sum((value - means[model]) ** 2 for model, values in logs.items() for value in values)
    deviation = math.sqrt(squares / 4)
    margin = 2.7764451 * deviation * math.sqrt(2 / 3)  # Student's t of 4 degrees, 97.5%
    assert (found.noise.freedom, found.noise.deviation) == (4, pytest.approx(deviation))
    assert found.noise.margin([(3, 3)], 2) == pytest.approx(margin)
    first, second = found.standings
    assert first.ms.value == pytest.approx(math.exp(sum(logs["nano"]) / 3))
    assert second.ratio.value == pytest.approx(math.exp(means["tiny"] - means["nano"]))
    assert math.log(second.ratio.value) - math.log(second.ratio.low) == pytest.approx(margin, rel=0.01)
    assert second.differs
    assert first.spread == pytest.approx(101 / 99 - 1)
    assert "is the fastest: 100 ms a frame (" in found.sentences[0]
    assert "takes 1.10 times as long (" in found.sentences[0]


def test_of_many_equals_the_margin_is_tukeys():
    """Of eight, with 16 degrees of freedom, 4.90 (tables of the studentized range) over root two; of two Student's."""
    noise = Noise(0.1, 16, 1.2)
    error = 0.1 * math.sqrt(1 / 3 + 1 / 3)
    assert noise.margin([(3, 3)], 8) == pytest.approx(4.90 / math.sqrt(2) * error, rel=1e-3)
    assert noise.margin([(3, 3)], 2) == pytest.approx(2.1199 * error, rel=1e-4)
    assert noise.margin([(1, 1)], 2) == pytest.approx(2.1199 * 0.1 * math.sqrt(2), rel=1e-4)
    assert Noise(0.01, 16, 1.5).margin([(1, 1)], 2) == pytest.approx(math.log(1.5))
    assert Noise(0.0, 0, 1.0).margin([(1, 1)], 2) == pytest.approx(math.log(4))


def test_equal_runs_are_called_different_in_few_cases(make_run, tmp_path):
    """Ten comparisons of four equal configurations of three noisy runs each: noise alone makes few of 30 differ."""
    called = 0
    for trial in range(10):
        made = random.Random(trial)
        for n in range(12):
            ms = 100 * math.exp(made.gauss(0, 0.2))
            config = {"repeat": n % 3, "stride": n // 3}
            make_run(f"{trial}/{n}", config=config, frames_ms=steady(ms, 100 * trial + n, frames=24))
        found = Verdict(tabulate(find_runs([tmp_path / str(trial)])))
        called += sum(each.differs for each in found.standings)
        assert len(rank(found.competitors, measure_noise(found.groups))) == 4
    assert called <= 2


def test_what_found_nothing_or_failed_comes_first_and_wins_nothing(make_run, verdict):
    areas = [(5.0, 0)] * 12
    make_run("0", model="tiny", config={"stride": 1}, frames_ms=areas, peak_rss_mib=1.0, metrics={"j": 1.0})
    make_run("1", model="nano", config={"stride": 2}, frames_ms=[100.0] * 12, metrics={"j": 0.5})
    make_run("2", model="base", config={"stride": 3}, status="failed", error="no", metrics={"j": 1.0})
    make_run("3", model="large", config={"stride": 4}, frames_ms=[500.0] * 12, metrics={"j": 0.6})
    table, found = judge(verdict().table.sorted())
    nothing, failed, speed, quality = found.sentences
    assert nothing.startswith("1 of 4 runs found nothing, no object on any frame: ")
    assert "tiny" in nothing
    assert failed.startswith("1 of 4 runs failed: ")
    assert "base" in failed
    assert "nano" in speed.split(" is the fastest")[0]
    assert "large" in quality.split(" has the best J, 0.600")[0]
    marked = {name: {table.runs[row].name for row in rows} for name, rows in table.marked.items() if rows}
    assert marked == {"fps": {"1"}, "j": {"3"}}  # of memory only run 0 has another figure
    assert [run.name for run in table.runs[:2]] == ["3", "1"]


@pytest.mark.parametrize("where", ["frames", "masks", "metrics"])
def test_a_run_that_found_nothing_is_known_by_any_of_its_files(make_run, where):
    keys = {
        "frames": {"frames_ms": [(5.0, 0)] * 10},
        "masks": {"masks": {n: {1: [[0, 0], [0, 0]]} for n in range(10)}},
        "metrics": {"metrics": {"absent_frames_1": 10.0}},
    }[where]
    nothing = find_runs([make_run("a", **keys)])[0]
    assert (nothing.found_nothing, nothing.counts) == (True, False)


def test_a_run_with_one_mask_found_something(make_run):
    frames = [(5.0, 0)] * 9 + [(5.0, 1)]
    assert not find_runs([make_run("a", frames_ms=frames, metrics={"absent_frames_1": 9.0})])[0].found_nothing
    assert not find_runs([make_run("b")])[0].found_nothing  # unknown
    assert not find_runs([make_run("c", frames_ms=[(5.0, 0)] * 9, status="failed")])[0].found_nothing


def scored(make_run, differences, base=0.5):
    """Two configurations on as many videos, with these differences of J between them."""
    for n, difference in enumerate(differences):
        config = {"video": f"{n}.mp4"}
        make_run(f"{n}a", model="tiny", config=config | {"stride": 1}, metrics={"j": base})
        make_run(f"{n}b", model="large", config=config | {"stride": 2}, metrics={"j": base + difference})


def test_over_many_videos_a_score_is_compared_in_pairs(make_run, verdict):
    differences = [0.03, 0.01, 0.02, -0.005, 0.02, 0.01, 0.03, -0.002, 0.01, 0.02, -0.001, 0.015]
    scored(make_run, differences)
    sentence = verdict().sentences[-1]
    mean = sum(differences) / 12
    assert "large" in sentence.split(" has the best J, ")[0]
    assert f"{0.5 + mean:.3f} on average: {mean:.3f} (+0.0" in sentence
    assert sentence.endswith("better on 9 of 12 videos.")


def test_a_mean_that_few_videos_make_is_no_winner(make_run, verdict):
    scored(make_run, [0.3, -0.01, -0.02, -0.01, 0.0, -0.01, -0.02, 0.01])
    sentence = verdict().sentences[-1]
    assert sentence.startswith("The best J is that of ")
    assert sentence.endswith("better on 2 of 8 videos, perhaps by chance.")


def test_two_videos_say_little_of_others(make_run, verdict):
    scored(make_run, [0.1, 0.2])
    sentence = verdict().sentences[-1]
    assert sentence.startswith("On these 2 videos ")
    assert "better on 2 of 2 videos" in sentence
    assert sentence.endswith("So few say little of others.")


def test_only_what_finished_on_every_video_is_ranked(make_run, verdict):
    for n, (kind, video) in enumerate((("tiny", "a"), ("tiny", "b"), ("large", "a"), ("base", "a"), ("base", "b"))):
        make_run(str(n), model=kind, config={"video": video}, frames_ms=[100.0 * len(kind)] * 40)
    assert (
        verdict().sentences[0]
        == "2 of 3 configurations finished on every video and found something: no others are ranked."
    )
    assert all("large" not in each.competitor.label for each in verdict().standings)


def test_a_score_that_repetitions_scatter_over_is_no_winner(make_run, verdict):
    for n, (stride, j) in enumerate([(1, 0.50), (1, 0.60), (2, 0.57), (2, 0.58)]):
        make_run(str(n), config={"stride": stride, "repeat": n % 2}, metrics={"j": j})
    assert verdict().sentences[-1] == "J doesn't differ by more than runs of one computation do, 0.100."


def test_without_scipy_nothing_is_called(make_run, verdict, monkeypatch, caplog):
    make_run("0", model="nano", frames_ms=[10.0] * 40, metrics={"j": 0.1})
    make_run("1", model="large", config={"stride": 2}, frames_ms=[900.0] * 40, metrics={"j": 0.9})
    monkeypatch.setattr("vidseg.compare.verdict.find_spec", lambda name: None)
    assert verdict().sentences == []
    assert "pip install 'vidseg[compare]'" in caplog.text


def test_equally_good_are_best_together(make_run, verdict):
    for n, (stride, j) in enumerate([(1, 0.5), (2, 0.5), (3, 0.4)]):
        make_run(str(n), config={"stride": stride}, metrics={"j": j})
    assert verdict().sentences[-1].endswith(" have the best J, 0.500.")
