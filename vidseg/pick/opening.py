"""What the picker opens: the configuration of a run, its video, and the draft of its prompts; then the server."""

import secrets
import socket
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from vidseg import config as configuration
from vidseg.config.overrides import compose_config
from vidseg.config.values import split
from vidseg.contract import build, check_prompts
from vidseg.errors import InputError
from vidseg.job.opening import open_full_size
from vidseg.pick import document as documents
from vidseg.pick.draft import Draft, folder_of
from vidseg.pick.saving import Place
from vidseg.prompt import checking
from vidseg.record.folder import lock
from vidseg.types import Source

PORT = 8765
_TRIED = 20  # ports after it, unless the user names one


@dataclass(frozen=True)
class Where:
    """Where the page is: ``token`` is None on the loopback address."""

    host: str = "127.0.0.1"
    port: int | None = None
    token: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, host: Any, port: Any) -> "Where":
        """Raises InputError for what is no host or port."""
        if not isinstance(host, str) or not host:
            raise InputError(f"host: {host!r}; 127.0.0.1, or another address of this machine")
        if port is not None and (type(port) is not int or not 0 <= port <= 65535):
            raise InputError(f"port: {port!r}; 0 (any) to 65535")
        return cls(host, port, None if host in ("127.0.0.1", "localhost", "::1") else secrets.token_urlsafe(16))

    def bind(self) -> socket.socket:
        """A listening socket on the port, or on the first free one from 8765 on. Raises InputError if there is none."""
        ports = range(PORT, PORT + _TRIED) if self.port is None else (self.port,)
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        for port in ports:
            bound = socket.socket(family)
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                bound.bind((self.host, port))
                bound.listen()  # from now on a browser waits, rather than fails
                return bound
            except OSError as error:
                bound.close()
                reason = error.strerror
        raise InputError(f"port: {ports[0]} on {self.host}: {reason}; choose another with port=, port=0 takes any")

    def address(self, bound: socket.socket) -> str:
        """What to open in a browser."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        query = f"/?token={self.token}" if self.token else ""
        return f"http://{host}:{bound.getsockname()[1]}{query}"


@dataclass
class Opened:
    """A configuration, checked, with its video and its draft, which is locked until ``close``.

    ``words`` are those of a command that has the same configuration.
    """

    config: DictConfig
    model: str  # its choice in conf/model
    source: Source
    draft: Draft
    place: Place
    words: Sequence[str]
    held: ExitStack

    def close(self) -> None:
        """Lets another picker have the draft."""
        self.held.close()


def open_all(overrides: Sequence[str], config_dir: str | Path | None = None) -> Opened:
    """Composes and checks ``overrides``, as a run would, and opens the draft of the video, in the source's pixels.

    Prompts that the overrides name become the draft's present state. Raises InputError for a mistake, and if another
    picker has the video open.
    """
    config, settings = compose_config(overrides, config_dir)
    configuration.check(config)
    source = open_full_size(config)
    held, folder = ExitStack(), folder_of(str(config.video))
    try:
        held.enter_context(lock(folder, "video"))
    except InputError as error:
        raise InputError(f"video: another picker has {config.video} open; close it first") from error
    try:
        draft = Draft(folder)
        place = Place(Path(), Path(config_dir or "conf"))
        if any(split(word)[1].partition(".")[0].partition("@")[0] == "prompt" for word in overrides):
            prompts = check_prompts("prompt: it must give Prompts", build(config, "prompt")(source))
            document = documents.of_prompts(checking.check(source, prompts), draft.keep_mask)
            draft.edit(None, documents.check(document, source, draft.read_mask).document)
            if (path := config.prompt.get("path")) and str(config.prompt._target_) == "vidseg.prompt.file":
                place = Place(Path(path).parent, place.conf, Path(path).name)
    except BaseException:
        held.close()
        raise
    flags = [] if config_dir is None else ["--config-dir", str(config_dir)]
    model = str(settings.runtime.choices.model)
    return Opened(config, model, source, draft, place, [*flags, *overrides], held)
