"""Prompts from configuration values, mask images and files; each mistake's message names its key."""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vidseg import prompt
from vidseg.errors import InputError
from vidseg.prompt import checking
from vidseg.prompt.missing import MissingPromptError
from vidseg.types import Prompt, VideoInfo


@dataclass
class Clip:
    """As much of a source as prompts look at."""

    name: str = "clip.mp4"
    info: VideoInfo = VideoInfo(64, 48, Fraction(24), 10, Fraction(1, 24))  # noqa: RUF009 (frozen)
    frames: Any = range(0, 10)
    prompts: tuple[Prompt, ...] = ()

    def time_s(self, index: int) -> float:
        return 3 + index / 24  # the first time stamp is not zero


SOURCE: Any = Clip()


def test_click_defaults_to_positive_labels():
    (made,) = prompt.click(SOURCE, [[3, 4], [5.5, 6]], None, 2, 7)
    assert (made.frame_index, made.object_id) == (2, 7)
    assert made.points_xy is not None
    assert made.points_xy.tolist() == [[3, 4], [5.5, 6]]
    assert made.labels is not None
    assert made.labels.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: prompt.click(SOURCE, None, None, 0, 1), "prompt.points: missing"),
        (lambda: prompt.click(SOURCE, [], None, 0, 1), "prompt.points: [] is not [[x, y], ...]"),
        (lambda: prompt.click(SOURCE, [[64, 4]], None, 0, 1), "prompt.points: [64, 4] lies outside the frame of 64x48"),
        (lambda: prompt.click(SOURCE, [[-1, 4]], None, 0, 1), "prompt.points: [-1, 4] lies outside"),
        (lambda: prompt.click(SOURCE, [[math.nan, 4]], None, 0, 1), "prompt.points: [[nan, 4]] is not [[x, y], ...]"),
        (lambda: prompt.click(SOURCE, [["a", 4]], None, 0, 1), "prompt.points: [['a', 4]] is not [[x, y], ...]"),
        (lambda: prompt.click(SOURCE, [3, 4], None, 0, 1), "prompt.points: [3, 4] is not [[x, y], ...]"),
        (lambda: prompt.click(SOURCE, [[3, 4]], [1, 0], 0, 1), "prompt.labels: 2 labels for 1 points"),
        (lambda: prompt.click(SOURCE, [[3, 4]], [2], 0, 1), "prompt.labels: [2]; a label is 1"),
        (lambda: prompt.click(SOURCE, [[3, 4]], None, 10, 1), "prompt.frame: 10 is beyond the last frame of clip.mp4"),
        (lambda: prompt.click(SOURCE, [[3, 4]], None, -1, 1), "prompt.frame: -1 is neither a frame number (100) nor"),
        (lambda: prompt.click(SOURCE, [[3, 4]], None, 1.5, 1), "prompt.frame: 1.5 is neither a frame number (100) nor"),
        (lambda: prompt.click(SOURCE, [[3, 4]], None, "1,5s", 1), "prompt.frame: '1,5s' is neither a frame number"),
        (
            lambda: prompt.click(SOURCE, [[3, 4]], None, "0.5s", 1),
            "prompt.frame: 0.5s is beyond the last frame of clip",
        ),
        (lambda: prompt.mask(SOURCE, "m.png", "-1s", None), "prompt.path: no such file"),
        (lambda: prompt.click(SOURCE, [[3, 4]], None, 0, 0), "prompt.object: 0 is not an integer from 1 on"),
        (lambda: prompt.click(SOURCE, [[3, 4]], None, 0, 255), "prompt.object: 255 is not an object id; ids go from 1"),
        (lambda: prompt.box(SOURCE, None, 0, 1), "prompt.box: missing"),
        (lambda: prompt.box(SOURCE, [1, 2, 3], 0, 1), "prompt.box: [1, 2, 3] is not [x0, y0, x1, y1]"),
        (lambda: prompt.box(SOURCE, [30, 2, 3, 20], 0, 1), "prompt.box: [30, 2, 3, 20] is inside out"),
        (lambda: prompt.box(SOURCE, [3, 2, 65, 20], 0, 1), "prompt.box: [3, 2, 65, 20] lies outside"),
        (lambda: prompt.mask(SOURCE, None, 0, None), "prompt.path: missing"),
        (lambda: prompt.mask(SOURCE, "nowhere.png", 0, None), "prompt.path: no such file: nowhere.png"),
        (lambda: prompt.file(SOURCE, "nowhere.yaml"), "prompt.path: can't read nowhere.yaml"),
        (lambda: prompt.sample(SOURCE), "prompt: clip.mp4 has no prompt of its own"),
    ],
)
def test_mistakes_name_the_key(call, message):
    with pytest.raises(InputError) as raised:
        call()
    assert str(raised.value).startswith(message)
    assert len(str(raised.value).splitlines()) <= 2


