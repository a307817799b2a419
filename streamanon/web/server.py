"""The web server: one thread that reads the streams and never blocks them."""

import asyncio
import errno
import ipaddress
import logging
import secrets
import socket
from collections.abc import Sequence
from contextlib import closing, suppress
from threading import Event, Thread

from aiohttp import web

from streamanon.errors import UsageError
from streamanon.factory import Factory
from streamanon.live.stream import Stream
from streamanon.media.credentials import WITH_SECRET, keep_secret
from streamanon.web.access import add_headers, check_token, guard
from streamanon.web.api import Api, one_line_errors
from streamanon.web.camera import CameraPage
from streamanon.web.connections import Connections
from streamanon.web.event_log import EventLog, counted_reports, exception_summary
from streamanon.web.history import SAMPLE_S

LOG = logging.getLogger("streamanon.web")

_MAX_BYTES = 256 * 1024
_GOODBYE_S = 0.5


class Server:
    """Web server of the page and the REST API; its ``url``, "" before the start, has no token."""

    def __init__(
        self,
        streams: Sequence[Stream],
        factory: Factory,
        host_port: tuple[str, int],
        token: str | None,
        *,
        behind_proxy: bool = False,
    ) -> None:
        """Prepare a server for streams of unique names.

        Args:
            streams: streams that the page shows.
            factory: builds the lines of the camera page and loads the gallery.
            host_port: name or address of an interface, and a port to listen on; 0 for any free one.
            token: required secret; None makes one up where other machines can connect.
            behind_proxy: whether all requests come through a proxy, so that a token is required
                and visitors have the addresses that it names.

        Raises:
            UsageError: the token is none.
        """
        if token is not None:
            check_token(token)
        (self._host, self._port), self._given = host_port, token
        self._behind_proxy = behind_proxy
        self._events = EventLog(LOG)
        self._thread: Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.camera = CameraPage(factory)
        self.connections = Connections(self._events, behind_proxy=behind_proxy)
        self.api = Api(streams, factory, self.camera)
        self._end = asyncio.Event()
        self.url = ""

    def start(self) -> None:
        """Listen.

        Raises:
            UsageError: the address cannot be listened on.
        """
        listening = _listen(self._host, self._port)
        address, port = listening.getsockname()[:2]
        local = ipaddress.ip_address(address.partition("%")[0]).is_loopback
        open_to_all = local and not self._behind_proxy
        token = self._given or (None if open_to_all else secrets.token_urlsafe(18))
        self.url = _url(self._host, port)
        secret = f"?token={token}" if token and not self._given else ""
        ready = Event()
        self._thread = Thread(
            target=lambda: asyncio.run(self._serve(listening, token, ready)),
            name="streamanon-web",
            daemon=True,
        )
        self._thread.start()
        ready.wait()
        LOG.info(f"page: {self.url}{secret}", extra=WITH_SECRET)
        keep_secret(token or "")

    def close(self) -> None:
        """Stop listening and end all visits; safe to call twice."""
        if self._thread is None or self._loop is None:
            return
        with suppress(RuntimeError):  # it ended by itself
            self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()
        self._thread = None

    async def _serve(self, listening: socket.socket, token: str | None, ready: Event) -> None:
        self._loop = loop = asyncio.get_running_loop()
        loop.set_exception_handler(
            lambda _, context: self._events.count(f"page: {exception_summary(context)}")
        )
        application = web.Application(
            middlewares=[one_line_errors, guard(token, behind_proxy=self._behind_proxy)],
            client_max_size=_MAX_BYTES,
        )
        application.add_routes(self.api.routes())
        application.on_response_prepare.append(add_headers)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=_GOODBYE_S)
        await runner.setup()
        assert runner.server is not None
        with closing(listening), counted_reports(self._events):
            accepting = asyncio.create_task(self.connections.accept(listening, runner.server))
            ready.set()
            try:
                while not self._end.is_set():
                    self.api.sample()
                    self._events.flush()
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._end.wait(), SAMPLE_S)
            finally:
                accepting.cancel()
                await self.camera.close()
                await runner.cleanup()


def _listen(host: str, port: int) -> socket.socket:
    """Return a listening socket."""
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, OverflowError, UnicodeError) as error:
        raise UsageError(
            f"cannot serve on {host}:{port} (no such host): give an address of this machine"
        ) from error
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(128)
    except OSError as error:
        listening.close()
        reason, remedy = _BIND_ERRORS.get(
            error.errno or 0, (error.strerror or "refused", "give another address")
        )
        raise UsageError(f"cannot serve on {host}:{port} ({reason}): {remedy}") from error
    return listening


_BIND_ERRORS = {
    errno.EADDRINUSE: ("in use", "end the other program, or choose another port"),
    errno.EACCES: ("not allowed", "choose a port from 1024 on"),
    errno.EADDRNOTAVAIL: ("not an address of this machine", "use 127.0.0.1 or 0.0.0.0"),
}


def _url(host: str, port: int) -> str:
    """Return where the page is; a wildcard is shown as this machine's name."""
    name = socket.gethostname() if host in ("", "0.0.0.0", "::") else host
    return f"http://[{name}]:{port}/" if ":" in name else f"http://{name}:{port}/"
