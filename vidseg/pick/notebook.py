"""The picker in a notebook: the page in the cell's output, and the prompts on it as a sequence."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

from vidseg.config.overrides import overrides_of
from vidseg.config.values import literal
from vidseg.errors import InputError
from vidseg.pick.opening import Opened, Where, open_all
from vidseg.types import Prompt

_HEIGHT = 640  # pixels of the cell


class Picker(Sequence[Prompt]):
    """The page, and the prompts that are on it now: ``vidseg.run([...], prompts=picker)``.

    ``address`` is the page's. It is served until ``close``, or until the notebook's kernel ends.
    """

    def __init__(self, opened: Opened, where: Where) -> None:
        from vidseg.pick.desk import Desk
        from vidseg.pick.server import Server, serving

        self._opened, bound = opened, where.bind()
        self.address = where.address(bound)
        self._desk = Desk(opened.config, opened.model, opened.source, opened.draft)
        app = Server(self._desk, opened.place, opened.words, where.token).app()
        self._server = serving(app)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [bound]}, daemon=True)
        self._thread.start()

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """Those on the page, in the order of their making."""
        return self._desk.prompts()

    def __len__(self) -> int:
        return len(self.prompts)

    @overload
    def __getitem__(self, index: int) -> Prompt: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Prompt]: ...
    def __getitem__(self, index: int | slice) -> Prompt | Sequence[Prompt]:
        return self.prompts[index]

    def close(self) -> None:
        """Ends the page. The draft stays on the disk."""
        self._server.should_exit = True
        self._thread.join()
        self._opened.close()

    def __repr__(self) -> str:
        return f"<vidseg.pick at {self.address}, {len(self)} prompts>"

    def _repr_html_(self) -> str:
        return f'<iframe src="{self.address}" width="100%" height="{_HEIGHT}" style="border:0"></iframe>'


def pick(
    video: str | Path, model: str = "nano", *, config_dir: str | Path | None = None, host: str = "127.0.0.1",
    port: int | None = None, **keys: Any,
) -> Picker:  # fmt: skip
    """The picker for a video: the last line of a cell shows its page, and its prompts are those on the page.

    - ``video``: a file, a folder of images, or "sample"; ``model``: a name in conf/model/.
    - ``config_dir``: a folder with YAML of your own. ``keys``: other keys of the configuration, as ``vidseg.segment``
      has them.
    - ``host``, ``port``: where the page is; a free port from 8765 on unless you name one.

    Raises InputError for a mistake in them, and if another picker has the video open.
    """
    check_extra()
    where = Where.of(host, port)
    opened = open_all([f"video={literal(str(video))}", *overrides_of({"model": model, **keys})], config_dir)
    try:
        return Picker(opened, where)
    except BaseException:
        opened.close()
        raise


def check_extra() -> None:
    """Raises InputError without the packages of the extra."""
    try:
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise InputError(f"the picker needs {error.name}: pip install 'vidseg[pick]'") from error
