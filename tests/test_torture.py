"""A slice of `make torture`, and that its verdicts can fail."""

import json
import shutil
from random import Random

import pytest

import vidseg
from benchmarks.torture import verdict
from benchmarks.torture.inputs import SHARES, Maker
from benchmarks.torture.materials import write_materials
from benchmarks.torture.mutate import BYTES, damaged, misshapen, scribbled
from benchmarks.torture.worker import run_case


@pytest.fixture(scope="module")
def materials(tmp_path_factory):
    return write_materials(tmp_path_factory.mktemp("torture") / "materials")


@pytest.mark.slow
@pytest.mark.parametrize("kind", SHARES)
def test_a_slice(materials, tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    maker = Maker(4, materials, tmp_path / "inputs")
    cases = [maker.case(number, kind) for number in range(12)]
    quick = [case for case in cases if "model=nano" not in case.overrides and not case.command][:2]
    assert [run_case(case)["faults"] for case in quick] == [[]] * 2


@pytest.fixture(scope="module")
def run(materials, tmp_path_factory):
    """A finished run's folder."""
    folder = tmp_path_factory.mktemp("run") / "run"
    case = next(Maker(0, materials, folder).controls())
    overrides = [word for word in case.overrides if not word.startswith("output=")]
    vidseg.run([*overrides, "output=[cutout,masks]", f"hydra.run.dir={folder}"], config_dir=case.config_dir)
    return folder


def _masks(change):
    def damage(folder):
        lines = [json.loads(line) for line in (folder / "masks.jsonl").read_text().splitlines()]
        change(lines)
        (folder / "masks.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    return damage


def _summary(**changes):
    def damage(folder):
        path = folder / "summary.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return damage


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (lambda folder: (folder / "masks" / ".00012.png.part").touch(), "left over: masks/.00012.png.part"),
        (lambda folder: (folder / "summary.json").write_text("{"), "summary.json: Expecting"),
        (_summary(frames=11), "cutout: cutout.mp4 has 12 frames, summary.json says 11"),
        (_summary(frames=11), "masks.jsonl has 12 lines, summary.json says 11 frames"),
        (_summary(frames=0), "finished without a frame"),
        (_summary(error="no"), "finished, with the error no"),
        (_summary(outputs={}), "finished without cutout"),
        (_summary(status="failed", error="TypeError: no (the traceback is in vidseg.log)"), "a defect: TypeError"),
        (_summary(status="failed", error=" "), "failed without a message"),
        (_summary(status="failed", error="1\n2\n3\n4"), "the message has 4 lines"),
        (lambda folder: (folder / "cutout.mp4").write_bytes(b"no video"), "cutout: cutout.mp4 can't be read"),
        (lambda folder: (folder / "masks" / "00003.png").write_bytes(b"no picture"), "masks/00003.png: "),
        (lambda folder: (folder / "contact_sheet.png").write_bytes(b"no picture"), "run/contact_sheet.png: "),
        (lambda folder: (folder / "masks" / "00003.png").unlink(), "masks: masks has 11 frames"),
        (lambda folder: (folder / "frames.jsonl").unlink(), "frames.jsonl: "),
        (_masks(lambda lines: lines.pop()), "masks.jsonl has 11 lines"),
        (_masks(lambda lines: lines.append(lines[0])), "masks.jsonl: frames are not in order, or twice"),
        (_masks(lambda lines: lines[3]["objects"].pop()), "masks.jsonl: not every object is on every line"),
        (_masks(lambda lines: lines[3]["objects"][0].update(area=7)), "frame 3: the area of object 1 is not"),
        (lambda folder: (folder / "vidseg.log").write_text("][WARNING] - \n" * 9), "9 warnings"),
    ],
)
def test_a_fault_of_a_run_is_found(run, tmp_path, damage, fault):
    shutil.copytree(run, tmp_path / "run")
    assert verdict.faults(tmp_path / "run", ("cutout",)) == []
    damage(tmp_path / "run")
    assert any(fault in found for found in verdict.faults(tmp_path / "run", ("cutout",)))


def test_a_preview_without_a_prompt_needs_its_picture_only(tmp_path, clip):
    folder = tmp_path / "run"
    vidseg.run([f"video={clip}", "preview=true", f"hydra.run.dir={folder}"])
    assert verdict.faults(folder, ("cutout",)) == []
    (folder / "samples" / "ruler_00000.png").write_bytes(b"no picture")
    assert len(verdict.faults(folder, ())) == 1
    (folder / "samples" / "ruler_00000.png").unlink()
    assert "finished without a frame" in verdict.faults(folder, ())


def test_damage_depends_on_the_seed_alone_and_changes_something():
    data, tree = bytes(range(256)) * 20, {"a": [1, {"b": "c"}], "d": 2}
    for name, damage in BYTES.items():
        assert damage(Random(1), data) == damage(Random(1), data) != data, name
    assert damaged(Random(2), data) == damaged(Random(2), data)
    assert scribbled(Random(1), "a: 1\nb: 2\n") == scribbled(Random(1), "a: 1\nb: 2\n") != "a: 1\nb: 2\n"
    assert str(misshapen(Random(3), tree)) == str(misshapen(Random(3), tree)) != str(tree)
    assert tree == {"a": [1, {"b": "c"}], "d": 2}
