"""Connections to the page: how many there may be, how fast they come, and how long they stay.

Whatever a client does or leaves undone, it costs the streams neither file descriptors nor memory. A
connection that makes no allowed request within seconds is closed, as is the oldest such connection
when there are too many.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
from collections import Counter
from contextlib import suppress
from typing import NoReturn

from aiohttp import web

from streamanon.web.event_log import EventLog

try:
    import resource
except ImportError:  # Windows has no such limit
    resource = None  # type: ignore[assignment]

MAX_CONNECTIONS = 256
"""Connections in all, or a quarter of the files this process may open if that is less."""

MAX_BY_ADDRESS = 32
"""Connections from one address; a browser opens six for each window."""

MAX_A_SECOND = 200
"""Connections accepted in a second; others wait in the kernel's queue."""

UNPROVEN_S = 10.0
"""Time in which a connection must have made a request that is allowed."""

IDLE_S = 30.0
"""Time between two requests of a connection, the header of the second included."""

MAX_REQUESTS_A_SECOND = 100
"""Requests that are answered in a second, half of them of one address; three seconds' worth of them
at once. Others wait."""

MAX_HEAD_BYTES = 64 * 1024
"""Size of the head of a request; a body may be larger."""

UNREAD_S = 10.0
"""Time in which a client must take some of what waits to be sent."""

_LINGER_S = 2.0
"""Time in which the rest of a body that nothing reads is awaited."""

_MAX_HEADERS = 64
_SEND_BYTES = 256 * 1024
_HEAD_END = b"\r\n\r\n"
_AT_ONCE_S = 3.0
_MAX_NETWORKS = 4096
_NO_LOG = logging.Logger("requests", logging.CRITICAL)
_AGAIN_S = 1.0


def network_of(address: str) -> str:
    """Return what counts as one address: an IPv4 address, or the /64 network of an IPv6 one."""
    with suppress(ValueError):
        parsed = ipaddress.ip_address(address.partition("%")[0])
        if isinstance(parsed, ipaddress.IPv6Address):
            if parsed.ipv4_mapped:
                return str(parsed.ipv4_mapped)
            return str(ipaddress.ip_network((parsed, 64), strict=False))
    return address


class Connection(web.RequestHandler):
    """One connection.

    Attributes:
        address: address that the connection comes from.
        owner: the connections that this one belongs to.
        network: what counts as one address (:func:`network_of`).
        admitted: whether it has made a request that is allowed.
    """

    def __init__(
        self, owner: Connections, server: web.Server, loop: asyncio.AbstractEventLoop, address: str
    ) -> None:
        super().__init__(
            server,
            loop=loop,
            access_log=_NO_LOG,
            keepalive_timeout=IDLE_S,
            lingering_time=_LINGER_S,
            max_headers=_MAX_HEADERS,
            auto_decompress=False,
        )
        self.address, self.network = address, network_of(address)
        self.admitted = False
        self.owner = owner
        self._expiry = loop.call_later(UNPROVEN_S, self.abort)
        self._unread: asyncio.TimerHandle | None = None
        self.expect_head()

    def expect_head(self) -> None:
        """Limit what comes until the end of the next head."""
        self._head_bytes, self._head_end = 0, b""
        self._in_head = True

    @property
    def expendable(self) -> bool:
        """Whether it may be closed for another one: it has proven nothing, or is ending."""
        return not self.admitted or self.transport is None or self.transport.is_closing()

    def admit(self) -> None:
        """Let it stay: it has made a request that is allowed."""
        self.admitted = True
        self._expiry.cancel()

    def abort(self) -> None:
        """Close it at once, whatever was still to be sent."""
        if isinstance(self.transport, asyncio.Transport):
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take data, unless it is a head without end."""
        if self._in_head:
            self._head_bytes += len(data)
            self._head_end += data
            self._in_head = _HEAD_END not in self._head_end
            self._head_end = self._head_end[-len(_HEAD_END) :]
            if self._in_head and self._head_bytes > MAX_HEAD_BYTES:
                self.owner.events.count("page: requests with heads that are too long")
                self.abort()
                return
        super().data_received(data)

    def pause_writing(self) -> None:
        """Give the other end some time to take what waits."""
        super().pause_writing()
        self._unread = asyncio.get_running_loop().call_later(UNREAD_S, self.abort)

    def resume_writing(self) -> None:
        """Go on: the other end has taken enough."""
        super().resume_writing()
        if self._unread:
            self._unread.cancel()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget it."""
        self._expiry.cancel()
        if self._unread:
            self._unread.cancel()
        self.owner.remove(self)
        super().connection_lost(exc)

    def log_exception(self, *args: object, **kwargs: object) -> None:
        """Count an error of the server's own instead of printing a traceback."""
        error = kwargs.get("exc_info")
        self.owner.events.count(f"page: {args[0]} ({type(error).__name__}): file a bug")

    def handle_error(
        self,
        request: web.BaseRequest,  # noqa: ARG002
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002
    ) -> NoReturn:
        """Answer what is no HTTP in one line, log no traceback, and close the connection."""
        if isinstance(exc, ConnectionError):  # the client has gone, or was answered below
            raise exc
        if isinstance(exc, UnicodeError):  # bytes of the request that are no text
            status = 400
        self.owner.events.count(
            f"page: answered {status} to requests that are malformed"
            if status < 500
            else f"page: a request failed ({type(exc).__name__}): file a bug"
        )
        text = b"this is no request that can be read\n"
        if isinstance(self.transport, asyncio.Transport):
            self.transport.write(
                b"HTTP/1.1 %d Refused\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n"
                b"Connection: close\r\n\r\n%b" % (status, len(text), text)
            )
        raise ConnectionError("answered")


