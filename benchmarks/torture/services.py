"""W&B servers that aren't there, never answer, or answer nonsense: the run finishes all the same, and says so once."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from benchmarks.torture import command, verdict
from benchmarks.torture.materials import write_clip

TIMEOUT_S = 5
LIMIT_S = 90
_HEAD = b"HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"


def _http(status: bytes, kind: bytes, body: bytes) -> Callable[[socket.socket], None]:
    def answer(client: socket.socket) -> None:
        client.recv(65536)
        client.sendall(_HEAD % (status, kind, len(body)) + body)

    return answer


def _silence(client: socket.socket) -> None:
    client.settimeout(LIMIT_S)
    while client.recv(65536):
        pass


SERVERS: dict[str, Callable[[socket.socket], None] | None] = {
    "refused": None,
    "silent": _silence,
    "hangs up": lambda client: None,
    "garbage": lambda client: client.sendall(bytes(range(256)) * 8),
    "a login page": _http(b"200 OK", b"text/html", b"<html>Please log in to the hotel's network</html>"),
    "empty data": _http(b"200 OK", b"application/json", b'{"data": {}}'),
    "forbidden": _http(b"403 Forbidden", b"application/json", b'{"errors": [{"message": "no"}]}'),
    "broken": _http(b"500 Internal Server Error", b"text/plain", b"oops"),
}


@contextmanager
def _server(answer: Callable[[socket.socket], None] | None) -> Iterator[int]:
    """The port of a server that treats every connection so; None: nobody listens there."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = int(listening.getsockname()[1])
        if answer is None:
            yield port
            return
        listening.listen(64)

        def serve(client: socket.socket) -> None:
            with client, suppress(OSError):
                answer(client)

        def accept() -> None:
            with suppress(OSError):
                while True:
                    threading.Thread(target=serve, args=(listening.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield port
        listening.shutdown(socket.SHUT_RDWR)


def run_services(folder: Path) -> Iterator[dict[str, Any]]:
    """One run against each of SERVERS."""
    folder.mkdir()
    write_clip(folder / "clip.mp4")
    keys: tuple[str, ...] = (
        "video=clip.mp4",
        "prompt=click",
        "prompt.points=[[8,14]]",
        "model=nano",
        "model.image_size=64",
        "threads=1",
    )
    keys += (
        "tracker.mode=online",
        f"tracker.init_timeout_s={TIMEOUT_S}",
        f"tracker.finish_timeout_s={TIMEOUT_S}",
        "stride=5",
    )
    for name, answer in SERVERS.items():
        run = folder / name.replace(" ", "_")
        with _server(answer) as port:
            env = {
                "WANDB_BASE_URL": f"http://127.0.0.1:{port}",
                "WANDB_API_KEY": "0123456789" * 4,
                "WANDB_MODE": "online",
            }
            ended = command.run(folder, *keys, f"hydra.run.dir={run}", env=env, limit_s=LIMIT_S)
        wrong = ended.faults(0) + verdict.faults(run, ("rle", "cutout", "overlay"))
        if (said := ended.said.count("tracker:")) != 1:
            wrong.append(f"the tracker's failure is said {said} times: {ended.said[-1500:]}")
        yield {"name": f"W&B {name}", "seconds": round(ended.seconds, 1), "faults": wrong}
