"""HTTP for FFmpeg, so that nothing on the internet leads it into the local network.

A playlist and a redirect name any address they like, and the same name may mean another address
each time it is looked up. FFmpeg connects to all of them. So what it reads by HTTP is fetched here,
where an address is looked up, judged and connected to in one place.
"""

from __future__ import annotations

import base64
import io
import re
import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from threading import Event
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, unquote, urljoin, urlsplit
from urllib.request import (
    AbstractHTTPHandler,
    DataHandler,
    HTTPBasicAuthHandler,
    HTTPDefaultErrorHandler,
    HTTPDigestAuthHandler,
    HTTPErrorProcessor,
    HTTPPasswordMgrWithDefaultRealm,
    HTTPRedirectHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
)
from weakref import WeakSet

import av
from av.error import HTTPForbiddenError, HTTPNotFoundError, HTTPUnauthorizedError

from streamanon.errors import MediaError
from streamanon.sources.live.reach import Reach

_AGENT = f"Lavf/{'.'.join(map(str, av.library_versions['libavformat']))}"
"""What FFmpeg calls itself; some servers refuse what they do not know."""
_FORMATS = {
    "application/vnd.apple.mpegurl": "hls",
    "application/x-mpegurl": "hls",
    "audio/mpegurl": "hls",
    "audio/x-mpegurl": "hls",
    "multipart/x-mixed-replace": "mpjpeg",
}
"""FFmpeg's format of a media type; the others it finds out from the content."""
_ERRORS = {401: HTTPUnauthorizedError, 403: HTTPForbiddenError, 404: HTTPNotFoundError}
_URL_CHARACTERS = "%/:=&?~#+!$,;'@()*[]"
_CRYPTO = ("crypto+", "crypto:")
_LARGEST = 64 << 20
"""Of what is read whole, in bytes: an encrypted segment, a playlist."""
_ADDRESS = re.compile(rb'^(?!#)\S[^\r\n]*|(?<=URI=")[^"]+', re.MULTILINE)
"""In a playlist: a line of its own, or a value."""
_FAILURES = (OSError, HTTPException, ValueError, AttributeError)
"""What reading from a socket raises, the last two where another thread has shut it down."""


class Fetcher:
    """Fetches what FFmpeg asks for on one connection to an HTTP input.

    Attributes:
        is_file: whether the server announced a length: a file, sent as fast as it is read.
    """

    def __init__(self, url: str, reach: Reach, timeout_s: float, over: Event) -> None:
        """Prepare; nothing is fetched yet, and nothing any more once ``over`` is set.

        The url holds credentials. ``timeout_s`` is the longest silence of a server.
        """
        self._timeout_s, self._over = timeout_s, over
        self._sockets: WeakSet[socket.socket] = WeakSet()
        user, self._url = _without_user(url)
        self._opener = _opener(reach, self._sockets)
        if user:
            name, _, word = user.partition(":")
            passwords = HTTPPasswordMgrWithDefaultRealm()
            parts = urlsplit(self._url)
            host = f"{parts.scheme}://{parts.netloc}/"
            passwords.add_password(None, host, unquote(name), unquote(word))
            self._opener.add_handler(HTTPBasicAuthHandler(passwords))
            self._opener.add_handler(HTTPDigestAuthHandler(passwords))
        self.is_file = False
        self._first: Any = None
        self._refused = False

    def start(self) -> tuple[str, str | None]:
        """Fetch the beginning; return where it is after redirects, and FFmpeg's name of its format.

        Raises:
            FFmpegError: the server refuses.
            MediaError: it leads where it must not.
            OSError: it cannot be reached.
        """
        self._first = self.fetch(self._url)
        self._url = self._first.url
        self.is_file = bool(self._first.length)
        return self._url, _format(self._first)

    def open(self, url: str, _flags: int, options: Mapping[str, str]) -> _Body | io.BytesIO:
        """Return the file at an address; PyAV's ``io_open``.

        One that cannot be fetched is empty, as FFmpeg passes over a segment that fails.

        Raises:
            MediaError: the address is in the local network; later ones are not looked at.
        """
        if self._first and url == self._url:
            first, self._first = self._first, None
            return _Body(self, first, url)
        if self._refused or self._over.is_set():
            return io.BytesIO()
        plain = url
        for prefix in _CRYPTO:
            plain = plain.removeprefix(prefix)
        start, end = int(options.get("offset", 0)), int(options.get("end_offset", 0))
        try:
            response = self.fetch(plain, start, end)
            if plain != url:
                return io.BytesIO(_decrypted(response.read(_LARGEST), options))
            if response.url != url and _format(response) == "hls":
                return io.BytesIO(_with_whole_addresses(response.read(_LARGEST), response.url))
            return _Body(self, response, url)
        except MediaError:
            self._refused = True
            raise
        except (av.FFmpegError, *_FAILURES):
            return io.BytesIO()

    def stop(self) -> None:
        """End what is being read in another thread."""
        for one in list(self._sockets):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def fetch(self, url: str, start: int = 0, end: int = 0) -> Any:
        """Request a file from a byte on and up to another; 0 for all of it.

        Raises:
            FFmpegError: the server refuses.
            MediaError: it leads where it must not.
            OSError: it cannot be reached.
        """
        request = Request(quote(_without_user(url)[1], safe=_URL_CHARACTERS))
        request.add_header("User-Agent", _AGENT)
        if start or end:
            request.add_header("Range", f"bytes={start}-{end - 1 if end else ''}")
        try:
            response = self._opener.open(request, timeout=self._timeout_s)
        except HTTPError as error:
            error.close()
            kind = _ERRORS.get(error.code)
            if kind:
                raise kind(error.code, str(error.reason)) from None
            raise ConnectionError(f"the server answers {error.code} {error.reason}") from None
        except URLError as error:
            raise error.reason if isinstance(error.reason, Exception) else error from None
        except (HTTPException, ValueError) as error:
            raise ConnectionError("its answer is not HTTP") from error
        if response is None:
            raise MediaError("it leads to something that is not HTTP: check what it serves")
        return response


