"""Whether the masks of a prompted frame obey its points: a model may leave out what it was told is inside."""

from collections.abc import Iterable, Iterator

from vidseg.types import FrameMasks, Prompt, VideoInfo


def disobeyed(masks: FrameMasks, prompts: Iterable[Prompt], info: VideoInfo) -> Iterator[str]:
    """A line for each object whose mask doesn't obey its points on this frame.

    At their pixels positive points are outside the mask, or negative ones inside it.

    Of several prompts of an object on one frame the last one counts, as with the models. ``info`` has the name of a
    photograph, which is said in place of a frame's number.
    """
    where = f"frame {masks.frame_index}"
    if info.still and info.file_names is not None:
        where = info.file_names[masks.frame_index]
    given = {prompt.object_id: prompt for prompt in prompts if prompt.frame_index == masks.frame_index}
    for row, object_id in enumerate(masks.object_ids):
        prompt = given.get(object_id)
        if prompt is None or prompt.points_xy is None or prompt.labels is None:
            continue
        columns, rows = prompt.points_xy.astype(int).T
        inside, wanted = masks.masks_nhw[row, rows, columns], prompt.labels == 1
        outside = _counted(int((wanted & ~inside).sum()), int(wanted.sum()), "positive", "outside")
        still_inside = _counted(int((~wanted & inside).sum()), int((~wanted).sum()), "negative", "still inside")
        if said := " and ".join(filter(None, (outside, still_inside))):
            yield f"{where}, object {object_id}: {said} the mask"


def _counted(wrong: int, count: int, sign: str, where: str) -> str | None:
    return f"{wrong} of {count} {sign} points {'is' if wrong == 1 else 'are'} {where}" if wrong else None
