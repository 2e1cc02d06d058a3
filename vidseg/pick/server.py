"""The picker's HTTP: the page, and its questions to the desk. docs/pick.md lists them.

It reads and writes nothing but the page's own files, frames of the video, the draft, and files that `Place` allows. A
question that changes something needs a header that no form of another site can send, and a host name that is this
machine's; beyond the loopback address every question needs the token.
"""

import functools
import hmac
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import cv2
import uvicorn
from anyio.to_thread import run_sync
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from vidseg.errors import InputError
from vidseg.pick import runs, saving
from vidseg.pick.desk import Desk
from vidseg.pick.draft import StaleError
from vidseg.pick.running import Running
from vidseg.pick.saving import ExistsError, Place
from vidseg.pick.streams import Worker, told

PAGE = Path(__file__).parent / "page"
LOOPBACK = ("127.0.0.1", "localhost", "::1", "[::1]")
_QUALITY = 92  # of JPEG frames; zoomed in, the page asks for PNG


class Server:
    """Answers for one desk. ``words`` are those of a command with the same configuration."""

    def __init__(self, desk: Desk, place: Place, words: Sequence[str], token: str | None) -> None:
        self._desk, self._place, self._words, self._token = desk, place, words, token
        self._worker, self._running = Worker(), Running()

    def app(self) -> Starlette:
        """The ASGI application."""
        api = [
            Route("/state", self._state),
            Route("/document", self._document, methods=["POST"]),
            Route("/undo", functools.partial(self._move, by=-1), methods=["POST"]),
            Route("/redo", functools.partial(self._move, by=1), methods=["POST"]),
            Route("/masks", self._keep_mask, methods=["POST"]),
            Route("/masks/{name}", self._mask),
            Route("/frame/{number:int}", self._frame),
            Route("/look", self._look, methods=["POST"]),
            Route("/track", self._track, methods=["POST"]),
            Route("/tracked/{number:int}", self._tracked),
            Route("/suggest", self._suggest, methods=["POST"]),
            Route("/save", self._save, methods=["POST"]),
            Route("/run", self._run, methods=["GET", "POST"]),
            Route("/stop", self._stop, methods=["POST"]),
        ]
        hosts = ["*"] if self._token else list(LOOPBACK)
        return Starlette(
            routes=[
                Route("/", self._index),
                Mount("/api", routes=api, middleware=[Middleware(_Guard, token=self._token)]),
                Mount("/", _PageFiles(directory=PAGE)),
            ],
            middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=hosts)],
            exception_handlers={HTTPException: _failed, InputError: _failed, OSError: _failed, Exception: _failed},
            lifespan=self._lifespan,
        )

    @asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        yield
        self._worker.close()
        self._running.close()

    async def _index(self, request: Request) -> Response:
        return FileResponse(PAGE / "index.html", headers={"Cache-Control": "no-cache"})

    async def _state(self, request: Request) -> Response:
        return JSONResponse(
            self._desk.about() | await self._now() | {"save_as": self._place.name, "run": self._running.state()}
        )

    async def _document(self, request: Request) -> Response:
        content = await _content(request)
        await run_sync(self._desk.edit, content.get("revision"), content.get("document"))
        return JSONResponse(await self._now())

    async def _move(self, request: Request, by: int) -> Response:
        await run_sync(self._desk.move, (await _content(request)).get("revision"), by)
        return JSONResponse(await self._now())

    async def _now(self) -> dict[str, Any]:
        return await run_sync(self._desk.state)

    async def _keep_mask(self, request: Request) -> Response:
        content = await _content(request)
        given = (content.get("width"), content.get("height"), content.get("runs"))
        return JSONResponse({"mask": await run_sync(self._desk.keep_mask, *given)})

    async def _mask(self, request: Request) -> Response:
        mask_hw = await run_sync(self._desk.draft.read_mask, request.path_params["name"])
        return JSONResponse({"runs": runs.encode(mask_hw)})

    async def _frame(self, request: Request) -> Response:
        lossless = request.query_params.get("lossless") == "1"

        def encoded() -> bytes:
            bgr_hw3 = self._desk.picture(request.path_params["number"])[:, :, ::-1]
            options = [cv2.IMWRITE_PNG_COMPRESSION, 1] if lossless else [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
            return bytes(cv2.imencode(".png" if lossless else ".jpg", bgr_hw3, options)[1])

        kept = {"Cache-Control": "private, max-age=600"}
        return Response(await run_sync(encoded), media_type="image/png" if lossless else "image/jpeg", headers=kept)

    async def _look(self, request: Request) -> Response:
        content, revision = await _content(request), self._desk.draft.revision
        look = functools.partial(self._desk.look, content.get("frame"), content.get("hover"))
        return self._stream(lambda emit: {**look(emit), "revision": revision})

    async def _track(self, request: Request) -> Response:
        content = await _content(request)
        return self._stream(functools.partial(self._desk.track, content.get("from"), content.get("count")))

    def _stream(self, work: Any) -> Response:
        return StreamingResponse(self._worker.lines(work), media_type="application/x-ndjson")

    async def _tracked(self, request: Request) -> Response:
        line = await run_sync(self._desk.tracked, request.path_params["number"])
        return JSONResponse(line) if line is not None else _error(404, "this frame isn't tracked yet")

    async def _suggest(self, request: Request) -> Response:
        return JSONResponse({"boxes": await run_sync(self._desk.suggest, (await _content(request)).get("frame"))})

    async def _save(self, request: Request) -> Response:
        path, words = await run_sync(self._saved, await _content(request))
        return JSONResponse({"path": str(path), "command": saving.typed(words)})

    async def _run(self, request: Request) -> Response:
        if request.method == "POST":
            content = {"as": self._place.name} | await _content(request)
            _, words = await run_sync(self._saved, content)
            await run_sync(self._running.start, words, self._desk.taken())
        return JSONResponse(self._running.state())

    async def _stop(self, request: Request) -> Response:
        self._running.stop()
        return JSONResponse(self._running.state())

    def _saved(self, content: dict[str, Any]) -> tuple[Path, list[str]]:
        """Saves the prompts; where, and the words of the command that runs them."""
        given = content.get("as"), content.get("group"), content.get("overwrite") is True
        path, words = self._place.save(self._desk.draft, self._desk.source, *given)
        return path, saving.command(self._words, words)


def serving(app: Starlette) -> uvicorn.Server:
    """What serves ``app``, and ends within a second and the frame that is being worked at. `told` logs what goes wrong;
    uvicorn would do so again, and with a traceback for each question that is open at the end."""
    return uvicorn.Server(uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1))


