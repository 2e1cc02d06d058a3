"""The sequential notebook that vidseg grew out of, told as one script: the yardstick for time and memory.

Five stages, each finished before the next begins: every frame becomes a JPEG on disk, every JPEG goes into one tensor,
one click, SAM2VideoPredictor's propagate_in_video into a dict of full-size masks, and every JPEG is read again, put
on black and written as XVID in an AVI. Prints one JSON object.

    python -m benchmarks.article clip.mp4 --checkpoint tiny.pt --image-size 256 --folder out
"""

import argparse
import json
import logging
import time
from pathlib import Path

import cv2
import numpy as np
import torch

from benchmarks.clip import clicks, precision
from benchmarks.segmentation import set_threads
from vidseg.meter import peak_cuda_mib, peak_rss_mib


def extract(video: str, folder: Path) -> float:
    """Every frame of the video as a JPEG; returns frames per second."""
    folder.mkdir(parents=True)
    capture = cv2.VideoCapture(video)
    number = 0
    while (read := capture.read())[0]:
        cv2.imwrite(str(folder / f"{number:05d}.jpg"), read[1])
        number += 1
    return float(capture.get(cv2.CAP_PROP_FPS))


def segment(predictor, folder: Path, objects: int, finished: list[float]) -> dict[int, dict[int, np.ndarray]]:
    """Masks of every frame and object, all held at once; ``finished`` gets the time of each."""
    masks = {}
    with torch.inference_mode():
        state = predictor.init_state(video_path=str(folder))
        for prompt in clicks(objects):
            predictor.add_new_points_or_box(
                state, frame_idx=0, obj_id=prompt.object_id, points=prompt.points_xy, labels=prompt.labels
            )
        for frame, object_ids, logits in predictor.propagate_in_video(state):
            masks[frame] = {object_id: (logits[n] > 0).cpu().numpy() for n, object_id in enumerate(object_ids)}
            finished.append(time.perf_counter())
    return masks


def composite(folder: Path, masks: dict[int, dict[int, np.ndarray]], fps: float, path: Path) -> None:
    """Every JPEG again, black outside the masks, as XVID."""
    height, width = masks[0][1].shape[-2:]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"XVID"), fps, (width, height))
    for frame, by_object in sorted(masks.items()):
        picture = cv2.imread(str(folder / f"{frame:05d}.jpg"))
        for mask in by_object.values():
            picture = cv2.bitwise_and(picture, picture, mask=mask.squeeze().astype(np.uint8))
        writer.write(picture)
    writer.release()


def main() -> None:
    """Runs the stages one after the other and prints what they took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video")
    parser.add_argument("--config", default="configs/sam2.1/sam2.1_hiera_t.yaml")
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--image-size", type=int, default=1024)
    parser.add_argument("--objects", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--folder", type=Path, required=True)
    args = parser.parse_args()
    logging.disable(logging.WARNING)
    set_threads(args.threads)
    from sam2.build_sam import build_sam2_video_predictor

    size = [f"++model.image_size={args.image_size}"]
    predictor = build_sam2_video_predictor(args.config, args.checkpoint, device=args.device, hydra_overrides_extra=size)

    seconds, began, cpu_began = {}, time.perf_counter(), time.process_time()
    fps = extract(args.video, args.folder / "frames")
    seconds["extract"] = time.perf_counter() - began
    finished: list[float] = []
    with precision(args.precision, args.device).applied(torch.device(args.device)):
        masks = segment(predictor, args.folder / "frames", args.objects, finished)
    seconds["segment"] = time.perf_counter() - began - seconds["extract"]
    composite(args.folder / "frames", masks, fps, args.folder / "output.avi")
    seconds["total"] = time.perf_counter() - began
    seconds["composite"] = seconds["total"] - seconds["extract"] - seconds["segment"]
    seconds |= {"first_frame": finished[0] - began, "cpu": time.process_time() - cpu_began}
    figures = {"frames": len(masks), "fps": len(masks) / seconds["total"]}
    figures |= {"peak_rss_mib": peak_rss_mib(), "peak_cuda_mib": peak_cuda_mib()}
    print(json.dumps({**figures, "seconds": {name: round(value, 3) for name, value in seconds.items()}}))


if __name__ == "__main__":
    main()
