"""Sample pictures and the contact sheet, read back from disk."""

import cv2
import numpy as np
import pytest
from PIL import Image

from vidseg.composite import annotate
from vidseg.errors import InputError
from vidseg.output import samples as module
from vidseg.output.samples import Samples
from vidseg.types import Frame, FrameMasks, Prompt


def pair(index, size=(90, 160)):
    """A frame whose colour says which one it is, and one object."""
    rgb = np.full((*size, 3), (index * 37 % 200 + 30, index * 11 % 200 + 30, 60), np.uint8)
    logits = np.full((1, *size), -3, np.float32)
    logits[0, 20:60, 40:100] = 3
    return Frame(index, index / 25, rgb), FrameMasks(index, (1,), logits)


def click(index):
    return Prompt(index, 1, np.array([[60, 40]], np.float32), np.array([1], np.int32))


def read(path):
    return np.asarray(Image.open(path).convert("RGB"))


def write_all(samples, indices, size=(90, 160)):
    for position, index in enumerate(indices):
        if samples.wants(position, index):
            samples.write(*pair(index, size))
    samples.close()


def test_every_stride_th_position_and_every_prompted_frame_is_a_sample(tmp_path):
    samples = Samples(tmp_path, 5, [click(116)], 12)
    indices = range(100, 124, 2)  # extract.start=100 extract.step=2
    write_all(samples, indices)
    names = sorted(path.name for path in (tmp_path / "samples").iterdir())
    assert names == [f"frame_{index:05d}.png" for index in (100, 110, 116, 120)]


def test_a_sample_is_the_annotated_frame_with_its_own_prompts(tmp_path):
    samples = Samples(tmp_path, 1, [click(3)], None)
    for index in (3, 4):
        frame, masks = pair(index)
        returned = samples.write(frame, masks)
        prompts = [click(3)] if index == 3 else []
        expected = annotate(frame, masks, prompts)
        np.testing.assert_array_equal(returned, expected)
        np.testing.assert_array_equal(read(tmp_path / "samples" / f"frame_{index:05d}.png"), expected)
    assert (annotate(*pair(3), [click(3)]) != annotate(*pair(3))).any()


def thumbnails(sheet):
    """The rectangles on the page that aren't paper, as found in the picture: (x, y, w, h), in reading order."""
    ink = (np.abs(sheet.astype(int) - module.PAPER).max(axis=2) > 8).astype(np.uint8)
    _, _, stats, _ = cv2.connectedComponentsWithStats(ink)
    found = [tuple(int(n) for n in row[:4]) for row in stats[1:] if row[4] > 2000]
    return sorted(found, key=lambda box: (box[1], box[0]))


def test_the_contact_sheet_shows_all_samples_in_order_with_even_gutters(tmp_path):
    write_all(Samples(tmp_path, 3, [], 24), range(24))
    sheet = read(tmp_path / "contact_sheet.png")
    boxes = thumbnails(sheet)
    assert len(boxes) == 8
    assert len({(w, h) for _, _, w, h in boxes}) == 1
    rows = sorted({y for _, y, _, _ in boxes})
    columns = sorted({x for x, _, _, _ in boxes})
    assert len(set(np.diff(rows).tolist())) <= 1
    assert len(set(np.diff(columns).tolist())) <= 1
    for number, (x, y, w, h) in enumerate(boxes):
        colour = pair(number * 3)[0].rgb_hw3[0, 0].astype(int)
        corner = sheet[y + h - 10 : y + h - 4, x + w - 10 : x + w - 4].reshape(-1, 3).astype(int)
        assert np.abs(corner - colour).max() <= 2
        caption = sheet[y + h + 2 : y + h + module.CAPTION, x : x + w]
        assert (caption.max(axis=2) > 150).sum() > 20


@pytest.mark.parametrize("size", [(720, 1280), (1280, 720), (48, 64), (120, 1280)])
@pytest.mark.parametrize("count", [1, 7])
def test_the_page_is_bounded_whatever_the_pictures(tmp_path, size, count):
    write_all(Samples(tmp_path, 1, [], None), range(count), size)
    height, width = read(tmp_path / "contact_sheet.png").shape[:2]
    assert width <= module.PAGE_WIDTH
    assert height <= 2200


def test_beyond_sixty_samples_the_page_shows_evenly_chosen_ones(tmp_path, monkeypatch):
    written, put_text = [], cv2.putText
    monkeypatch.setattr(cv2, "putText", lambda *args: (written.append(args[1]), put_text(*args)))
    write_all(Samples(tmp_path, 2, [], 322), range(322))
    titles = [text for text in written if "frame" in text]  # the others are object ids
    assert len(list((tmp_path / "samples").iterdir())) == 161
    assert len(thumbnails(read(tmp_path / "contact_sheet.png"))) == 60
    assert titles[0] == "60 of 161 samples: one in 2 of 322 frames, and the prompted ones"
    shown = [int(title.split()[1]) for title in titles[1:]]
    assert shown[0] == 0
    assert shown[-1] == 320
    assert set(np.diff(shown)) <= {4, 6}
    assert titles[-1] == "frame 320   12.80 s"


def test_no_samples_no_sheet(tmp_path):
    Samples(tmp_path, 5, [], 0).close()
    assert list(tmp_path.iterdir()) == []


def test_nothing_unfinished_is_left(tmp_path):
    write_all(Samples(tmp_path, 1, [], 2), range(2))
    assert sorted(path.name for path in tmp_path.rglob("*")) == [
        "contact_sheet.png",
        "frame_00000.png",
        "frame_00001.png",
        "samples",
    ]


@pytest.mark.parametrize("stride", [0, -3])
def test_a_stride_below_one_is_refused(tmp_path, stride):
    with pytest.raises(InputError, match=rf"^stride: {stride} "):
        Samples(tmp_path, stride, [], 10)
