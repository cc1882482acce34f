"""The application: every registered page behind the door, static files, the wall around all."""

from __future__ import annotations

from importlib import resources
from pathlib import PurePosixPath

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from flows.desk import pages as pages  # registers them
from flows.desk.desk import Desk
from flows.desk.door import endpoint
from flows.desk.page import PAGES
from flows.desk.wall import App, Wall

# The style of plan and timeline is the report's.
_DRAWING = "drawing.css"
_STATIC_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


def make_app(desk: Desk) -> App:
    """The desk as an ASGI application. It describes itself to nobody."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.router.redirect_slashes = False
    for page in PAGES:
        app.add_api_route(
            page.path, endpoint(desk, page), methods=[page.method], response_model=None
        )
    app.add_api_route("/static/{name}", _static_file, methods=["GET"], response_model=None)
    app.add_exception_handler(404, _nothing_here)
    app.add_exception_handler(405, _nothing_here)
    app.add_exception_handler(Exception, _nothing_here)
    return Wall(app, desk.names)


async def _static_file(name: str) -> Response:
    """A style, a script: the same for everybody."""
    file = resources.files("flows.desk") / "static" / name
    if name == _DRAWING:
        file = resources.files("tasks.artefacts.report") / name
    kind = _STATIC_TYPES.get(PurePosixPath(name).suffix)
    if kind is None or "/" in name or not file.is_file():
        return PlainTextResponse("there is nothing here\n", 404)
    return Response(file.read_bytes(), media_type=kind, headers={"cache-control": "no-cache"})


async def _nothing_here(_request: Request, error: Exception) -> Response:
    """What no page answers, without a word on why."""
    status = getattr(error, "status_code", 500)
    return PlainTextResponse("there is nothing here\n" if status != 500 else "a fault\n", status)
