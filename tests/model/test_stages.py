"""The stages of a frame, in Plain's order and in Fast's: what runs beside what, how far ahead, and how it ends.

A deadlock fails by its timeout.
"""

import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from vidseg import devices
from vidseg.model.fast.accelerate import Fast
from vidseg.model.sam2.plain import Plain
from vidseg.model.sam2.stages import Seen, Stages
from vidseg.prefetch import behind, chunks

pytestmark = pytest.mark.timeout(30)

STAGES = ("look", "resize", "encode", "step", "show")
WAIT_S = 10  # for another thread, at most


class Recorded(Stages[int]):
    """Stages of frames that are numbers; frame ``unseen`` isn't looked at, and ``broken`` (stage, frame) fails.

    ``before`` is called by each stage with its name and frame.
    """

    def __init__(
        self, unseen: int | None = None, broken: tuple[str, int] | None = None,
        before: Callable[[str, int], object] = lambda stage, number: None,
    ) -> None:  # fmt: skip
        self.told: list[tuple[str, int]] = []
        self.threads: dict[tuple[str, int], str] = {}
        self.batches: list[tuple[list[int], int]] = []
        self._unseen, self._broken, self._before = unseen, broken, before

    def look(self, number: Any) -> Seen:
        self._note("look", number)
        return Seen(number, number, self._view(number))

    def resize(self, seen: Seen) -> Tensor | None:
        self._note("resize", seen.position)
        return None if seen.view is None else torch.tensor(seen.position)

    def encode(self, images: Sequence[Tensor], at_once: int = 1) -> list[Any]:
        numbers = [int(image) for image in images]
        for number in numbers:
            self._note("encode", number)
        if numbers:
            self.batches.append((numbers, at_once))
        return [f"features {number}" for number in numbers]

    def step(self, seen: Seen, features: Any) -> Callable[[], int]:
        self._note("step", seen.position)
        assert features == (None if seen.view is None else f"features {seen.position}")

        def show() -> int:
            self._note("show", seen.position)
            return seen.position

        return show

    def _view(self, position: int) -> Any:
        return None if position == self._unseen else "all"

    def _note(self, stage: str, number: int) -> None:
        self.told.append((stage, number))
        self.threads[stage, number] = threading.current_thread().name
        self._before(stage, number)
        if (stage, number) == self._broken:
            raise OSError(f"{stage} {number} fails")


def run(speed: Plain, stages: Recorded, frames: Any) -> Generator[int]:
    speed.bind(torch.device("cpu"), devices.FP32)
    return speed.run(frames, stages)


@pytest.fixture
def two_threads() -> Iterator[None]:
    """Encoding ahead needs several cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    assert torch.get_num_threads() == 2
    torch.set_num_threads(threads)


SPEEDS: dict[str, Callable[[], Plain]] = {
    "plain": Plain,
    "exact": lambda: Fast(exact=True),
    "fast": Fast,
    "batches": lambda: Fast(encoder_batch=4),
    "asynchronous": lambda: Fast(asynchronous=True),
    "asynchronous batches": lambda: Fast(asynchronous=True, encoder_batch=4),
    "encoded ahead": lambda: Fast(encode_ahead=True),
}


def vidsegs_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("vidseg")]


def test_plain_takes_a_frame_through_all_stages_before_the_next() -> None:
    stages = Recorded()
    assert list(run(Plain(), stages, range(3))) == [0, 1, 2]
    assert stages.told == [(stage, number) for number in range(3) for stage in STAGES]
    assert {*stages.threads.values()} == {threading.current_thread().name}


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("kind", SPEEDS)
def test_every_frame_goes_through_all_stages_in_their_order_and_steps_are_in_the_frames_order(kind: str) -> None:
    """A frame that isn't looked at is not encoded, and takes no place in a batch."""
    stages = Recorded(unseen=2)
    assert list(run(SPEEDS[kind](), stages, range(10))) == [*range(10)]
    for number in range(10):
        own = [stage for stage, at in stages.told if at == number]
        assert own == [stage for stage in STAGES if stage != "encode" or number != 2]
    for stage in ("look", "step", "show"):
        assert [at for told, at in stages.told if told == stage] == [*range(10)]
    batches = (
        [[0, 1, 3], [4, 5, 6, 7], [8, 9]] if "batches" in kind else [[number] for number in range(10) if number != 2]
    )
    assert [numbers for numbers, _ in stages.batches] == batches
    assert {at_once for _, at_once in stages.batches} == {4 if "batches" in kind else 1}
    assert vidsegs_threads() == []


