"""vidseg, the article's notebook and upstream's predictors on an NVIDIA GPU, in steps: `make bench-gpu`.

    python -m benchmarks.gpu [--seconds 540] [--rounds 1] [--list]
    python -m benchmarks.gpu --device cpu --models tiny --image-size 64 --objects 1,2 --precision fp32 --frames 3,5

SAM 2.1 large and tiny at 1024x1024 in bfloat16 with seeded random weights, on the built-in clip; a step takes three
minutes at most. Contenders are those of benchmarks/engine.py. command_h264 is the whole command with a cutout in H.264,
encoded on the GPU where it has an encoder (NVENC; an H100 or H200 has none) and by libx264 elsewhere, which is
recorded. What torch.compile and max-autotune found out is kept in --folder: a step that was left out because that took
too long gets further with --again.
"""

from pathlib import Path

from benchmarks import engine, steps
from benchmarks.segmentation import Setting
from benchmarks.step_tables import Target
from benchmarks.tables import THEIRS, Figures


def upstream_vos(setting: Setting, folder: Path) -> Figures:
    """vos_optimized, which is compiled for CUDA alone."""
    if setting.device == "cpu":
        raise SystemExit("vos_optimized needs CUDA")
    return engine.segmentation("upstream_vos", setting, folder)


def frames(image_size: int, objects: int) -> tuple[int, int]:
    """Upstream takes its objects one by one: fewer frames of many, that a step takes three minutes at most."""
    return 32, 160 if objects < 8 else 96 if objects < 16 else 80


PLAN = steps.Plan(
    name="gpu",
    module="benchmarks.gpu",
    contenders={
        "ours": engine.CONTENDERS["ours"],
        "article": engine.article,
        "upstream_vos": upstream_vos,
        "ours_compiled": engine.CONTENDERS["ours_compiled"],
        "command_h264": engine.command_h264,
        "upstream": engine.CONTENDERS["upstream"],
        "command_h264_compiled": lambda setting, folder: engine.command_h264(setting, folder, "model.compile=true"),
    },
    theirs=THEIRS,
    frames=frames,
    defaults={
        "models": "large,tiny", "objects": "1,8,16", "image_size": "1024", "precision": "bf16", "device": "cuda",
        "rounds": 3, "limit": 180,
    },
    targets=(
        Target("command", "fps_end_to_end", 2.5, "article", model="large", objects=1),
        Target("command", "fps_end_to_end", 6, "article", model="large", objects=8),
        Target("ours", "fps", 1.3, "upstream_vos", model="large"),
        Target("", "device_busy", 0.9, model="large"),
    ),
)  # fmt: skip


if __name__ == "__main__":
    steps.main(PLAN, __doc__)
