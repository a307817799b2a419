"""Access control of the server.

On the loopback interface every user of the machine has access; there the danger is a foreign web
page in the operator's browser, which is why the Host and Origin of a request are checked. On other
interfaces a token is required.
"""

import hmac
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Middleware

COOKIE = "streamanon-token"

OPEN_PATHS = frozenset({"/healthz"})
"""Answered without a token, and without saying anything about the streams."""

_READING = ("GET", "HEAD")
_LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")

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
    "Server": "streamanon",
    "X-Content-Type-Options": "nosniff",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def guard(token: str | None) -> Middleware:
    """Return the middleware that checks every request.

    Args:
        token: required secret, or None where only this machine can connect.
    """

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method not in _READING and not _is_own_page(request):
            raise web.HTTPForbidden(text="this call comes from another site: refused")
        if token is None:
            if _name(request.host) not in _LOCAL_NAMES:
                raise web.HTTPForbidden(
                    text=f"{request.host!r} is not a name of this machine's loopback interface: "
                    "use localhost, or start the server with a token"
                )
        elif request.path not in OPEN_PATHS:
            _check_token(request, token)
        return await handler(request)

    return check


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:  # noqa: ARG001
    """Forbid caching, framing and foreign scripts, whatever the response is."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)


def knows_token(request: web.Request, token: str) -> bool:
    """Return whether a request carries the token in its header or cookie."""
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and _same(given.strip(), token):
        return True
    return _same(request.cookies.get(COOKIE, ""), token)


def _check_token(request: web.Request, token: str) -> None:
    if knows_token(request, token):
        return
    if request.method == "GET" and _same(request.query.get("token", ""), token):
        # The token goes into a cookie and out of the address, which histories and screenshots keep.
        clean = request.rel_url.without_query_params("token")
        answer = web.HTTPSeeOther(clean)
        answer.set_cookie(COOKIE, token, httponly=True, samesite="Strict", secure=request.secure)
        raise answer
    raise web.HTTPUnauthorized(
        text="this page asks for a token: open the address that was printed at the start",
        headers={"WWW-Authenticate": "Bearer"},
    )


def _same(given: str, token: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(given.encode(), token.encode())


def _is_own_page(request: web.Request) -> bool:
    """Return whether a request comes from our page or from no page."""
    origin = request.headers.get("Origin")
    return origin is None or urlsplit(origin).netloc == request.host


def _name(host: str) -> str:
    """Return a Host header without its port."""
    return urlsplit(f"//{host}").hostname or ""
