"""Hides credentials in everything that is printed, logged, served or written.

An address may carry them as user and password, in its path, its query or its fragment. What is
recognised as part of an address is hidden by its shape; values of addresses that were read are
hidden wherever else they appear. In doubt too much is hidden rather than too little.
"""

import re
from contextlib import suppress
from urllib.parse import quote, unquote

HIDDEN = "***"

WITH_SECRET = {"with_secret": True}
"""Attribute of a log record whose secret the operator is to read, once."""

_URL = re.compile(r"\b([A-Za-z][A-Za-z0-9+.-]*\\?://\S+?)(?=[\"'),.:;\]}]*(?:\s|$))")
"""Without punctuation of the surrounding sentence."""
_PARTS = re.compile(r"([^/?#]*)([^?#]*)(\?[^#]*)?(#.*)?", re.DOTALL)
"""Authority, path, query and fragment of what follows "://" and the last "@"."""
_NO_PORT = re.compile(r"(?<=[^:\]]):(?!\d{0,5}$)[^\]]*$")
"""Behind a host: what would be its port, were it a number."""
_USER_ALONE = re.compile(r"(?<![^\s\"'(=])[^\s\"'@(=]+:(?!//)[^\s\"']*@(?=[^\s@])")
"""User and password of an address whose scheme is missing or misspelt."""
_PLAIN = re.compile(r"[A-Za-z._-]{0,12}\d{0,3}")
"""A part of a path or query that names something: "Channels", "101", "stream1"."""
_QUERY_VALUE = re.compile(r"(?<=[?&;])([^=&;]*=|)([^&;]+)")
_SMALL = re.compile(r"\d{1,2}")
"""A number that selects the channel of a camera and is not secret."""
_NAME = r"(?:pass(?:word|wd|phrase)?|pwd|token|secret|auth|key|user(?:name)?)"
_NAMED_SECRET = re.compile(rf"({_NAME}=)[^&_/?#;,\s\"']+", re.IGNORECASE)
"""Anywhere in a text: some cameras take user and password as part of the path."""

_SHORTEST = 4
"""Characters of the shortest value that is hidden outside of addresses."""
_OUR_WORDS = frozenset({"password"})
"""Words of our own messages, which stay even if they are somebody's password."""

_kept: frozenset[str] = frozenset()
_kept_pattern: re.Pattern[str] | None = None


def keep_secret(*values: str) -> None:
    """Hide values from now on, wherever they appear as words of their own."""
    global _kept, _kept_pattern  # noqa: PLW0603  credentials belong to the process
    forms = {form for value in values for form in (value, unquote(value), quote(value, safe=""))}
    _kept |= {form for form in forms if len(form) >= _SHORTEST} - _OUR_WORDS
    longest_first = sorted(_kept, key=len, reverse=True)
    words = "|".join(re.escape(value) for value in longest_first)
    _kept_pattern = re.compile(rf"(?<!\w)(?:{words})(?!\w)") if words else None


def keep_secrets_of(url: str) -> None:
    """Hide the credentials of an address from now on, wherever they appear."""
    user, rest = _split(url)
    _, path, query, fragment = _parts(rest)
    parts = [*path.split("/"), *re.split("[&;]", query[1:]), fragment[1:]]
    values = [part for part in parts if not _PLAIN.fullmatch(part.partition("=")[2] or part)]
    named = [part.partition("=")[2] for part in parts if re.search(f"{_NAME}=", part, re.I)]
    named += [name for part in parts if not _PLAIN.fullmatch(name := part.partition("=")[0])]
    behind = [part.partition("=")[2] for part in values]
    tail = [path + query] if values else []
    keep_secret(user, user.partition(":")[2], *values, *named, *behind, *tail)


def masked(text: str) -> str:
    """Hide the credentials of every address in a text, values named as secrets, and known ones."""
    if _kept_pattern:
        text = _kept_pattern.sub(HIDDEN, text)
    text = _URL.sub(lambda url: masked_url(url[1]), text)
    text = _USER_ALONE.sub(f"{HIDDEN}@", text)
    return _NAMED_SECRET.sub(rf"\1{HIDDEN}", text)


def masked_url(url: str) -> str:
    """Hide user, password, keys in the path, query values and fragment of one address."""
    scheme = re.split(r"[^\w+.-]", url.partition("://")[0].rstrip("\\").lower())[-1]
    user, rest = _split(url)
    host, path, query, fragment = _parts(rest)
    host = _NO_PORT.sub(f":{HIDDEN}", host)
    at = f"{HIDDEN}@" if user else "@" if f"://@{rest}" in url else ""
    query = _QUERY_VALUE.sub(_masked_value, query)
    shown = f"{host}{_masked_path(scheme, path)}{query}{f'#{HIDDEN}' if fragment else ''}"
    shown = _NAMED_SECRET.sub(rf"\1{HIDDEN}", shown)
    return f"{url.partition('://')[0]}://{at}{shown}"


def mask_error(error: BaseException) -> None:
    """Hide credentials in the messages of an error and of all that led to it, in place."""
    seen: set[int] = set()
    errors: list[BaseException | None] = [error]
    while errors:
        one = errors.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        one.args = tuple(masked(arg) if isinstance(arg, str) else arg for arg in one.args)
        if isinstance(one, OSError) and isinstance(one.filename, str):
            with suppress(AttributeError):  # FFmpeg's errors have it in their arguments
                one.filename = masked(one.filename)
        errors += [one.__cause__, one.__context__]


def _split(url: str) -> tuple[str, str]:
    """Return user and password of an address, and what follows; a password may hold an @ or a /."""
    user, _, rest = url.partition("://")[2].rpartition("@")
    return user, rest


def _parts(rest: str) -> tuple[str, str, str, str]:
    found = _PARTS.fullmatch(rest)
    assert found
    host, path, query, fragment = found.groups("")
    return host, path, query, fragment


def _masked_value(found: re.Match[str]) -> str:
    """Hide the value of a query, and its name if that may be a key itself."""
    name = found[1] if _PLAIN.fullmatch(found[1].removesuffix("=")) else f"{HIDDEN}="
    return f"{name}{found[2] if _SMALL.fullmatch(found[2]) else HIDDEN}"


def _masked_path(scheme: str, path: str) -> str:
    """Hide what may be a key: in HTTP all of a path, in RTMP all behind the application."""
    first, *names = path.split("/")
    names = [name for name in names if name]
    if not names:
        return path
    if scheme.startswith("http") or (scheme.startswith("rtmp") and len(names) == 1):
        return f"{first}/{HIDDEN}"
    if scheme.startswith("rtmp"):
        return f"{first}/{names[0]}/{HIDDEN}"
    return "/".join(name if _PLAIN.fullmatch(name) else HIDDEN for name in path.split("/"))