def test_frames_that_extraction_skips_are_refused():
    source: Any = Clip(frames=range(0, 10, 2))
    with pytest.raises(InputError, match=r"prompt\.frame: 3 is not among the extracted frames"):
        prompt.click(source, [[3, 4]], None, 3, 1)


@pytest.mark.parametrize(
    ("frames", "seconds", "number"),
    [
        (range(10), "0s", 0),
        (range(10), "0.04s", 0),  # frame 1 is shown from 1/24 s = 0.0417 s on
        (range(10), "0.25s", 6),
        (range(10), " .1 s", 2),
        (range(10), "0.416s", 9),  # the last frame is shown until 10/24 s
        (range(0, 10, 3), "0.25s", 6),
        (range(0, 10, 3), "0.22s", 3),  # frame 5 is left out
        (range(0, 10, 3), "0.41s", 9),
        (range(3, 8), "0.12s", 3),  # extract.start=0.12s begins with frame 3, at 0.125 s
    ],
)
def test_seconds_are_the_frame_that_is_shown_then(frames, seconds, number):
    source: Any = Clip(frames=frames)
    (made,) = prompt.click(source, [[3, 4]], None, seconds, 1)
    assert made.frame_index == number


@pytest.mark.parametrize(("seconds", "number"), [("0.05s", 1), ("0.4s", 9)])
def test_seconds_outside_the_extracted_frames_are_refused(seconds, number):
    source: Any = Clip(frames=range(3, 8))
    for given, said in ((seconds, f"{seconds}, frame {number}, is"), (number, f"{number} is")):
        with pytest.raises(InputError) as raised:
            prompt.click(source, [[3, 4]], None, given, 1)
        assert str(raised.value).startswith(f"prompt.frame: {said} not among the extracted frames (3 to 7, 5 of them;")
        assert str(raised.value).endswith("numbers and seconds count from the source's beginning")


def test_a_photograph_has_no_times():
    source: Any = Clip(info=VideoInfo(64, 48, Fraction(1), 1, Fraction(1), ("a.jpg",), still=True), frames=range(1))
    with pytest.raises(InputError, match=r"^prompt\.frame: 1s; a photograph has no times: leave it out"):
        prompt.click(source, [[3, 4]], None, "1s", 1)


def test_a_file_has_seconds(tmp_path):
    path = tmp_path / "prompts.yaml"
    path.write_text(
        "prompts: [{frame: 0.1s, until: 0.3s, points: [[3, 4]]}, {frame: 1, object: 2, until: 9s, box: [1, 2, 3, 4]}]"
    )
    one, two = prompt.file(SOURCE, str(path))
    assert (one.frame_index, one.until, two.until) == (2, 7, 9)  # a video ends with its last frame
    path.write_text("prompts: [{frame: 5, until: 0.1s, points: [[3, 4]]}]")
    with pytest.raises(InputError, match=r"prompts\[0\]\.until: 0\.1s is before the object's prompt on frame 5"):
        prompt.file(SOURCE, str(path))


