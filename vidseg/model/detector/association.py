"""Which detection is which one of the frame before: trackers of boxes from packages that are kept for just that.

- Roboflow's ``trackers`` (Apache-2.0): ByteTrack (Zhang et al., ECCV 2022), OC-SORT (Cao et al., CVPR 2023) and
  BoT-SORT (Aharon et al., 2022).
- ``ultralytics`` (AGPL-3.0): BoT-SORT as ``yolo track`` runs it, with its botsort.yaml.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vidseg import packages
from vidseg.errors import InputError
from vidseg.model.detector.yolo import load_package
from vidseg.types import RGB, Detections


class Association(Protocol):
    """Follows the detections of one video."""

    def update(self, detections: Detections, rgb_hw3: RGB) -> NDArray[np.int64]:
        """The number of each detection's track (n,); -1 of one that has none, or not yet: on its first frame."""


NewAssociation = Callable[[float], Association]  # of the frames a second

TRACKERS = ("bytetrack", "ocsort", "botsort", "ultralytics")


def association(tracker: str, confidence: float, buffer: int) -> NewAssociation:
    """What makes a tracker for each video.

    - ``tracker``: one of TRACKERS.
    - ``confidence``: the score from which a detection begins a track, 0 to 1.
    - ``buffer``: how many frames, at 30 a second, a lost track is looked for.

    Raises InputError, beginning with model., for values that can't be used, and without the tracker's package.
    """
    if tracker not in TRACKERS:
        raise InputError(f"model.tracker: {tracker} is not one of {', '.join(TRACKERS)}")
    if buffer < 0:
        raise InputError(f"model.track_buffer: {buffer} is not a number of frames; 0 or more")
    if tracker == "ultralytics":
        return _ultralytics(confidence, buffer)
    try:
        import trackers
    except ImportError as error:
        raise InputError(f"model.tracker: {tracker} needs the package trackers: pip install trackers") from error
    keys: dict[str, Any] = {
        "lost_track_buffer": buffer,
        "minimum_consecutive_frames": 1,
        "high_conf_det_threshold": confidence,
    }
    if tracker != "ocsort":
        keys["track_activation_threshold"] = confidence
    names = {"bytetrack": "ByteTrackTracker", "ocsort": "OCSORTTracker", "botsort": "BoTSORTTracker"}
    return partial(_Roboflow, getattr(trackers, names[tracker]), keys)


class _Roboflow:
    """A tracker of Roboflow's package."""

    def __init__(self, kind: Callable[..., Any], keys: dict[str, Any], fps: float) -> None:
        self._tracker = kind(frame_rate=fps, **keys)
        self._sees = "botsort" in kind.__module__  # the camera's motion in the picture; the others warn of a picture

    def update(self, detections: Detections, rgb_hw3: RGB) -> NDArray[np.int64]:
        import supervision

        rows = np.arange(len(detections.scores))
        given = supervision.Detections(
            detections.boxes_xyxy, confidence=detections.scores, class_id=np.zeros(len(rows), int), data={"row": rows}
        )
        bgr_hw3 = np.ascontiguousarray(rgb_hw3[..., ::-1]) if self._sees else None
        tracked = self._tracker.update(given, bgr_hw3)
        numbers = np.full(len(rows), -1)
        if len(tracked):  # in an order of its own
            numbers[tracked.data["row"]] = tracked.tracker_id
        return numbers


def _ultralytics(confidence: float, buffer: int) -> NewAssociation:
    try:
        load_package()  # without its analytics, downloads and installing of packages
        packages.load("lap", "yolo")  # which ultralytics imports when it tracks
    except InputError as error:
        raise InputError(f"model.tracker: ultralytics{str(error).removeprefix('_target_: it')}") from error
    from ultralytics.utils import YAML, IterableSimpleNamespace
    from ultralytics.utils.checks import check_yaml

    settings = YAML.load(check_yaml("botsort.yaml"))

    def new(fps: float) -> Association:
        own = {
            "track_high_thresh": confidence,
            "new_track_thresh": confidence,
            "track_buffer": round(buffer * fps / 30),
        }
        return _Ultralytics(IterableSimpleNamespace(**{**settings, **own}))

    return new


class _Ultralytics:
    """BoT-SORT of ultralytics."""

    def __init__(self, settings: Any) -> None:
        from ultralytics.trackers import BOTSORT

        self._tracker = BOTSORT(settings)

    def update(self, detections: Detections, rgb_hw3: RGB) -> NDArray[np.int64]:
        from ultralytics.engine.results import Boxes

        scores, classes = detections.scores[:, None], np.zeros((len(detections.scores), 1), np.float32)
        boxes = Boxes(np.hstack([detections.boxes_xyxy, scores, classes]), rgb_hw3.shape[:2])
        tracked = self._tracker.update(boxes, np.ascontiguousarray(rgb_hw3[..., ::-1]))
        numbers = np.full(len(scores), -1)
        if len(tracked):  # rows of x0, y0, x1, y1, track, score, class, row; tracks that were not matched keep theirs
            numbers[tracked[:, 7].astype(int)] = tracked[:, 4]
        return numbers