class _Body:
    """The content of a response, as PyAV reads it; seekable where the server sends parts."""

    def __init__(self, fetcher: Fetcher, response: Any, url: str) -> None:
        self._fetcher, self._response, self._url = fetcher, response, url
        headers = response.headers
        in_parts = headers.get("Accept-Ranges") == "bytes" and response.status == 200
        self._size = int(headers.get("Content-Length") or 0) if in_parts else 0
        self._place = self._read = 0

    def read(self, size: int = -1) -> bytes:
        try:
            if self._place != self._read:
                self._response.close()
                self._response = self._fetcher.fetch(self._url, self._place)
                self._read = (
                    self._place if self._response.status == HTTPStatus.PARTIAL_CONTENT else 0
                )
                if self._place != self._read:
                    return b""
            data: bytes = self._response.read1(size)
        except (av.FFmpegError, MediaError, *_FAILURES):
            return b""
        self._place += len(data)
        self._read = self._place
        return data

    def seekable(self) -> bool:
        return self._size > 0

    def seek(self, offset: int, whence: int = 0) -> int:
        self._place = offset + (0, self._place, self._size)[whence]
        return self._place

    def tell(self) -> int:
        return self._place

    def close(self) -> None:
        self._response.close()


def _without_user(url: str) -> tuple[str, str]:
    """Return user and password of an address as written, and the address without them."""
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    return user, parts._replace(netloc=host).geturl()


def _opener(reach: Reach, sockets: WeakSet[socket.socket]) -> OpenerDirector:
    """Return what requests HTTP and nothing else, and connects within a reach."""
    opener = OpenerDirector()
    for handler in (
        ProxyHandler(),
        _Handler(reach, sockets),
        DataHandler(),
        HTTPRedirectHandler(),
        HTTPDefaultErrorHandler(),
        HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


class _Plain(HTTPConnection):
    def __init__(
        self, reach: Reach, sockets: WeakSet[socket.socket], *args: Any, **how: Any
    ) -> None:
        super().__init__(*args, **how)
        self._create_connection, self._sockets = reach.connect, sockets

    def connect(self) -> None:
        super().connect()
        self._sockets.add(self.sock)


class _Secure(_Plain, HTTPSConnection):
    pass


class _Handler(AbstractHTTPHandler):
    """Requests by HTTP and HTTPS."""

    def __init__(self, *how: Any) -> None:
        super().__init__()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # as FFmpeg: cameras sign their own certificates
        self._plain: Any = partial(_Plain, *how)
        self._secure: Any = partial(_Secure, *how, context=context)

    http_request = https_request = AbstractHTTPHandler.do_request_

    def http_open(self, request: Request) -> Any:
        return self.do_open(self._plain, request)

    def https_open(self, request: Request) -> Any:
        return self.do_open(self._secure, request)


def _format(response: Any) -> str | None:
    """Return FFmpeg's name of the format that a response says it has."""
    return _FORMATS.get(response.headers.get_content_type())


def _with_whole_addresses(playlist: bytes, url: str) -> bytes:
    """Return a playlist that can be read as if it came from elsewhere.

    FFmpeg does not learn of redirects here.
    """

    def whole(found: re.Match[bytes]) -> bytes:
        return urljoin(url, found[0].decode(errors="replace")).encode()

    return _ADDRESS.sub(whole, playlist)


def _decrypted(data: bytes, options: Mapping[str, str]) -> bytes:
    """Return a segment of a playlist that was encrypted by AES-128, decrypted by FFmpeg."""
    url = f"crypto:data:video/x;base64,{base64.b64encode(data).decode()}"
    how = {"key": options["key"], "iv": options["iv"], "protocol_whitelist": "crypto,data"}
    with av.open(url, format="data", options=how) as container:
        return b"".join(bytes(packet) for packet in container.demux())