@pytest.mark.parametrize(
    "call",
    [
        lambda: prompt.click(SOURCE, None, None, "0.2s", 1),
        lambda: prompt.box(SOURCE, None, "0.2s", 1),
        lambda: prompt.sample(SOURCE, "0.2s"),
    ],
)
def test_a_missing_prompt_is_answered_with_the_way_to_find_one(call):
    with pytest.raises(MissingPromptError) as raised:
        call()
    assert str(raised.value).splitlines()[1].startswith("preview=true shows the frame with a ruler")
    assert (raised.value.source, raised.value.frame) == (SOURCE, "0.2s")


def _png(path, labels_hw, mode="L"):
    Image.fromarray(np.asarray(labels_hw, np.uint8)).convert(mode).save(path)
    return str(path)


@pytest.mark.parametrize("content", [b"P6 bad", b"P5 100000 100000 255\n", b"\x89PNG\r\n\x1a\n broken", b"no image"])
def test_a_damaged_mask_is_named(tmp_path, content):
    (tmp_path / "m.png").write_bytes(content)
    with pytest.raises(InputError, match=r"^prompt\.path: .*m\.png is not an image that can be read"):
        prompt.mask(SOURCE, str(tmp_path / "m.png"), 0, None)


def _blobs(*values):
    labels = np.zeros((48, 64), np.uint8)
    for number, value in enumerate(values):
        labels[5:15, 10 * number : 10 * number + 8] = value
    return labels


@pytest.mark.parametrize(
    ("values", "wanted", "ids"),
    [
        ((255,), None, [1]),  # DAVIS-2016
        ((7,), None, [1]),  # two values are one object, number 1
        ((255,), 5, [5]),
        ((1, 2, 255), None, [1, 2]),  # 255 is void
        ((1, 2, 9), 9, [9]),
    ],
)
def test_values_of_a_mask_image(tmp_path, values, wanted, ids):
    labels = _blobs(*values)
    prompts = prompt.mask(SOURCE, _png(tmp_path / "first.png", labels), 0, wanted)
    assert [made.object_id for made in prompts] == ids
    for made in prompts:
        value = values[0] if len(values) == 1 else made.object_id
        assert np.array_equal(made.mask_hw, labels == value)


def test_a_palette_image_keeps_its_indices(tmp_path):
    image = Image.fromarray(_blobs(1, 2))
    image.putpalette([0, 0, 0, 200, 0, 0, 0, 200, 0])
    image.save(tmp_path / "p.png")
    assert [made.object_id for made in prompt.mask(SOURCE, str(tmp_path / "p.png"), 0, None)] == [1, 2]


@pytest.mark.parametrize(
    ("labels", "wanted", "message"),
    [
        (np.zeros((48, 64)), None, "is empty: every pixel is zero"),
        (_blobs(1, 2), 3, r"object 3 is not among its values \[1, 2\]"),
        (np.ones((20, 30)), None, "is 30x20, the video is 64x48"),
    ],
)
def test_masks_that_can_not_be(tmp_path, labels, wanted, message):
    with pytest.raises(InputError, match=message):
        prompt.mask(SOURCE, _png(tmp_path / "m.png", labels), 0, wanted)


