"""Frames of another size than the source's: all that comes after extraction has it, prompts stay as they were told."""

import json

import av
import cv2
import numpy as np
import pytest
import yaml
from conftest import SEARCH_PATH
from video.clips import make_clip

import vidseg as package
from vidseg.config.overrides import compose_config
from vidseg.errors import InputError
from vidseg.job import open_video
from vidseg.record.found import read_found
from vidseg.record.label_maps import write_label_map
from vidseg.scaling import scaled
from vidseg.types import Prompt
from vidseg.video import open_source


def run(folder, video, *overrides):
    words = [SEARCH_PATH, f"hydra.run.dir={folder}", f"video={video}", "model=square", "tracker=none", "prompt=click"]
    return package.run([*words, "prompt.points=[[20,30]]", *overrides])


@pytest.mark.parametrize(
    ("keys", "size"), [({"scale": 0.5}, (80, 60)), ({"height": 90}, (120, 90)), ({"scale": 2}, (320, 240))]
)
def test_frames_have_the_size(clip, keys, size):
    source, whole = open_source(str(clip), **keys), open_source(str(clip))
    assert (source.info.width, source.info.height) == size
    assert source.info.of_source == whole.info
    assert (source.frames, source.audio, source.name) == (whole.frames, whole.audio, whole.name)
    frames = list(source)
    assert [(f.index, f.time_s) for f in frames] == [(f.index, f.time_s) for f in whole]
    assert {f.rgb_hw3.shape for f in frames} == {(size[1], size[0], 3)}
    for again in (source[7], next(f for f in source.backwards(9) if f.index == 7), next(source.onward(7))):
        assert (again.rgb_hw3 == frames[7].rgb_hw3).all()
    if keys == {"scale": 0.5}:
        blocks = whole[7].rgb_hw3.reshape(60, 2, 80, 2, 3).mean((1, 3))
        assert np.abs(frames[7].rgb_hw3 - blocks).max() <= 0.5
    assert source.provenance()["scaled_to"] == f"{size[0]}x{size[1]}"


def test_no_size_is_the_source_itself(clip):
    assert (
        type(open_source(str(clip), scale=1))
        is type(open_source(str(clip), height=120))
        is type(open_source(str(clip)))
    )


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"scale": 0}, r"extract.scale: 0 is no factor; more than 0 \(0.5 halves"),
        ({"scale": 5}, "extract.scale: 5 is no factor"),
        ({"scale": 0.05}, r"extract.scale: 0.05 makes 8x6 pixels of 160x120; at least 16"),
        ({"height": 3}, "extract.height: 3 is no number of lines; 16 or more"),
        ({"height": 1000}, "extract.height: 1000 makes 1334x1000 pixels of 160x120; .* 4 times"),
        ({"height": 60, "scale": 0.5}, "extract.height: 60 and extract.scale: 0.5; give one"),
    ],
)
def test_sizes_that_cant_be(clip, keys, words):
    with pytest.raises(InputError, match=words):
        open_source(str(clip), **keys)


def test_prompts_are_scaled():
    mask_hw = np.zeros((120, 160), bool)
    mask_hw[20:60, 40:80] = True
    click = Prompt(3, 1, points_xy=[[0, 0], [159, 119], [40.5, 30.5]], labels=[1, 0, 1], name="skater")
    half = scaled(click, (160, 120), (80, 60))
    assert half.points_xy.tolist() == [[0, 0], [79, 59], [20, 15]]
    assert (half.name, half.frame_index, half.labels.tolist()) == ("skater", 3, [1, 0, 1])
    assert scaled(Prompt(0, 1, box_xyxy=[40, 20, 160, 120]), (160, 120), (80, 60)).box_xyxy.tolist() == [20, 10, 80, 60]
    small_hw = scaled(Prompt(0, 1, mask_hw=mask_hw), (160, 120), (80, 60)).mask_hw
    assert small_hw[10:30, 20:40].all()
    assert small_hw.sum() == 400
    line_hw = np.zeros((120, 160), bool)
    line_hw[50] = True
    assert scaled(Prompt(0, 1, mask_hw=line_hw), (160, 120), (40, 30)).mask_hw[12].all()


def test_a_run_has_one_size(tmp_path, clip):
    """Outputs, masks, samples and scores; the truth is told in the source's size."""
    truth = tmp_path / "truth"
    truth.mkdir()
    for index in range(20):
        labels_hw = np.zeros((120, 160), np.uint8)
        labels_hw[10:50, 2 * index : 2 * index + 40] = 1
        write_label_map(truth / f"{index:05d}.png", labels_hw, np.zeros((256, 3), np.uint8))
    keys = ("extract.scale=0.5", "output=[cutout,masks,frames]", f"metric.davis_jf.truth={truth}")
    summary, folder = run(tmp_path / "run", clip, *keys)
    assert summary["metrics"]["j"] > 0  # the fake's square is elsewhere at this size, but both have one size
    with av.open(str(folder / "cutout.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (80, 60)
    for name in ("masks/00003.png", "frames/00003.png", "samples/frame_00000.png"):
        assert cv2.imread(str(folder / name), cv2.IMREAD_UNCHANGED).shape[:2] == (60, 80)
    line = json.loads((folder / "masks.jsonl").read_text().splitlines()[0])
    assert line["objects"][0]["rle"]["size"] == [60, 80]


def test_a_job_s_prompts_are_those_of_the_source(clip):
    """Told in its pixels, and checked in them; what is segmented has them in its own."""
    words = [f"video={clip}", "prompt=click", "prompt.points=[[150,110]]", "prompt.box=[100,60,160,120]"]
    told = open_video(compose_config([*words, "extract.height=60"])[0], None)
    assert told.prompts[0].points_xy.tolist() == [[74.75, 54.75]]
    assert told.prompts[0].box_xyxy.tolist() == [50, 30, 80, 60]
    with pytest.raises(InputError, match="170"):
        open_video(
            compose_config([f"video={clip}", "prompt=click", "prompt.points=[[170,110]]", "extract.scale=2"])[0], None
        )


def test_found_prompts_are_told_in_the_source_s_pixels(tmp_path):
    from vidseg.output.samples import Samples
    from vidseg.prompt.looking import Looks
    from vidseg.types import Frame, FrameMasks

    prompts = (Prompt(0, 1, box_xyxy=[10, 10, 30, 40], name="dog"),)
    looks = Looks({0: ()})
    samples = Samples(tmp_path, 1, prompts, 1, None, looks, source_size=(160, 120))
    samples.write(
        Frame(0, 0.0, np.zeros((60, 80, 3), np.uint8)), FrameMasks(0, (1,), np.zeros((1, 60, 80), np.float32))
    )
    assert read_found(tmp_path)[0].box_xyxy.tolist() == [20, 20, 60, 80]
    assert yaml.safe_load((tmp_path / "found.yaml").read_text())["prompts"][0]["box"] == [20, 20, 60, 80]


def test_a_deep_picture_is_scaled_too(tmp_path):
    path = make_clip(tmp_path / "a.mp4", frames=3, pix_fmt="yuv420p10le", options={"crf": "4"})
    source = open_source(str(path), height=60)
    source.carry_depth()
    frame = source[1]
    assert frame.deep.rgb_hw3.shape == (60, 80, 3)
    assert np.abs(frame.deep.rgb_hw3 / 257 - frame.rgb_hw3).mean() < 1
