"""Masks on disk: which label map means what."""

from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from vidseg.errors import InputError
from vidseg.record.label_maps import LabelMaps
from vidseg.record.masks import open_masks
from vidseg.types import VideoInfo

INFO = VideoInfo(6, 4, Fraction(24), 3, Fraction(1, 24))


def write(folder, *rows):
    """A map a row of values, 4 x 6."""
    for index, values in enumerate(rows):
        Image.fromarray(np.array(values * 4, np.uint8).reshape(4, 6)).save(folder / f"{index:05d}.png")
    return folder


def values(folder):
    maps = LabelMaps(folder, "key")
    return [sorted(np.unique(maps.read_labels(index, INFO)).tolist()) for index in range(3)]


def test_davis_2016_s_white_is_object_1(tmp_path):
    write(tmp_path, [0] * 6, [0, 0, 255, 255, 0, 0], [0] * 6)
    assert values(tmp_path) == [[0], [0, 1], [0]]


def test_void_stays_void_where_objects_are_gone(tmp_path):
    write(tmp_path, [0, 0, 1, 2, 255, 0], [0, 0, 0, 0, 255, 0], [255] * 6)
    assert values(tmp_path) == [[0, 1, 2], [0], [0]]


def test_ids_are_those_of_all_maps(tmp_path):
    masks = open_masks(str(write(tmp_path, [0, 0, 1, 1, 0, 255], [0, 0, 3, 0, 0, 0])), "key")
    assert masks.object_ids == {1, 3}
    found, scores = masks.read(1, INFO)
    assert ({number: int(mask.sum()) for number, mask in found.items()}, scores) == ({1: 0, 3: 4}, {})
    assert masks.read(2, INFO) == (None, {})
    with pytest.raises(InputError, match="key: frame 0 is 6x4, the video is 5x4"):
        masks.read(0, VideoInfo(5, 4, Fraction(24), 3, Fraction(1, 24)))
