"""Requests to a running server."""

import json
import socket
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from typing import Any
from urllib.parse import urlsplit

from streamanon.web.server import Server


@dataclass(frozen=True)
class Answer:
    """What a server answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Site:
    """A running server, and requests to it."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.port = urlsplit(server.url).port

    def connect(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: dict[str, str] | None = None,
        source: str = "127.0.0.1",
    ) -> tuple[HTTPConnection, HTTPResponse]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60, source_address=(source, 0))
        headers = dict(headers or {})
        data = body if isinstance(body, str | bytes | None) else json.dumps(body)
        if data is not None:
            headers.setdefault("Content-Type", "application/json")
        connection.request(method, path, body=data, headers=headers)
        return connection, connection.getresponse()

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: dict[str, str] | None = None,
        source: str = "127.0.0.1",
    ) -> Answer:
        connection, response = self.connect(method, path, body, headers, source)
        with closing(connection):
            return Answer(response.status, dict(response.getheaders()), response.read())

    def open(self, source: str = "127.0.0.1") -> socket.socket:
        """Return a connection over which nothing was sent."""
        return socket.create_connection(("127.0.0.1", self.port), 20, (source, 0))

    def send(self, data: bytes) -> bytes:
        """Send bytes over a connection of their own; return what is answered until it ends.

        Where nothing comes, the end of the request is signalled: it may never have been complete.
        """
        answer = b""
        with self.open() as connection:
            connection.sendall(data)
            connection.settimeout(0.2)
            with suppress(OSError):
                while received := _received(connection):
                    answer += received
        return answer


Serve = Callable[..., Site]
"""Starts a server with a token or none, on a host."""


def _received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(1 << 16)
    except TimeoutError:
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(60)
        return connection.recv(1 << 16)
