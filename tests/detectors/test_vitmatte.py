"""matte=vitmatte with a small network of random weights, saved as a repository has it and read from there."""

import cv2
import numpy as np
import pytest

from vidseg.errors import InputError
from vidseg.matte.vitmatte import ViTMatte
from vidseg.types import Frame, FrameMasks

pytestmark = [pytest.mark.detectors, pytest.mark.timeout(600)]

PICTURE = np.random.default_rng(0).integers(0, 256, (90, 150, 3), np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    transformers = pytest.importorskip("transformers")
    backbone = transformers.VitDetConfig(
        hidden_size=32, num_hidden_layers=1, num_attention_heads=2, image_size=64, num_channels=4,
        out_features=["stage1"],
    )  # fmt: skip
    config = transformers.VitMatteConfig(
        backbone_config=backbone, hidden_size=32, convstream_hidden_sizes=[8, 8, 8], fusion_hidden_sizes=[8, 8, 8, 8]
    )
    path = tmp_path_factory.mktemp("repository")
    transformers.VitMatteForImageMatting(config).save_pretrained(path)
    transformers.VitMatteImageProcessor().save_pretrained(path)
    return path


def masks(mask_hw):
    return FrameMasks(0, (1,), np.where(mask_hw, np.float32(5), np.float32(-5))[None])


def disc():
    return cv2.circle(np.zeros((90, 150), np.uint8), (70, 45), 25, 1, -1) > 0


def alpha(folder, mask_hw, **keys):
    made = ViTMatte(str(folder), **{"width": 6, "size": 1024, "device": "cpu", **keys})
    return made.refine(Frame(0, 0.0, PICTURE), masks(mask_hw)).alpha_hw


def test_alpha_is_the_network_s_in_the_band_and_the_mask_s_beyond(folder):
    found_hw = alpha(folder, disc())
    distance = cv2.distanceTransform((~disc()).astype(np.uint8), cv2.DIST_L2, 5)
    inside = cv2.distanceTransform(disc().astype(np.uint8), cv2.DIST_L2, 5)
    assert (found_hw[distance > 8] == 0).all()
    assert (found_hw[inside > 8] == 255).all()
    assert ((found_hw > 0) & (found_hw < 255)).mean() > 0.05
    assert np.array_equal(alpha(folder, disc()), found_hw)


def test_it_sees_the_picture(folder):
    made = ViTMatte(str(folder), width=6, size=1024, device="cpu")
    one, other = (made.refine(Frame(0, 0.0, rgb), masks(disc())).alpha_hw for rgb in (PICTURE, 255 - PICTURE))
    assert not np.array_equal(one, other)


def test_a_large_object_is_shrunk_and_an_absent_one_has_no_alpha(folder):
    found_hw = alpha(folder, disc(), size=64)
    assert found_hw.shape == (90, 150)
    assert set(np.unique(found_hw)) > {0, 255}
    assert not alpha(folder, np.zeros((90, 150), bool)).any()


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"width": 0}, "matte.width: 0 is not a number from 1 to 256"),
        ({"size": 32}, "matte.size: 32 is not a whole number from 64 to 4096"),
    ],
)
def test_values_out_of_range(folder, keys, message):
    with pytest.raises(InputError, match=message):
        alpha(folder, disc(), **keys)


def test_a_folder_without_weights_is_told(tmp_path):
    with pytest.raises(InputError, match=r"matte.checkpoint: .* is no folder with config.json"):
        ViTMatte(str(tmp_path), width=6, size=1024, device="cpu")
