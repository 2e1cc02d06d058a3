"""The resize on a device: PIL's bytes and the host's bits, on CPU tensors."""

import numpy as np
import pytest
import torch
from PIL import Image

from vidseg.model.image import device_image, host_image, upload
from vidseg.model.resize import resize

CPU = torch.device("cpu")
# (height, width): down, up, odd, one side alone, untouched, strips, and portrait, whose height Pillow 13 resizes first
SIZES = [(72, 128), (45, 80), (255, 257), (64, 150), (150, 64), (64, 64), (1, 300), (300, 1), (721, 33), (192, 108)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("levels", [256, 2])  # black and white alone overshoot most
def test_bytes_are_pils(size: tuple[int, int], levels: int) -> None:
    rng = np.random.default_rng(size[0])
    rgb_hw3 = (rng.integers(0, levels, (*size, 3)) * (255 // (levels - 1))).astype(np.uint8)
    planes_3hw = torch.from_numpy(rgb_hw3).permute(2, 0, 1).contiguous()
    for height, width in ((64, 64), (96, 40)):
        ours_hw3 = resize(planes_3hw, height, width).permute(1, 2, 0).numpy()
        assert np.array_equal(ours_hw3, np.asarray(Image.fromarray(rgb_hw3).resize((width, height))))


def test_the_models_input_is_the_hosts_whatever_the_memory_of_the_frame() -> None:
    rgb_hw3 = np.random.default_rng(1).integers(0, 256, (90, 160, 3), np.uint8)
    for frame_hw3 in (rgb_hw3, rgb_hw3[:, ::-1], np.broadcast_to(rgb_hw3[:1], rgb_hw3.shape)):  # one is read-only
        uploaded = upload(frame_hw3, CPU)
        assert uploaded.rgb_hw3 is frame_hw3
        image_chw = device_image(uploaded.planes_3hw, 64)
        assert image_chw.dtype == torch.float32
        assert torch.equal(image_chw, host_image(np.ascontiguousarray(frame_hw3), 64))
