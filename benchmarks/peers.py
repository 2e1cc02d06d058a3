"""Other programs for SAM 2 on video beside ours, in steps: `make bench-peers`.

    python -m benchmarks.peers [--image-size 256] [--objects 1] [--seconds 1200] [--list]

Each contender segments the built-in clip (1280x720, H.264) once, in fp32, with as many threads as the others and with
seeded weights of SAM 2.1 tiny, and has every frame's masks as an array of the clip's size on the host.

    ours           SAM2.track, which decodes and resizes frames as it goes, and fills holes of up to 8 pixels
    upstream       SAM2VideoPredictor, whose frames were decoded and resized before the clock starts, as its own loader
                   holds them all; without its CUDA extension it fills no holes
    transformers   Hugging Face's Sam2VideoModel and Sam2VideoProcessor, streaming; fills no holes
    ultralytics    SAM2VideoPredictor of Ultralytics, which reads the file itself; fills no holes; pads the picture to a
                   square where the others stretch it; its memories are float16, the others' bfloat16

The rate is that between two frames of one pass, so start-up cancels out. `core s` is the time of all cores for a frame,
which other programs on the machine hardly lengthen. Memory is the peak of the process after building the model.
Ultralytics takes all cores but one; here it is given as many threads as the others.
"""

import os
import time
from collections.abc import Callable, Generator, Iterator
from functools import partial
from pathlib import Path

import torch

from benchmarks import segmentation, steps
from benchmarks.clip import Indexed, clicks
from benchmarks.segmentation import Passes, Setting, set_threads
from benchmarks.tables import Figures
from vidseg.meter import peak_cuda_mib, peak_rss_mib, reset_peaks
from vidseg.model.detector.yolo import SWITCHES
from vidseg.types import Frame
from vidseg.video import open_source

Peer = Callable[[Setting, Indexed], Passes]


class Clip(Indexed):
    """A file whose frames are decoded when they are asked for, so that none is held."""

    def __init__(self, setting: Setting) -> None:
        self._path, self._video = setting.clip, open_source(setting.clip)
        info = self._video.info
        super().__init__(setting.long, info.height, info.width, clicks(setting.objects))

    def __getitem__(self, index: int) -> Frame:
        return self._video[index]

    def __iter__(self) -> Generator[Frame]:
        yield from open_source(self._path, stop=len(self.frames))


