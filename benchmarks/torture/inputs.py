"""The mutated inputs: what is given to vidseg.run or to the command, made from a seed."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import yaml

from benchmarks.torture.materials import CLIPS, FRAMES
from benchmarks.torture.mutate import CHARACTERS, VALUES, damaged, misshapen, scribbled
from vidseg.config import folder as conf
from vidseg.config.overrides import overrides_of

CONF = Path(__file__).parent / "conf"
SHARES = {"video": 0.44, "prompt": 0.16, "mask": 0.12, "config": 0.14, "override": 0.14}
IMAGES = ("palette.png", "one.png", "one.jpg", "deep.png", "colours.png", "alpha.png")
OUTPUTS = ("rle", "cutout", "overlay", "masks", "frames", "transparent_mov", "transparent_webm", "cutout_avi")
QUICK = ("model=quick", "tracker=none", "threads=1", "stride=5", "metric=[mask_stats]")
CLICK = ("prompt=click", "prompt.points=[[8,14]]")


@dataclass(frozen=True)
class Case:
    """One input: ``overrides`` for vidseg.run, or with ``command`` for the command.

    ``video`` is the damaged file, whose frames are counted by a plain decoder, too.
    """

    name: str
    kind: str
    overrides: tuple[str, ...]
    config_dir: str = str(CONF)
    command: bool = False
    video: str | None = None


@dataclass(frozen=True)
class Maker:
    """Makes the inputs of one seed: reads ``materials`` and writes damaged files into ``folder``."""

    seed: int
    materials: Path
    folder: Path
    kinds: dict[str, "Callable[[Maker, str, Random], Case]"] = field(default_factory=lambda: dict(_KINDS))

    def cases(self, count: int) -> Iterator[Case]:
        """``count`` inputs, the kinds mixed."""
        for number in range(count):
            (kind,) = Random(f"{self.seed} {number}").choices(list(SHARES), list(SHARES.values()))
            yield self.case(number, kind)

    def case(self, number: int, kind: str) -> Case:
        """Input ``number``, which depends on nothing but the seed, the number and the kind."""
        rng = Random(f"{self.seed} {number} {kind}")
        (own := self.folder / f"{number:05d}").mkdir(parents=True)
        return self.kinds[kind](self, str(own), rng)

    def controls(self) -> Iterator[Case]:
        """Whole inputs, which have to finish: what the others are made of."""
        rle, maps = "output=[rle]", self.materials / "maps"
        runs: list[tuple[str, ...]] = [(self.clip(name), *CLICK, f"output=[{','.join(OUTPUTS)}]") for name in CLIPS]
        runs += [_overrides(self, words) for words in _OVERRIDES]
        runs += [(self.clip(), "prompt=mask", f"prompt.path={self.materials / name}", rle) for name in IMAGES]
        runs += [
            (self.clip(), "prompt=file", f"prompt.path={self.materials / 'prompts.yaml'}", rle),
            (self.clip(), "prompt=first_mask", f"prompt.root={maps}", rle),
            (self.clip(), *CLICK, "metric=[davis_jf]", f"metric.davis_jf.truth={maps / 'h264'}", rle),
            (
                self.clip(),
                *CLICK,
                "metric=[agreement]",
                f"metric.agreement.reference={self.materials / 'masks.jsonl'}",
                rle,
            ),
            (self.clip(), "model=replay", "prompt=replayed", f"model.path={self.materials / 'masks.jsonl'}", rle),
        ]
        for number, words in enumerate(runs):
            yield Case(f"control {number}: {' '.join(words)}", "control", (*QUICK, *words), command=number % 3 == 0)

    def clip(self, name: str = "h264.mp4") -> str:
        """The override that names a whole clip."""
        return f"video={self.materials / name}"


def _outputs(rng: Random) -> str:
    return f"output=[{','.join(rng.sample(OUTPUTS, rng.choice((1, 2, 3))))}]"


def _model(rng: Random) -> str:
    """One in eight runs has a real model, at a small size."""
    return "model=nano" if rng.random() < 0.125 else "model=quick"


def _video(maker: Maker, own: str, rng: Random) -> Case:
    source = maker.materials / rng.choice(list(CLIPS))
    names, data = damaged(rng, source.read_bytes())
    (video := Path(own, source.name)).write_bytes(data)
    overrides = [*QUICK, f"video={video}", *CLICK, _outputs(rng)]
    if (model := _model(rng)) == "model=nano":
        overrides += [model, "model.image_size=64"]
        overrides += rng.choice(([], [f"prompt.frame={FRAMES // 2}", "propagate=both"]))
    else:
        overrides += rng.choice(
            ([], [], ["extract.step=2"], ["extract.start=4"], ["extract.stop=0.6s"], ["preview=true"])
        )
    return Case(f"{Path(own).name} video {source.name} {names}", "video", tuple(overrides), video=str(video))


def _prompt(maker: Maker, own: str, rng: Random) -> Case:
    text = (maker.materials / "prompts.yaml").read_text()
    path = Path(own, "prompts.yaml")
    (path.parent / "palette.png").write_bytes((maker.materials / "palette.png").read_bytes())
    match how := rng.choice(("scribbled", "scribbled", "misshapen", "misshapen", "misshapen", "bytes", "json")):
        case "scribbled":
            path.write_text(scribbled(rng, text))
        case "misshapen":
            path.write_text(yaml.safe_dump(misshapen(rng, yaml.safe_load(text)), allow_unicode=True))
        case "json":
            path.write_text(json.dumps(misshapen(rng, yaml.safe_load(text))))
        case "bytes":
            path.write_bytes(damaged(rng, text.encode())[1])
    overrides: tuple[str, ...] = (*QUICK, maker.clip(), "prompt=file", f"prompt.path={path}", "output=[rle]")
    if _model(rng) == "model=nano":
        overrides += ("model=nano", "model.image_size=64")
    return Case(f"{path.parent.name} prompt file {how}", "prompt", overrides)


def _mask(maker: Maker, own: str, rng: Random) -> Case:
    """A mask as prompt, in a folder of label maps as prompt, truth or reference, or recorded, for a replay."""
    use = rng.choice(("prompt", "prompt", "prompt", "truth", "first_mask", "reference", "replay", "replay"))
    name = {"replay": "masks.jsonl", "reference": "masks.jsonl", "prompt": rng.choice(IMAGES)}.get(use)
    if name is None or (use == "reference" and rng.random() < 0.5):
        (folder := Path(own, "h264")).mkdir()
        for file in (maker.materials / "maps" / "h264").iterdir():
            data = file.read_bytes()
            (folder / file.name).write_bytes(damaged(rng, data)[1] if rng.random() < 0.3 else data)
        path, names = folder, "label maps"
    else:
        names, data = damaged(rng, (maker.materials / name).read_bytes())
        (path := Path(own, name)).write_bytes(data)
    run = {
        "prompt": ("prompt=mask", f"prompt.path={path}"),
        "truth": (*CLICK, "metric=[davis_jf]", f"metric.davis_jf.truth={path}"),
        "first_mask": ("prompt=first_mask", f"prompt.root={own}"),
        "reference": (*CLICK, "metric=[agreement]", f"metric.agreement.reference={path}"),
        "replay": ("model=replay", "prompt=replayed", f"model.path={path}"),
    }[use]
    overrides = (*QUICK, maker.clip(), *run, "output=[rle,masks]")
    return Case(f"{Path(own).name} mask {use} {path.name} {names}", "mask", overrides)


_CHOICES = {
    "output/cutout": ("output=[cutout]",), "output/overlay": ("output=[overlay]",), "output/masks": ("output=[masks]",),
    "output/transparent_mov": ("output=[transparent_mov]",), "output/rle": ("output=[rle]",),
    "model/nano": ("model=nano", "model.image_size=64"), "model/base/sam2": ("model=nano", "model.image_size=64"),
    "precision/fp32": ("precision=fp32", "model=nano", "model.image_size=64"), "prompt/click": CLICK,
    "metric/davis_jf": ("metric=[davis_jf]",), "metric/mask_stats": ("metric=[mask_stats]",),
    "tracker/wandb": ("tracker=wandb", "tracker.mode=disabled"), "config": (), "model/quick": (),
}  # fmt: skip


def _config(maker: Maker, own: str, rng: Random) -> Case:
    """A folder for --config-dir with one of the real files, damaged, which is found before the real one."""
    name = rng.choice(list(_CHOICES))
    root = CONF if name == "model/quick" else Path(conf())
    text = (root / f"{name}.yaml").read_text()
    path = Path(own, "conf", f"{name}.yaml")
    path.parent.mkdir(parents=True)
    if how := rng.choice(("", "scribbled")):
        path.write_text(scribbled(rng, text))
    else:
        path.write_text(yaml.safe_dump(misshapen(rng, yaml.safe_load(text)), allow_unicode=True, sort_keys=False))
    if name != "model/quick":
        (quick := Path(own, "conf", "model", "quick.yaml")).parent.mkdir(exist_ok=True)
        quick.write_bytes((CONF / "model" / "quick.yaml").read_bytes())
    overrides = (*QUICK, maker.clip(), *CLICK, "output=[rle]", *_CHOICES[name])
    return Case(f"{Path(own).name} {name}.yaml {how or 'misshapen'}", "config", overrides, str(Path(own, "conf")))


_OVERRIDES = (
    ("model=nano", "model.image_size=64", "model.memory_stride=3", "model.zoom=0.85", "precision=fp32"),
    ("model=nano", "model.image_size=64", "model.checkpoint=random", "seed=1", "prompt.frame=3", "propagate=both"),
    ("prompt.points=[[8,14],[30,30]]", "prompt.labels=[1,0]", "prompt.frame=0", "prompt.object=1"),
    ("prompt=box", "prompt.box=[0,28,16,44]", "prompt.object=7"),
    ("extract.start=2", "extract.stop=8", "extract.step=2", "prompt.frame=2"),
    ("extract.start=0.2s", "extract.stop=1s", "prompt.frame=4"),
    ("stride=5", "seed=0", "device=cpu", "optimize=fps"),
    ("output=[cutout,overlay]", "output.cutout.background=[1,2,3]", "output.overlay.opacity=0.5"),
    ("output=[cutout]", "output.cutout.path=a.mp4"),
    ("output=[cutout]", "output.cutout.codec=ffv1", "output.cutout.path=a.mkv", "output.cutout.background=white"),
    ("output=[greenscreen,rle]", "output.greenscreen.quality=30"),
    ("tracker=wandb", "tracker.mode=disabled", "tracker.init_timeout_s=5", "tracker.tags=[a,b]", "tracker.project=p"),
    ("preview=true", "stride=1"),
)  # fmt: skip


def _overrides(maker: Maker, words: Sequence[str]) -> tuple[str, ...]:
    click = () if words[0] == "prompt=box" else CLICK
    return (*QUICK, maker.clip(), *click, "output=[rle]", *words)


def _override(maker: Maker, own: str, rng: Random) -> Case:
    """Overrides as people write them, of which one or two have another value, or are mistyped."""
    words = [*rng.choice(_OVERRIDES)]
    for place in rng.sample(range(len(words)), rng.choice((1, 1, 2))):
        key = words[place].partition("=")[0]
        match rng.randrange(8):
            case 0:
                words[place] = scribbled(rng, words[place])
            case 1:
                words[place] = rng.choice("+~=@:[{'\"") + words[place]
            case 2:
                words[place] = key + rng.choice(
                    ("", "=", "==", "=,", "=[", "={", ".x=1", "@a=b", "/b=c", ".=1", ".0=1")
                )
            case 3:
                words[place] = f"{key}={''.join(rng.choices(CHARACTERS, k=rng.randrange(1, 8)))}"
            case 4:
                words[place] = rng.choice(("~", "+", "++")) + rng.choice((key, words[place], f"{key}.extra=1"))
            case _:
                words[place] = next(overrides_of({key: rng.choice(VALUES)}), key)
    said = " ".join(words)
    name = f"{Path(own).name} {said if len(said) < 200 else said[:197] + '...'}"
    overrides = _overrides(maker, words)
    return Case(name, "override", overrides, command=rng.random() < 0.4)


_KINDS: dict[str, Callable[[Maker, str, Random], Case]] = {
    "video": _video, "prompt": _prompt, "mask": _mask, "config": _config, "override": _override,
}  # fmt: skip


def as_json(case: Case) -> dict[str, Any]:
    """The case for the worker's pipe."""
    return dict(vars(case))