class Meeting:
    """Has one stage of one frame wait until another has begun: they run at once, or the test fails."""

    def __init__(self, waits: tuple[str, int], other: tuple[str, int]) -> None:
        self._waits, self._other, self._begun, self.met = waits, other, threading.Event(), False

    def __call__(self, stage: str, number: int) -> None:
        if (stage, number) == self._other:
            self._begun.set()
        if (stage, number) == self._waits:
            self.met = self._begun.wait(WAIT_S)


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize(
    ("kind", "waits", "other"),
    [
        ("fast", ("step", 0), ("resize", 1)),
        ("exact", ("step", 0), ("resize", 1)),
        ("batches", ("step", 0), ("resize", 7)),
        ("encoded ahead", ("step", 0), ("encode", 1)),
        ("encoded ahead", ("encode", 1), ("step", 0)),
        ("encoded ahead", ("show", 0), ("step", 1)),
    ],
)
def test_stages_of_other_frames_run_beside_a_step(kind: str, waits: tuple[str, int], other: tuple[str, int]) -> None:
    meeting = Meeting(waits, other)
    stages = Recorded(before=meeting)
    assert list(run(SPEEDS[kind](), stages, range(8))) == [*range(8)]
    assert meeting.met
    assert stages.threads[waits] != stages.threads[other]


@pytest.mark.usefixtures("two_threads")
def test_encoding_ahead_gives_each_thread_half_of_the_cores() -> None:
    """And gives them back, which the fixture checks."""
    seen: list[int] = []
    stages = Recorded(before=lambda stage, number: seen.append(torch.get_num_threads()) if stage == "encode" else None)
    list(run(Fast(encode_ahead=True), stages, range(6)))
    assert seen[-1] == 1


@pytest.mark.usefixtures("one_thread")
def test_one_core_encodes_nothing_ahead() -> None:
    stages = Recorded()
    list(run(Fast(encode_ahead=True), stages, range(6)))
    main = threading.current_thread().name
    assert {name for (stage, _), name in stages.threads.items() if stage in ("encode", "step")} == {main}


def test_a_device_that_works_beside_the_host_has_a_step_more_to_do_than_is_waited_for() -> None:
    stages = Recorded()
    for number in run(Fast(asynchronous=True), stages, range(4)):
        stages.told.append(("use", number))
    order = [(stage, number) for stage, number in stages.told if stage in ("step", "use")]
    assert order == [
        ("step", 0), ("step", 1), ("use", 0), ("step", 2), ("use", 1), ("step", 3), ("use", 2), ("use", 3)
    ]  # fmt: skip


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("kind", SPEEDS)
def test_a_consumer_that_stops_ends_it_and_few_frames_were_taken(kind: str) -> None:
    taken: list[int] = []

    def frames() -> Generator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    results = run(SPEEDS[kind](), Recorded(), frames())
    assert [next(results), next(results)] == [0, 1]
    time.sleep(0.1)  # what runs ahead goes as far as it may
    results.close()
    most = {"plain": 2, "batches": 12, "asynchronous batches": 12}
    assert len(taken) <= most.get(kind, 6)
    assert vidsegs_threads() == []


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("stage", ["frames", *STAGES])
@pytest.mark.parametrize("kind", SPEEDS)
def test_an_error_is_raised_after_the_frames_before_it(kind: str, stage: str) -> None:
    """Where frames are encoded together, those of one batch fail together."""

    def frames() -> Generator[int]:
        yield from range(6)
        raise OSError("frames 6 fails")

    stages = Recorded(broken=(stage, 6))
    seen: list[int] = []
    with pytest.raises(OSError, match=f"{stage} 6 fails"):
        for number in run(SPEEDS[kind](), stages, frames() if stage == "frames" else range(10)):
            seen.append(number)
    assert seen == [*range(4 if stage == "encode" and "batches" in kind else 6)]
    assert vidsegs_threads() == []


def failing(items: Sequence[Any]) -> Generator[Any]:
    yield from items
    raise OSError("the reader failed")


def test_chunks_hold_everything_in_order_also_before_an_error() -> None:
    assert list(chunks(range(7), 3)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(chunks([], 3)) == []
    parts = chunks(failing([0, 1, 2, 3]), 3)
    assert [next(parts), next(parts)] == [[0, 1, 2], [3]]
    with pytest.raises(OSError, match="the reader failed"):
        next(parts)


def test_the_last_item_is_handed_out_before_an_error() -> None:
    late = behind(failing(["masks"]))
    assert next(late) == "masks"
    with pytest.raises(OSError, match="the reader failed"):
        next(late)