class _PageFiles(StaticFiles):
    """The page's own files; a browser asks each time whether they are still the same, so that a new version shows."""

    def file_response(self, *args: Any, **keys: Any) -> Response:
        response = super().file_response(*args, **keys)
        response.headers["Cache-Control"] = "no-cache"
        return response


async def _content(request: Request) -> dict[str, Any]:
    """The JSON of a request. Raises InputError for what is none."""
    try:
        content = await request.json()
    except ValueError as error:
        raise InputError(f"this is no JSON: {error}") from error
    if not isinstance(content, dict):
        raise InputError("this is no JSON object")
    return content


def _error(status: int, text: str) -> Response:
    return JSONResponse({"error": text}, status)


async def _failed(request: Request, error: Exception) -> Response:
    """The answer to a question that raised; the server lives on."""
    if isinstance(error, HTTPException):
        return _error(error.status_code, error.detail)
    if isinstance(error, ExistsError):
        return JSONResponse({"error": str(error), "exists": True}, 409)
    return _error(409 if isinstance(error, StaleError) else 400 if isinstance(error, InputError) else 500, told(error))


class _Guard:
    """Lets no question through that another site's page could ask, and none without the token if there is one."""

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        self._app, self._token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (refusal := self._refusal(Request(scope))) is not None:
            await refusal(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _refusal(self, request: Request) -> Response | None:
        if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return _error(403, "another site's page asks")
        given = request.headers.get("x-token") or request.query_params.get("token") or ""
        if self._token and not hmac.compare_digest(given.encode(), self._token.encode()):
            return _error(403, "the address lacks the right token: open the one that the picker printed")
        if request.method == "POST" and request.headers.get("x-vidseg") != "1":
            return _error(403, "the header X-Vidseg: 1 is missing")
        return None
