"""Access control of the server.

On the loopback interface every user of the machine has access; there the danger is a foreign web
page in the operator's browser, which is why the Host and Origin of a request are checked. On other
interfaces, and behind a proxy, a token is required.
"""

import hmac
import ipaddress
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import cast
from urllib.parse import SplitResult, urlsplit

from aiohttp import web
from aiohttp.typedefs import Middleware
from yarl import URL

from streamanon.errors import UsageError
from streamanon.web.connections import Connection, network_of
from streamanon.web.guesses import GUESS_S, Guesses

COOKIE = "streamanon-token"

OPEN_PATHS = frozenset({"/healthz"})
"""Answered without a token, and without saying anything about the streams."""

VISITOR = web.RequestKey("visitor", str)
"""Address that a request comes from; behind a proxy, the one that the proxy names."""

_READING = ("GET", "HEAD")
_LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
_FORWARDED = (
    *("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"),
    *("X-Forwarded-Server", "X-Real-IP"),
)
"""Headers that proxies add."""

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
        "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def check_token(token: str) -> None:
    """Refuse a token that protects nothing or that no browser could send.

    Raises:
        UsageError: it is empty, or holds anything but visible ASCII characters and inner spaces.
    """
    if not token.strip():
        raise UsageError(
            "the token is empty, which would let everybody in: give one, or leave it out"
        )
    if not token.isascii() or not token.isprintable() or token != token.strip():
        raise UsageError(
            "the token holds characters that a header cannot carry: "
            "wanted ASCII letters, digits and signs"
        )


def guard(token: str | None, *, behind_proxy: bool = False) -> Middleware:
    """Return the middleware that checks every request; without a token only this machine connects.

    Behind a proxy, its word on a visitor's address counts.
    """
    guesses = Guesses()

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        connection = cast("Connection", request.protocol)
        forwarded = _forwarded_for(request) if behind_proxy else ""
        request[VISITOR] = forwarded or connection.address
        name = _host_name(request.host if "Host" in request.headers else "")
        if request.method not in _READING and not _is_own_page(request, behind_proxy=behind_proxy):
            raise web.HTTPForbidden(text="this call comes from another site: refused")
        if token is None:
            _check_local(request, name)
        elif request.path in OPEN_PATHS:
            return await handler(request)
        else:
            secure = behind_proxy and request.headers.get("X-Forwarded-Proto") == "https"
            _check_token(request, token, guesses, secure=secure)
        connection.admit()
        await connection.owner.pace(network_of(request[VISITOR]))
        return await handler(request)

    return check


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Forbid caching, framing and foreign scripts, whatever the response is.

    The connection of a request that was not allowed is closed.
    """
    response.headers.popall("Server", None)
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    connection = cast("Connection", request.protocol)
    connection.expect_head()
    if not connection.admitted:
        response.force_close()
        response.headers["Connection"] = "close"


def _check_local(request: web.Request, name: str) -> None:
    """Let in who is on this machine; raises HTTPForbidden."""
    if name not in _LOCAL_NAMES:
        raise web.HTTPForbidden(
            text=f"{request.host!r} is not a name of this machine's loopback interface: "
            "use localhost, or start the server with a token"
        )
    proxied = next((header for header in _FORWARDED if header in request.headers), None)
    if proxied:
        raise web.HTTPForbidden(
            text=f"this came through a proxy ({proxied}), which makes everybody look local: "
            "start the server with --behind-proxy, which asks for a token"
        )


def _check_token(request: web.Request, token: str, guesses: Guesses, *, secure: bool) -> None:
    """Let in who knows the token; raises an HTTPException otherwise."""
    network = network_of(request[VISITOR])
    given = _given(request)
    in_address = request.query.get("token", "") if request.method == "GET" else ""
    tried = [*given, in_address] if in_address else given
    if tried and guesses.exhausted(network):
        raise web.HTTPTooManyRequests(
            text="too many wrong tokens from this address: try again later",
            headers={"Retry-After": str(round(GUESS_S))},
        )
    if any(_same(one, token) for one in given):
        return
    if in_address and _same(in_address, token):
        # The token goes into a cookie and out of the address, which histories and screenshots keep.
        answer = web.HTTPSeeOther(_without_token(request))
        answer.set_cookie(COOKIE, token, httponly=True, samesite="Strict", secure=secure)
        raise answer
    for one in tried:
        guesses.add(network, one)
    raise web.HTTPUnauthorized(
        text="this page asks for a token: open the address that was printed at the start",
        headers={"WWW-Authenticate": "Bearer"},
    )


def _given(request: web.Request) -> list[str]:
    """Return the tokens in the header and the cookie of a request."""
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    bearer = given.strip() if scheme.lower() == "bearer" else ""
    return [one for one in (bearer, request.cookies.get(COOKIE, "")) if one]


def _without_token(request: web.Request) -> URL:
    """Return where a request goes, without the token, and on this server whatever its path is."""
    query = [(key, value) for key, value in request.query.items() if key != "token"]
    return URL.build(path="/" + request.path.lstrip("/\\"), query=query)


def _same(given: str, token: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), token.encode())


def _forwarded_for(request: web.Request) -> str:
    """Return the address that the proxy saw, or "": the last one, as clients can write others."""
    last = request.headers.getall("X-Forwarded-For", [""])[-1].rpartition(",")[2].strip()
    with suppress(ValueError):
        return str(ipaddress.ip_address(last))
    return ""


def _is_own_page(request: web.Request, *, behind_proxy: bool) -> bool:
    """Return whether a request comes from our page or from no page."""
    origin = request.headers.get("Origin")
    hosts = {request.host}
    if behind_proxy:  # which may have replaced the Host
        hosts |= set(request.headers.getall("X-Forwarded-Host", []))
    return origin is None or _split(origin).netloc in hosts


def _host_name(host: str) -> str:
    """Return a Host header without its port."""
    name = _split(f"//{host}").hostname
    if not name:
        raise web.HTTPBadRequest(text="the request names no host: send a Host header")
    return name


def _split(address: str) -> SplitResult:
    try:
        return urlsplit(address)
    except ValueError as error:
        raise web.HTTPBadRequest(text="a Host or Origin header is no address") from error