def test_a_file_of_every_kind(tmp_path):
    _png(tmp_path / "second.png", _blobs(0, 255), "RGB")
    path = tmp_path / "prompts.yaml"
    path.write_text(
        "prompts:\n"
        "- {frame: 0, object: 1, points: [[3, 4], [6, 8]], labels: [1, 0]}\n"
        "- {frame: 0, object: 2, box: [1, 2, 30, 40], points: [[5, 5]]}\n"
        "- {frame: 4, object: 2, mask: second.png}\n"
    )
    first, second, third = prompt.file(SOURCE, str(path))
    assert first.labels is not None
    assert first.labels.tolist() == [1, 0]
    assert second.box_xyxy is not None
    assert second.box_xyxy.tolist() == [1, 2, 30, 40]
    assert second.points_xy is not None
    assert (third.frame_index, third.object_id) == (4, 2)
    assert np.array_equal(third.mask_hw, _blobs(0, 255) > 0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prompts: []", "has no prompts"),
        ("- 3", "has no prompts"),
        ("prompts: [{frame: 0, points: [[1, 2]]", "is not YAML"),
        ("prompts: [3]", r"prompts\[0\]: 3 is not a mapping"),
        ("prompts: [{point: [[1, 2]]}]", r"prompts\[0\].point: unknown key; allowed are frame, object"),
        ("prompts: [{object: 1}]", r"prompts\[0\].points: missing"),
        ("prompts: [{points: [[1, 2]]}, {points: [[1, 99]]}]", r"prompts\[1\].points: \[1, 99\] lies outside"),
        ("prompts: [{points: [[1, 2]]}, {box: [1, 2, 3, 4]}]", "second one for object 1 on frame 0"),
        ("prompts: [{mask: m.png, points: [[1, 2]]}]", r"prompts\[0\].mask: a mask prompt takes no points"),
        ("prompts: [{mask: m.png}]", r"prompts\[0\].mask: no such file"),
        ("", "has no prompts"),
        ("[{points: [[1, 2]]}]", "has no prompts; it needs a list: prompts: "),
        ("prompts: [{points: [[1, 2]]}]\nframe: 3", "has the key frame; beside prompts there is none"),
        ("prompts: [{points: [[1, 2]], points: [[3, 4]]}]", "the key points is there twice"),
        ('{"prompts": [{"frame": 1, "frame": 2}]}', "the key frame is there twice"),
        ("prompts: [{frame: 1:30, points: [[1, 2]]}]", "1:30 is no decimal number"),
        ("prompts: [{frame: x, points: [[1, 2]]}]", r"prompts\[0\].frame: 'x' is neither a frame number"),
        ("prompts: [{object: 1e400, points: [[1, 2]]}]", r"prompts\[0\].object: '1e400' is not an integer"),
        ("prompts: [{points: [['1', 2]]}]", r"prompts\[0\].points: \[\['1', 2\]\] is not \[\[x, y\]"),
        ('{"prompts": [{"points": [[NaN, 1e999]]}]}', r"prompts\[0\].points: \[\[nan, inf\]\] is not"),
        (f"prompts: [{{points: [[{10**30}, 2]]}}]", r"prompts\[0\].points: \[\[1000"),
        (f"prompts: [{{frame: 1{'0' * 5000}}}]", "is not YAML: Exceeds the limit"),
        ("prompts: [{points: [[1, 2]], labels: ['1']}]", r"prompts\[0\].labels: \['1'\]; a label is 1"),
        ("prompts: [{points: [[1, 2]], labels: [[1], [1, 0]]}]", r"prompts\[0\].labels: \[\[1\], \[1, 0\]\]; a label"),
        ("prompts: [{box: [1, 2, 3, 4], labels: [1]}]", r"prompts\[0\].labels: \[1\]; there are no points"),
        ("prompts: [{mask: [m.png]}]", r"prompts\[0\].mask: \['m.png'\] is not the path of an image"),
        ("prompts: [{mask: ' '}]", r"prompts\[0\].mask:  is not the path"),
        ("prompts: " + "[" * 5000, "is not YAML"),
        ("a: &a [1, 1]\nb: &b [*a, *a]\nprompts: &c [{points: [*b, *b]}, *c]", "has the key a; beside prompts"),
        ("prompts: [{points: &a [*a, *a]}]", r"prompts\[0\].points: \[\[\[\[\.\.\."),
    ],
)
def test_mistakes_in_a_file(tmp_path, text, message):
    path = tmp_path / "prompts.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        prompt.file(SOURCE, str(path))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("prompts.json", b'{\n\t"prompts": [\n\t\t{"points": [[3, 4]], "frame": 8, "box": null}\n\t]\n}'),
        ("prompts.yml", b"prompts:\r\n- points: [[3, 4]]\r\n  frame: 8\r\n"),
        ("with blanks.yaml", "\ufeffprompts:\n- {frame: 8, points: [[3, 4]]}".encode()),
        ("utf16.yaml", "prompts: [{frame: 8, points: [[3, 4]]}]".encode("utf-16")),
    ],
)  # fmt: skip
def test_prompt_files_as_editors_write_them(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    (made,) = prompt.file(SOURCE, str(tmp_path / name))
    assert (made.frame_index, made.points_xy.tolist()) == (8, [[3, 4]])


def test_numbers_with_leading_zeros_are_decimal(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "prompts.yaml").write_text("prompts: [{frame: 00007, object: 011, points: [[010, 4]]}]")
    (made,) = prompt.file(SOURCE, "~/prompts.yaml")
    assert (made.frame_index, made.object_id, made.points_xy.tolist()) == (7, 11, [[10, 4]])


@pytest.mark.parametrize(
    ("entry", "ids"),
    [("mask: two.png", [1, 2]), ("object: 2, mask: two.png", [2]), ("object: 9, mask: one.png", [9])],
)
@pytest.mark.parametrize("where", ["", "absolute", "~"])
def test_masks_in_a_file_are_read_as_those_of_prompt_mask(tmp_path, monkeypatch, entry, ids, where):
    folder = tmp_path / "with blanks"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    colours = np.array([(0, 0, 0), (128, 0, 0), (0, 128, 0)], np.uint8)
    Image.fromarray(colours[_blobs(1, 2)]).save(folder / "two.png")
    _png(folder / "one.png", _blobs(0, 255))
    prefix = {"": "", "absolute": f"{folder}/", "~": "~/"}[where]
    (folder / "p.yaml").write_text(f"prompts: [{{{entry.replace('mask: ', f'mask: {prefix}')}}}]")
    prompts = prompt.file(SOURCE, str(folder / "p.yaml"))
    assert [made.object_id for made in prompts] == ids
    for made in prompts:
        assert np.array_equal(made.mask_hw, _blobs(1, 2) == (2 if made.object_id == 9 else made.object_id))


def test_an_object_that_a_mask_in_a_file_lacks(tmp_path):
    _png(tmp_path / "two.png", _blobs(1, 2))
    (tmp_path / "p.yaml").write_text("prompts: [{object: 3, mask: two.png}]")
    with pytest.raises(
        InputError, match=r"prompts\[0\].mask: the mask .*two.png is empty: object 3 is not among its values \[1, 2\]"
    ):
        prompt.file(SOURCE, str(tmp_path / "p.yaml"))


def test_an_inverted_mask_is_a_warning(tmp_path, caplog):
    prompt.mask(SOURCE, _png(tmp_path / "m.png", 255 * (_blobs(0, 1) == 0)), 0, None)
    assert "object 1 has 97% of the frame and all of its border: is the mask inverted?" in caplog.text


def test_points_and_a_box_together():
    (made,) = prompt.click(SOURCE, [[3, 4], [20, 9]], [1, 0], 0, 1, box=[1, 2, 30, 40])
    assert made.labels is not None
    assert made.box_xyxy is not None
    assert (made.points_xy.tolist(), made.labels.tolist()) == ([[3, 4], [20, 9]], [1, 0])
    assert made.box_xyxy.tolist() == [1, 2, 30, 40]
    (alone,) = prompt.click(SOURCE, None, None, 0, 1, box=[1, 2, 30, 40])
    assert alone.points_xy is None


@pytest.mark.parametrize(
    ("box", "clipped"),
    [([-0.5, -0.25, 64.9, 48.5], [0, 0, 64, 48]), ([1, 2, 64, 48], [1, 2, 64, 48]), ([-1, 2, 30, 40], None),
     ([1, 2, 30, 49.5], None), ([64.2, 2, 64.8, 20], None)],
)  # fmt: skip
def test_a_box_is_clipped_if_it_is_beyond_the_frame_by_less_than_a_pixel(box, clipped):
    if clipped is None:
        with pytest.raises(InputError, match=r"prompt\.box: .* lies outside the frame of 64x48"):
            prompt.box(SOURCE, box, 0, 1)
        return
    (made,) = prompt.box(SOURCE, box, 0, 1)
    (checked,) = checking.check(SOURCE, [Prompt(0, 1, box_xyxy=box)])
    assert made.box_xyxy.tolist() == checked.box_xyxy.tolist() == clipped


@pytest.mark.parametrize(
    ("given", "warns"),
    [({"points_xy": [[0.5, 0.25], [1, 0]]}, True), ({"box_xyxy": [0, 0, 1, 1]}, True),
     ({"box_xyxy": [0.1, 0.2, 0.9, 1]}, True), ({"points_xy": [[0, 0], [1, 1]]}, False),
     ({"points_xy": [[0.5, 0.5]], "box_xyxy": [0, 0, 9, 9]}, False), ({"points_xy": [[0.5, 1.5]]}, False)],
)  # fmt: skip
def test_shares_of_the_frame_are_a_warning(caplog, given, warns):
    checking.check(SOURCE, [Prompt(0, 3, **given)])
    assert (
        "prompt of object 3: its coordinates are all between 0 and 1; they are taken as pixels" in caplog.text
    ) == warns


def test_bboxes_of_the_notebook_widget():
    bboxes = [
        {"x": 10, "y": 12, "width": 0, "height": 0, "label": "skater"},
        {"x": 20, "y": 22, "width": 0, "height": 0, "label": "skater"},
        {"x": 1, "y": 2, "width": 30, "height": 40, "label": "dog"},
    ]
    skater, dog = Prompt.from_bboxes(bboxes, frame_index=3)
    assert skater.points_xy is not None
    assert skater.points_xy.tolist() == [[10, 12], [20, 22]]
    assert skater.labels is not None
    assert skater.labels.tolist() == [1, 1]
    assert dog.box_xyxy is not None
    assert dog.box_xyxy.tolist() == [1, 2, 31, 42]
    assert [p.object_id for p in (skater, dog)] == [1, 2]
    assert {p.frame_index for p in (skater, dog)} == {3}
    checking.check(SOURCE, (skater, dog))
    with pytest.raises(InputError, match="empty"):
        Prompt.from_bboxes([])


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (
            {"points_xy": [[5, 5], [99, 1]]},
            "points: [99, 1] lies outside the frame of 64x48; x goes from 0 to 63, y from",
        ),
        ({"points_xy": [[3.5, -0.25]]}, "points: [3.5, -0.25] lies outside"),
        ({"box_xyxy": [1, 2, 30, 49]}, "box: [1, 2, 30, 49] lies outside the frame of 64x48"),
        ({"mask_hw": np.ones((20, 30), bool)}, "mask is 30x20, the video is 64x48; a mask has the video's size"),
        ({"mask_hw": np.zeros((48, 64), bool)}, "mask is empty; it marks no pixel"),
        ({"points_xy": [[5, 5]], "frame_index": 10}, "frame: 10 is beyond the last frame of clip.mp4, which is 9"),
        ({"points_xy": [[5, 5]], "frame_index": 3}, "frame: 3 is not among the extracted frames (0 to 8, 5 of them;"),
        ({"points_xy": [[5, 5]], "object_id": 255}, "object: 255 is not an object id; ids go from 1 to 254"),
    ],
)
def test_prompts_made_in_python_are_checked_too(made, message):
    fits = Prompt(0, 1, points_xy=[[63, 47]], box_xyxy=[0, 0, 64, 48])
    wrong = Prompt(**{"frame_index": 0, "object_id": 2, **made})
    source: Any = Clip(frames=range(0, 10, 2))
    checking.check(source, [fits])
    with pytest.raises(InputError) as raised:
        checking.check(source, [fits, wrong])
    assert str(raised.value).startswith(f"prompt of object {wrong.object_id}: {message}")
    assert len(str(raised.value).splitlines()) == 1