class Connections:
    """All connections of a server."""

    def __init__(self, events: EventLog, *, behind_proxy: bool) -> None:
        """Prepare to accept, and to log what is refused; one proxy may have all connections."""
        self.events = events
        self._most = _most_connections()
        self._most_by_network = self._most if behind_proxy else min(MAX_BY_ADDRESS, self._most)
        self._open: dict[Connection, None] = {}
        self._by_network: Counter[str] = Counter()
        self._due_s: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._open)

    async def accept(self, listening: socket.socket, server: web.Server) -> NoReturn:
        """Accept connections until cancelled."""
        loop = asyncio.get_running_loop()
        listening.setblocking(False)  # noqa: FBT003
        while True:
            try:
                accepted, address = await loop.sock_accept(listening)
            except OSError as error:  # no files left, or the client has gone
                self.events.count(f"page: a connection cannot be accepted ({error.strerror})")
                await asyncio.sleep(_AGAIN_S)
                continue
            if self._make_room(network_of(address[0])):
                accepted.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BYTES)
                await self._connect(accepted, Connection(self, server, loop, address[0]))
            else:
                accepted.close()
            await asyncio.sleep(1 / MAX_A_SECOND)

    def remove(self, connection: Connection) -> None:
        """Forget a connection that is closed."""
        if connection in self._open:
            del self._open[connection]
            self._by_network -= Counter([connection.network])

    async def pace(self, network: str) -> None:
        """Wait until the next request of an address may be answered."""
        now_s, wait_s = asyncio.get_running_loop().time(), 0.0
        if len(self._due_s) > _MAX_NETWORKS:
            self._due_s = {key: due_s for key, due_s in self._due_s.items() if due_s > now_s}
        for key, rate in (("", MAX_REQUESTS_A_SECOND), (network, MAX_REQUESTS_A_SECOND / 2)):
            due_s = max(self._due_s.get(key, 0.0), now_s - _AT_ONCE_S) + 1 / rate
            self._due_s[key] = due_s = min(due_s, now_s + _AT_ONCE_S)
            wait_s = max(wait_s, due_s - now_s)
        if wait_s > 0:
            await asyncio.sleep(wait_s)

    async def _connect(self, accepted: socket.socket, connection: Connection) -> None:
        self._open[connection] = None
        self._by_network[connection.network] += 1
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: connection, accepted)
        except OSError:  # it has gone already
            self.remove(connection)
            accepted.close()

    def _make_room(self, network: str) -> bool:
        """Return whether there is room, if need be by closing the oldest unproven connection."""
        if self._by_network[network] >= self._most_by_network:
            rivals = [one for one in self._open if one.network == network and one.expendable]
            self.events.count(f"page: more than {self._most_by_network} connections of one address")
        elif len(self._open) >= self._most:
            rivals = [one for one in self._open if one.expendable]
            self.events.count(f"page: more than {self._most} connections")
        else:
            return True
        if not rivals:
            return False
        rivals[0].abort()
        self.remove(rivals[0])
        return True


def _most_connections() -> int:
    """Return how many connections there may be, so that files are left for inputs and outputs."""
    if resource is None:
        return MAX_CONNECTIONS
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MAX_CONNECTIONS if files < 0 else max(1, min(MAX_CONNECTIONS, files // 4))
