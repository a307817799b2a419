"""Requests and offers of any shape: refused in one line, without a traceback, and quickly."""

import json
import logging
import re
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamanon.web import connections
from testkit.event_loops import longest_hold
from testkit.logs import logged
from testkit.offers import offer_of_aiortc
from testkit.requests import Serve, Site

LONGEST_HOLD_S = 0.05
LOCAL = b"Host: localhost\r\n"
JSON = LOCAL + b"Content-Type: application/json\r\n"


@pytest.fixture(autouse=True)
def _nothing_is_reported(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What goes wrong inside, with or without a traceback, fails the test."""
    monkeypatch.setattr(connections, "MAX_A_SECOND", 10_000)
    monkeypatch.setattr(connections, "MAX_REQUESTS_A_SECOND", 10_000)
    records: list[logging.LogRecord] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = records.append  # type: ignore[assignment]
    logging.getLogger().addHandler(handler)
    try:
        with logged("streamanon.web") as said:
            yield
    finally:
        logging.getLogger().removeHandler(handler)
    assert [one for one in records if one.exc_info] == []
    assert [line for line in said if not re.search(r"page: (http://|.* malformed)", line)] == []


def status_of(answer: bytes) -> int | None:
    """Return the status of an answer, whose headers are checked; None where there is none."""
    if not answer:
        return None
    head = answer.partition(b"\r\n\r\n")[0]
    found = re.match(rb"HTTP/1\.[01] (\d{3}) ", head)
    assert found, answer
    assert b"\r\nserver:" not in head.lower()
    assert b"Traceback" not in answer
    return int(found[1])


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: [zz]\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: \r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + LOCAL + b"Host: evil.example\r\n\r\n",
        b"GET http://[zz/ HTTP/1.1\r\n" + LOCAL + b"\r\n",
        b"PATCH /api/streams/x HTTP/1.1\r\n" + JSON + b"Origin: http://[zz\r\n\r\n",
        b"POST /api/camera HTTP/1.1\r\n" + JSON + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /api/camera HTTP/1.1\r\n"
        + JSON
        + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\xff\xff\xff\xff",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"what is this\r\n\r\n",
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + LOCAL + b"\r\n",
        b"GET / HTTP/1.1\r\n" + LOCAL + b"X: y\r\n" * 100 + b"\r\n",
    ],
)
def test_what_cannot_be_understood_is_a_bad_request(site: Site, request_bytes: bytes) -> None:
    answer = site.send(request_bytes)
    assert status_of(answer) == 400
    assert answer.count(b"HTTP/1.1") + answer.count(b"HTTP/1.0") == 1


@pytest.mark.parametrize("header", ["Authorization: Bearer ", "Cookie: streamanon-token="])
def test_a_token_that_is_no_text_is_a_wrong_one(serve: Serve, header: str) -> None:
    site = serve("secret")
    for wrong in (b"\xff\xfe", b"\xed\xa0\x80", b'"', b"\x80" * 5000):
        sent = b"GET / HTTP/1.1\r\n" + LOCAL + header.encode() + wrong + b"\r\n\r\n"
        assert status_of(site.send(sent)) == 401


NAMES = st.sampled_from(
    [
        *("Host", "Origin", "Authorization", "Cookie", "Content-Type", "Content-Length"),
        *("Transfer-Encoding", "Content-Encoding", "Expect", "Connection", "Upgrade", "Range"),
        *("Accept", "If-None-Match", "X-Forwarded-For", "Via", "Sec-WebSocket-Key"),
    ]
).map(str.encode) | st.from_regex(rb"[!-9;-~]{1,12}", fullmatch=True)
VALUES = (
    st.sampled_from(
        [
            *(b"localhost", b"[::1", b"[zz]:9", b"::1", b"http://[zz", b"null", b"-1", b"0", b"7"),
            *(b"chunked", b"gzip, chunked", b"deflate", b"br", b"100-continue", b"upgrade"),
            *(b"application/json", b"websocket", b"Bearer \xff", b"streamanon-token=\xff\x22", b""),
        ]
    )
    | st.binary(max_size=40)
    | st.text(max_size=20).map(lambda text: text.encode("utf-8", "replace"))
)
PATHS = (
    st.sampled_from(
        [
            *("/", "/camera", "/healthz", "/metrics", "/page.js", "/api/streams", "/api/methods"),
            *("/api/streams/hall%201", "/api/streams/hall%201/preview.jpg", "/api/camera"),
            *("/api/camera/x", "/api/identities/nora/portrait.jpg", "//evil.example/?token=x"),
            *("/../../etc/passwd", "/%2e%2e/%00", "http://[zz/", "http://localhost/", "*", "?a=b"),
        ]
    ).map(str.encode)
    | st.binary(max_size=30)
    | st.from_regex(rb"/[!-~]{0,30}", fullmatch=True)
)
METHODS = st.sampled_from([b"GET", b"HEAD", b"POST", b"PATCH", b"DELETE", b"PUT", b"OPTIONS"])
NUMBERS = st.integers() | st.floats(allow_subnormal=False)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
SETTINGS = st.dictionaries(
    st.sampled_from(["method", "identity", "sdp", "other"]),
    DOCUMENTS | st.sampled_from(["mosaic", "warp", "nora", "v=0", "v=0\r\nm=video 9 X 1"]),
)
BODIES = st.binary(max_size=80) | (DOCUMENTS | SETTINGS).map(lambda one: json.dumps(one).encode())


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """Draw a request that is right in more or fewer of its parts."""
    method = draw(METHODS | st.binary(max_size=8))
    version = draw(st.sampled_from([b"HTTP/1.1"] * 6 + [b"HTTP/1.0", b"HTTP/9.9", b"x"]))
    lines = [method + b" " + draw(PATHS) + b" " + version]
    lines += [LOCAL.strip()] if draw(st.integers(0, 4)) else []
    lines += [
        name + b": " + value for name, value in draw(st.lists(st.tuples(NAMES, VALUES), max_size=4))
    ]
    body = draw(BODIES) if draw(st.booleans()) else b""
    if body and draw(st.integers(0, 4)):
        lines += [b"Content-Type: application/json", b"Content-Length: %d" % len(body)]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


OFFER = offer_of_aiortc("video").split("\r\n")[:-1]
SECTION = OFFER[next(n for n, line in enumerate(OFFER) if line.startswith("m=")) :]
LINES = (
    st.sampled_from(OFFER)
    | st.sampled_from(
        [
            *("a=candidate:1 1 udp 1 203.0.113.9 9 typ host", "a=candidate:x"),
            *("a=end-of-candidates", "a=candidate:1 1 udp 1 0123abcd.local 99999999 typ host"),
            *("a=candidate:1 1 tcp -1 :: 0 typ x", "a=ice-lite", "a=setup:passive", "a=setup:zz"),
            *("a=group:BUNDLE 9 8 7", "a=rtcp:x y z", "a=fingerprint:sha-256 zz", "a=mid:"),
            *("a=ssrc:99999999999 cname:x", "a=ssrc:x", "a=inactive", "a=rtpmap:96 VP8/0"),
            *("a=rtpmap:300 VP8/90000", "a=rtcp-fb:* nack", "a=fmtp:1 apt=zz"),
            *("m=audio 9 RTP/AVP 0", "m=application 9 DTLS/SCTP 5000", "m=video 9 X 96"),
            *("c=IN IP4 zz", "a=extmap:1/zz x", "a=extmap:99999 urn:x", "a=msid-semantic:"),
            *("a=sctp-port:x", "b=AS:-1"),
        ]
    )
    | st.text(max_size=30)
)


@st.composite
def offers(draw: st.DrawFn) -> str:
    """Draw the offer of a browser with some of its lines changed, gone, doubled or many times."""
    lines = list(OFFER)
    for _ in range(draw(st.integers(0, 5))):
        at = draw(st.integers(0, len(lines) - 1))
        kind = draw(st.integers(0, 5))
        if kind == 0 and len(lines) > 1:
            del lines[at]
        elif kind == 1:
            lines[at] = lines[at][: draw(st.integers(0, len(lines[at])))] + draw(
                st.text(max_size=5)
            )
        elif kind == 2:
            lines += SECTION * draw(st.sampled_from([1, 2, 60]))
        elif kind == 3:
            lines[at:at] = [draw(LINES)] * draw(st.sampled_from([2, 40, 200, 3000]))
        else:
            lines[at:at] = draw(st.lists(LINES, max_size=4))
    return draw(st.sampled_from(["\r\n", "\r\n", "\r\n", "\n", ""])).join(lines) + "\r\n"


def fuzz(check: Callable[..., None], drawn: st.SearchStrategy[object], times: int) -> None:
    """Run a check on drawn examples; the loop is never held for long."""
    configured = settings(
        max_examples=times,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    with longest_hold("streamanon-web") as hold:
        configured(given(drawn)(check))()
    assert hold[0] < LONGEST_HOLD_S


def short_and_long(short: int, long: int) -> pytest.MarkDecorator:
    """Run a test on so many examples, and on more with ``make test-all``."""
    marks = (pytest.mark.slow, pytest.mark.timeout(1200))
    return pytest.mark.parametrize("times", [short, pytest.param(long, marks=marks)])


@short_and_long(100, 2000)
def test_requests_of_any_shape_are_answered_or_refused(site: Site, times: int) -> None:
    def check(sent: bytes) -> None:
        status = status_of(site.send(sent))
        assert status is None or status < 500, sent

    fuzz(check, requests(), times)


@short_and_long(25, 200)
def test_offers_of_any_shape_are_answered_or_refused(site: Site, times: int) -> None:
    taken = 0

    def check(sdp: str) -> None:
        nonlocal taken
        answer = site.ask("POST", "/api/camera", {"sdp": sdp, "method": "mosaic"})
        assert answer.status in (201, 400, 413), sdp
        if answer.status == 201:
            taken += 1
            assert answer.json["sdp"].count("m=") == 1
            assert site.ask("DELETE", f"/api/camera/{answer.json['id']}").status == 204
        else:
            assert "\n" not in answer.json["error"]

    fuzz(check, offers(), times)
    assert taken > times / 20
    assert site.server.camera.visitors == 0