def transformers(setting: Setting, source: Indexed) -> Passes:
    """Sam2VideoModel with random weights, frame by frame."""
    import transformers as library

    if setting.model != "tiny":
        raise SystemExit("transformers: tiny is the one size whose configuration is here (it is the default)")
    size, device = setting.image_size, setting.device
    square, sides = {"height": size, "width": size}, [[size // stride] * 2 for stride in (4, 8, 16)]
    backbone = {"model_type": "sam2_hiera_det_model", "image_size": [size, size]}
    config = library.Sam2VideoConfig(
        vision_config=library.Sam2VisionConfig(backbone_config=backbone, backbone_feature_sizes=sides),
        prompt_encoder_config={"image_size": size},
        image_size=size,
        memory_attention_rope_feat_sizes=sides[-1],
    )
    torch.manual_seed(0)
    model = library.Sam2VideoModel(config).eval().to(device)
    resizes = (library.Sam2ImageProcessor(size=square), library.Sam2VideoVideoProcessor(size=square))
    processor = library.Sam2VideoProcessor(*resizes, target_size=size)

    def run(length: int) -> Iterator[None]:
        session = processor.init_video_session(inference_device=device)
        ids, points = zip(*((each.object_id, each.points_xy.tolist()) for each in source.prompts), strict=True)
        with torch.inference_mode():
            for frame in source.first(length):
                inputs = processor(images=frame.rgb_hw3, device=device, return_tensors="pt")
                if frame.index == 0:
                    processor.add_inputs_to_inference_session(
                        session, frame_idx=0, obj_ids=[*ids], input_points=[[*points]], input_labels=[[[1]] * len(ids)],
                        original_size=inputs.original_sizes[0],
                    )  # fmt: skip
                masks = model(inference_session=session, frame=inputs.pixel_values[0]).pred_masks
                processor.post_process_masks([masks], inputs.original_sizes)[0].cpu().numpy()
                yield

    return run


def ultralytics(setting: Setting, source: Indexed) -> Passes:
    """SAM2VideoPredictor with the weights that upstream has; nothing is downloaded and nothing told."""
    folder = Path(str(setting.checkpoint)).parent
    own = folder / "ultralytics"  # its settings
    own.mkdir(exist_ok=True)
    os.environ.update(SWITCHES, YOLO_CONFIG_DIR=str(own))
    from ultralytics import settings
    from ultralytics.models.sam import SAM2VideoPredictor

    settings.update({"sync": False})
    letter = {"tiny": "t", "small": "s", "base_plus": "b", "large": "l"}[setting.model]
    weights = own / f"sam2.1_{letter}.pt"  # the name says which model it is
    weights.unlink(missing_ok=True)
    weights.symlink_to(Path(str(setting.checkpoint)).absolute())
    choices = {"imgsz": setting.image_size, "model": str(weights), "device": setting.device}
    predictor = SAM2VideoPredictor(overrides={**choices, "save": False, "verbose": False})
    predictor.setup_model(None)
    points = [each.points_xy[0].tolist() for each in source.prompts if each.points_xy is not None]

    def run(length: int) -> Iterator[None]:
        results = predictor(source=setting.clip, stream=True, points=points, labels=[1] * len(points))
        for _, result in zip(range(length), results, strict=False):
            if result.masks is not None:  # no mask is empty then
                result.masks.data.cpu().numpy()
            yield

    return run


def measure(peer: Peer, setting: Setting, folder: Path) -> Figures:
    """One pass over ``long`` frames, timed from the last of ``short`` on."""
    if setting.precision != "fp32":
        raise SystemExit(f"{setting.precision}: the peers are run in fp32 only")
    source = Clip(setting)
    run = peer(setting, source)
    set_threads(setting.threads)  # only now: Ultralytics sets its own when it builds a model
    reset_peaks()
    began, marks = time.perf_counter(), {}
    for number, _ in enumerate(run(setting.long), start=1):
        if number in (1, setting.short, setting.long):
            marks[number] = time.perf_counter(), time.process_time()
    (from_s, from_core_s), (to_s, to_core_s) = marks[setting.short], marks[setting.long]
    steady, core_s = setting.long - setting.short, to_core_s - from_core_s
    figures: Figures = {"fps": steady / (to_s - from_s), "first_frame_ms": 1e3 * (marks[1][0] - began)}
    figures |= {"peak_rss_mib": peak_rss_mib(), "core_s": core_s / steady}
    if setting.device == "cpu":
        figures["device_busy"] = core_s / (to_s - from_s) / torch.get_num_threads()
    else:
        figures["peak_cuda_mib"] = peak_cuda_mib()
    return figures


def frames(image_size: int, objects: int) -> tuple[int, int]:
    """At 256 with one object to 200, where memory is told; at 1024 a frame of an object takes 8 s on two cores."""
    if image_size > 512:
        return 9, 13 if objects == 1 else 11
    return 9, 200 if objects == 1 else 33


PLAN = steps.Plan(
    name="peers",
    module="benchmarks.peers",
    contenders={
        "ours": partial(measure, segmentation.ours),
        "transformers": partial(measure, transformers),
        "ultralytics": partial(measure, ultralytics),
        "upstream": partial(measure, segmentation.upstream),
    },
    theirs=("transformers", "ultralytics", "upstream"),
    frames=frames,
    defaults={
        "models": "tiny", "objects": "1,4", "image_size": "256,1024", "precision": "fp32", "device": "cpu",
        "rounds": 3, "limit": 900,
    },
    packages=("transformers", "ultralytics", "torchvision"),
)  # fmt: skip


if __name__ == "__main__":
    steps.main(PLAN, __doc__)
