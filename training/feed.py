"""Batches, drawn ahead of the steps by processes of their own."""

import queue
import threading
from collections.abc import Callable, Iterator

import torch
from torch import multiprocessing

from training.losses import Batch

_AHEAD = 2  # steps that each process draws before one is wanted
Drawn = list[Batch]


class Feed:
    """``draw(step)`` of each step from ``first`` on, in order, on ``device``.

    What is drawn depends on the step alone, so that the number of processes changes nothing. They are forked: what
    ``draw`` holds is shared, not read again. So create it before anything was computed in threads, which a fork loses.
    """

    def __init__(self, draw: Callable[[int], Drawn], first: int, workers: int, device: torch.device) -> None:
        context = multiprocessing.get_context("fork")
        self._drawn = [context.Queue(_AHEAD) for _ in range(workers)]
        self._workers = [
            context.Process(target=_work, args=(drawn, draw, first + k, workers), daemon=True)
            for k, drawn in enumerate(self._drawn)
        ]
        self._ready: queue.Queue[Drawn | None] = queue.Queue(2)
        self._device = device

    def __enter__(self) -> "Feed":
        for worker in self._workers:
            worker.start()
        threading.Thread(target=self._upload, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.terminate()

    def next(self) -> Drawn:
        """The next step's batches; ends the program where a process has died."""
        batches = self._ready.get()
        if batches is None:
            raise SystemExit("a process that draws clips has died; its traceback is above")
        if self._device.type == "cuda":
            for batch in batches:
                for tensor in (batch.frames, batch.truth):
                    tensor.record_stream(torch.cuda.current_stream())
        return batches

    def _upload(self) -> None:
        """In a thread and a stream of its own: some hundred megabytes a step would hold the steps up."""
        stream = torch.cuda.Stream(self._device) if self._device.type == "cuda" else None
        with torch.cuda.stream(stream):
            for batches in self._in_order():
                uploaded = [batch.on(self._device) for batch in batches]
                if stream is not None:
                    stream.synchronize()
                self._ready.put(uploaded)
        self._ready.put(None)

    def _in_order(self) -> Iterator[Drawn]:
        """The processes' batches in turn, until one has died."""
        while True:
            for drawn, worker in zip(self._drawn, self._workers, strict=True):
                while True:
                    try:
                        batches = drawn.get(timeout=5)
                        break
                    except queue.Empty:
                        if not worker.is_alive():
                            return
                    except (OSError, EOFError):  # what it had drawn was still its own to hand over
                        worker.join(10)  # until it has said why
                        return
                yield batches


def _work(drawn: "torch.multiprocessing.Queue[Drawn]", draw: Callable[[int], Drawn], step: int, every: int) -> None:
    torch.set_num_threads(1)
    while True:
        drawn.put(draw(step))
        step += every
