"""Request handlers of the REST API, the previews and the pages.

Described for programs in ``static/openapi.json``, which a test holds against the routes.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from contextlib import aclosing, suppress
from typing import Any

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

import streamanon
from streamanon.config import setting_choices, setting_value
from streamanon.errors import StreamanonError, UsageError
from streamanon.factory import Factory
from streamanon.live.status import Status
from streamanon.live.stream import Stream
from streamanon.live.supervisor import LineSupervisor
from streamanon.types import Identity
from streamanon.web import pages
from streamanon.web.access import VISITOR, Handler
from streamanon.web.camera import CameraPage, TooManyVisitorsError
from streamanon.web.connections import network_of
from streamanon.web.history import History
from streamanon.web.metrics import Metrics
from streamanon.web.preview import Preview
from streamanon.web.visitor_session import VisitorSession

METHODS = setting_choices("method")

_GRACE_S = 10.0
"""A stream that has been restarting for longer counts as failed."""

MAX_VIEWERS, MAX_VIEWERS_BY_ADDRESS = 16, 8
"""Viewers of moving previews, of all streams together; each costs time of the processor."""

BODY_S = 10.0
"""Time in which the body of a request must be there."""

_BOUNDARY = "frame"

_KEPT = ("Allow", "Retry-After", "WWW-Authenticate")
"""Headers of errors that are kept."""


class Api:
    """Handlers over the streams and the camera page's visitors."""

    def __init__(self, streams: Sequence[Stream], factory: Factory, camera: CameraPage) -> None:
        self._streams = {stream.name: stream for stream in streams}
        self.previews = {stream.name: Preview(stream.latest) for stream in streams}
        self._histories = {stream.name: History() for stream in streams}
        self._factory, self._camera = factory, camera
        self._metrics = Metrics(self._statuses, lambda: camera.visitors)
        self._portraits: dict[str, bytes] = {}
        self._viewers: Counter[str] = Counter()

    def routes(self) -> list[web.RouteDef]:
        """Return every address there is."""
        one, session = "/api/streams/{name}", "/api/camera/{id}"
        files = [web.get(f"/{name}", _file(name)) for name in pages.assets()]
        return [
            web.get("/", _file("index.html")),
            web.get("/camera", _file("camera.html")),
            *files,
            web.get("/healthz", self.health),
            web.get("/metrics", self.metrics),
            web.get("/api/openapi.json", _file("openapi.json")),
            web.get("/api/streams", self.streams),
            web.get(one, self.stream),
            web.patch(one, self.change_stream),
            web.get(f"{one}/history", self.history),
            web.get(f"{one}/preview.mjpg", self.preview),
            web.get(f"{one}/preview.jpg", self.snapshot),
            web.get("/api/methods", self.methods),
            web.get("/api/identities", self.identities),
            web.get("/api/identities/{name}/portrait.jpg", self.portrait),
            web.post("/api/camera", self.enter),
            web.get(session, self.session),
            web.patch(session, self.change_session),
            web.delete(session, self.leave),
        ]

    def sample(self) -> None:
        """Add the figures of every stream to its history."""
        for status in self._statuses():
            self._histories[status.name].add(status)

    async def health(self, request: web.Request) -> web.Response:  # noqa: ARG002
        """Answer 200 while every stream runs or is about to, 503 when one has failed.

        A lost input is no failure: it is waited for.
        """
        failed = any(
            status.state == "stopped"
            or (status.state == "restarting" and status.since_s > _GRACE_S)
            for status in self._statuses()
        )
        body = {"status": "failed" if failed else "ok", "version": streamanon.__version__}
        return web.json_response(body, status=503 if failed else 200)

    async def metrics(self, request: web.Request) -> web.Response:  # noqa: ARG002
        """Answer Prometheus."""
        headers = {"Content-Type": CONTENT_TYPE_LATEST}
        return web.Response(body=self._metrics.render(), headers=headers)

    async def streams(self, request: web.Request) -> web.Response:  # noqa: ARG002
        """Answer the status of all streams."""
        return web.json_response({"streams": [status.to_json() for status in self._statuses()]})

    async def stream(self, request: web.Request) -> web.Response:
        """Answer the status of one stream."""
        return web.json_response(self._stream(request).status().to_json())

    async def change_stream(self, request: web.Request) -> web.Response:
        """Switch the method or the identity of a stream."""
        stream = self._stream(request)
        await self._change(stream, request)
        return web.json_response(stream.status().to_json())

    async def history(self, request: web.Request) -> web.Response:
        """Answer the figures of the last minutes."""
        return web.json_response(self._histories[self._stream(request).name].to_json())

    async def snapshot(self, request: web.Request) -> web.Response:
        """Answer the newest anonymised frame."""
        jpeg = await self.previews[self._stream(request).name].snapshot()
        if jpeg is None:
            return web.Response(status=204)
        return web.Response(body=jpeg, content_type="image/jpeg")

    async def preview(self, request: web.Request) -> web.StreamResponse:
        """Answer anonymised frames as MJPEG until the viewer leaves."""
        preview, network = self.previews[self._stream(request).name], network_of(request[VISITOR])
        if self._viewers.total() >= MAX_VIEWERS or self._viewers[network] >= MAX_VIEWERS_BY_ADDRESS:
            raise web.HTTPServiceUnavailable(
                text="as many viewers as possible are here: ask for preview.jpg, or again later"
            )
        self._viewers[network] += 1
        try:
            return await _moving(preview, request)
        finally:
            self._viewers -= Counter([network])

    async def methods(self, request: web.Request) -> web.Response:  # noqa: ARG002
        """Answer the names of the methods."""
        return web.json_response({"methods": METHODS})

    async def identities(self, request: web.Request) -> web.Response:  # noqa: ARG002
        """Answer the names of the identities."""
        return web.json_response({"identities": [one.name for one in await self._gallery()]})

    async def portrait(self, request: web.Request) -> web.Response:
        """Answer the portrait of an identity as JPEG."""
        name = request.match_info["name"]
        if name not in self._portraits:
            found = next((one for one in await self._gallery() if one.name == name), None)
            if found is None:
                raise web.HTTPNotFound(text=f"there is no identity {name!r}")
            self._portraits[name] = pages.portrait(found)
        response = web.Response(body=self._portraits[name], content_type="image/jpeg")
        response.headers["Cache-Control"] = "private, max-age=3600"
        return response

    async def enter(self, request: web.Request) -> web.Response:
        """Connect a visitor's camera."""
        body = await _body(request)
        sdp = body.pop("sdp", None)
        if not isinstance(sdp, str) or not sdp:
            raise UsageError("sdp is missing: send the offer of an RTCPeerConnection")
        settings = await self._settings(body)
        try:
            settings = {"method": METHODS[0], **settings}
            answer = await self._camera.enter(sdp, settings, request[VISITOR])
        except TooManyVisitorsError as error:
            return web.json_response({"error": str(error)}, status=503)
        return web.json_response(answer, status=201)

    async def session(self, request: web.Request) -> web.Response:
        """Answer the figures of a visitor's session."""
        return web.json_response(self._session(request).to_json())

    async def change_session(self, request: web.Request) -> web.Response:
        """Switch the method or the identity of a visitor."""
        session = self._session(request)
        await self._change(session.supervisor, request)
        return web.json_response(session.to_json())

    async def leave(self, request: web.Request) -> web.Response:
        """End a visitor's session."""
        await self._camera.leave(request.match_info["id"])
        return web.Response(status=204)

    def _statuses(self) -> list[Status]:
        return [stream.status() for stream in self._streams.values()]

    async def _gallery(self) -> Sequence[Identity]:
        """Return the identities; the first call may read them from disk."""
        return await asyncio.to_thread(lambda: self._factory.gallery)

    async def _change(self, target: Stream | LineSupervisor, request: web.Request) -> None:
        """Apply the settings of a request."""
        settings = await self._settings(await _body(request))
        if "method" in settings:
            await asyncio.to_thread(target.set_method, settings["method"])
        if "identity" in settings:
            await asyncio.to_thread(target.set_identity, settings["identity"])

    async def _settings(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return the body of a request after a check of its settings."""
        unknown = sorted(body.keys() - {"method", "identity"})
        if unknown:
            raise UsageError(f"unknown setting {unknown[0]!r}: wanted method or identity")
        if "method" in body:
            setting_value("method", body["method"])
        identity = body.get("identity")
        if identity is not None and identity not in [one.name for one in await self._gallery()]:
            raise UsageError(f"unknown identity {identity!r}: see /api/identities")
        return body

    def _stream(self, request: web.Request) -> Stream:
        name = request.match_info["name"]
        if name not in self._streams:
            raise web.HTTPNotFound(text=f"there is no stream {name!r}")
        return self._streams[name]

    def _session(self, request: web.Request) -> VisitorSession:
        session = self._camera.session(request.match_info["id"])
        if session is None:
            raise web.HTTPNotFound(text="this visit is over: reload the page")
        return session


@web.middleware
async def one_line_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn errors into one line: JSON under /api/, text elsewhere."""
    try:
        return await handler(request)
    except StreamanonError as error:
        status, text, headers = (400 if isinstance(error, UsageError) else 500), str(error), {}
    except web.HTTPError as error:
        status, text = error.status, error.text or error.reason
        headers = {key: error.headers[key] for key in _KEPT if key in error.headers}
    if request.path.startswith("/api/"):
        return web.json_response({"error": text}, status=status, headers=headers)
    return web.Response(text=f"{text}\n", status=status, headers=headers)


def _file(name: str) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:  # noqa: ARG001
        return pages.page(name)

    return answer


async def _moving(preview: Preview, request: web.Request) -> web.StreamResponse:
    """Answer the pictures of a preview until the viewer leaves."""
    kind = f"multipart/x-mixed-replace; boundary={_BOUNDARY}"
    response = web.StreamResponse(headers={"Content-Type": kind})
    await response.prepare(request)
    boundary = f"\r\n--{_BOUNDARY}\r\n".encode()
    async with aclosing(preview.watch()) as jpegs:
        with suppress(ConnectionResetError):  # the viewer left
            await response.write(boundary)
            async for jpeg in jpegs:
                head = f"Content-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                # The boundary follows at once: browsers wait for it before they show a picture.
                await response.write(head.encode() + jpeg + boundary)
    return response


async def _body(request: web.Request) -> dict[str, Any]:
    """Return the JSON object of a request; a form of another site could not send one."""
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType(text="send application/json")
    try:
        async with asyncio.timeout(BODY_S):
            data = await request.read()
    except TimeoutError as error:
        raise web.HTTPRequestTimeout(text=f"the body was not there after {BODY_S:.0f} s") from error
    try:
        body = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UsageError("the body is no JSON: send an object in UTF-8") from error
    if not isinstance(body, dict):
        raise UsageError('the body is no JSON object: send one such as {"method": "mosaic"}')
    return body
