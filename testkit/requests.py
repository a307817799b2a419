"""Requests to a running server."""

import json
from contextlib import closing
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
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> tuple[HTTPConnection, HTTPResponse]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        headers = dict(headers or {})
        data = body if isinstance(body, str | bytes | None) else json.dumps(body)
        if data is not None:
            headers.setdefault("Content-Type", "application/json")
        connection.request(method, path, body=data, headers=headers)
        return connection, connection.getresponse()

    def ask(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> Answer:
        connection, response = self.connect(method, path, body, headers)
        with closing(connection):
            return Answer(response.status, dict(response.getheaders()), response.read())
