"""Files of the pages, and portraits of the gallery."""

from pathlib import Path

import cv2
from aiohttp import web

from streamanon.identities.sheet import head
from streamanon.types import Identity

_FOLDER = Path(__file__).parent / "static"

_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}

_PORTRAIT_PX = 144


def page(name: str) -> web.Response:
    """Return a file of this package."""
    path = _FOLDER / name
    return web.Response(body=path.read_bytes(), content_type=_TYPES[path.suffix], charset="utf-8")


def assets() -> list[str]:
    """Return the names of the files that pages load."""
    return sorted(path.name for path in _FOLDER.iterdir() if path.suffix in (".css", ".js", ".svg"))


def portrait(identity: Identity) -> bytes:
    """Return the face of an identity as JPEG."""
    return cv2.imencode(".jpg", head(identity, _PORTRAIT_PX))[1].tobytes()
