"""Connections that send nothing, too little or too much: they cost the streams nothing."""

import asyncio
import resource
import socket
from contextlib import ExitStack, suppress

import pytest

from streamanon.live.stream import Stream
from streamanon.web import api, connections, guesses
from testkit.logs import Log
from testkit.requests import Serve
from testkit.waiting import wait_until

HALF_A_HEAD = b"POST /api/camera HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
HALF_A_BODY = HALF_A_HEAD + b"Content-Length: 5000\r\n\r\n{"


def ends(connection: socket.socket) -> bool:
    """Read to the end of a connection, which the server has to close."""
    try:
        while connection.recv(1 << 16):
            pass
    except ConnectionResetError:
        pass
    return True


@pytest.mark.parametrize("sent", [b"", b"GET / HT", HALF_A_HEAD, HALF_A_BODY])
def test_who_does_not_go_on_is_cut_off(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(connections, "UNPROVEN_S", 0.2)
    monkeypatch.setattr(api, "BODY_S", 0.2)
    site = serve()
    with site.open() as connection:
        connection.sendall(sent)
        assert ends(connection)
        wait_until(lambda: len(site.server.connections) == 0)


def test_a_head_that_comes_byte_by_byte_is_cut_off(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "UNPROVEN_S", 0.3)
    head = iter(HALF_A_HEAD * 100)
    site = serve()
    with site.open() as connection:

        def closed() -> bool:
            try:
                connection.sendall(bytes([next(head)]))
            except (BrokenPipeError, ConnectionResetError):
                return True
            return False

        wait_until(closed)


def test_an_idle_connection_ends_and_one_in_use_stays(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "UNPROVEN_S", 2.0)
    monkeypatch.setattr(connections, "IDLE_S", 3.0)
    request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    site = serve()
    with site.open() as connection:
        answers = 0
        for _ in range(4):
            connection.sendall(request)
            answers += connection.recv(1 << 16).count(b"HTTP/1.1 200 OK")
            wait_until(lambda: len(site.server.connections) == 1)
        assert answers == 4
        assert ends(connection)


def test_what_is_refused_ends_the_connection(serve: Serve) -> None:
    """Also what anybody may ask: without the token a connection has one answer."""
    site = serve("secret")
    for path, status in (("/", 401), ("/healthz", 200)):
        answer = site.ask("GET", path)
        assert (answer.status, answer.headers["Connection"]) == (status, "close")
    known = {"Authorization": "Bearer secret"}
    assert "Connection" not in site.ask("GET", "/", headers=known).headers


def test_a_flood_leaves_room_for_others_and_files_for_streams(
    serve: Serve, stream: Stream, said: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The short form: 150 connections from one address, then 150 from many."""
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 100)
    frames = stream.status().frames
    site = serve("secret")
    with ExitStack() as stack:
        known = {"Authorization": "Bearer secret"}
        for sources in (["127.0.0.2"], [f"127.0.1.{n}" for n in range(1, 250)]):
            for number in range(150):
                connection = stack.enter_context(site.open(sources[number % len(sources)]))
                connection.sendall(HALF_A_HEAD)
                assert len(site.server.connections) <= 100
            assert site.ask("GET", "/api/streams", headers=known).status == 200
        wait_until(lambda: stream.status().frames > frames + 25)
        assert stream.status().state == "live"
    assert len("\n".join(said)) < 1000
    assert said.has("more than 32 connections of one address")
    assert said.has("more than 100 connections")


def test_a_head_without_end_is_cut_off(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also that of a later request; a body may be longer."""
    monkeypatch.setattr(connections, "UNPROVEN_S", 60.0)
    lines = b"".join(b"x-%d: %b\r\n" % (number, b"a" * 8000) for number in range(10))
    first = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    site = serve()
    for before in (b"", first):
        with site.open() as connection:
            if before:
                connection.sendall(before)
                assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200")
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
            wait_until(lambda: len(site.server.connections) == 1)
            with suppress(ConnectionError):
                connection.sendall(lines)
            assert ends(connection)
    wanted = {"method": "warp", "identity": "x" * 100_000}
    assert site.ask("PATCH", "/api/streams/hall%201", wanted).status == 400


def test_who_takes_nothing_is_cut_off(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "UNREAD_S", 0.2)
    ask = b"GET /api/streams/hall%201/preview.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n"
    site = serve()
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", site.port))
        connection.sendall(ask)
        preview = site.server.api.previews["hall 1"]
        wait_until(lambda: preview._viewers == 1)
        wait_until(lambda: len(site.server.connections) == 0)
        wait_until(lambda: preview._viewers == 0)


def test_requests_are_answered_at_a_pace(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MAX_REQUESTS_A_SECOND", 4)
    paused: list[float] = []
    sleep = asyncio.sleep

    async def note(delay: float) -> None:
        paused.append(delay)
        await sleep(0)

    site = serve()
    monkeypatch.setattr(asyncio, "sleep", note)
    for _ in range(8):
        assert site.ask("GET", "/api/methods").status == 200
    waits = [delay for delay in paused if delay > 1 / connections.MAX_A_SECOND]
    assert waits
    assert max(waits) <= connections._AT_ONCE_S


def test_who_proved_themselves_is_not_pushed_out(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MAX_BY_ADDRESS", 2)
    request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    site = serve()
    with site.open() as first, site.open() as second:
        for connection in (first, second):
            connection.sendall(request)
            assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200")
        with site.open() as third:
            assert ends(third)
        first.sendall(request)
        assert first.recv(1 << 16).startswith(b"HTTP/1.1 200")


def test_files_run_out_and_the_log_says_so_once(
    serve: Serve, said: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_AGAIN_S", 0.01)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    site = serve()
    with ExitStack() as stack:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            next_file = probe.fileno()
        waiting = [socket.socket() for _ in range(3)]
        for one in waiting:
            stack.enter_context(one)
        resource.setrlimit(resource.RLIMIT_NOFILE, (next_file + 3, limits[1]))
        try:
            for one in waiting:
                one.connect(("127.0.0.1", site.port))
            wait_until(lambda: said.has("cannot be accepted"))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        assert site.ask("GET", "/healthz").status == 200
    assert sum("cannot be accepted (Too many open files)" in line for line in said) == 1


def carrying(token: str) -> list[tuple[str, dict[str, str]]]:
    """Return the ways in which a request can carry a token: path and headers."""
    return [
        ("/", {"Authorization": f"Bearer {token}"}),
        (f"/?token={token}", {}),
        ("/", {"Cookie": f"streamanon-token={token}"}),
    ]


def test_wrong_tokens_are_slowed_down_by_address(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guesses, "GUESS_S", 3600.0)
    known = {"Authorization": "Bearer secret"}
    site = serve("secret")
    for number in range(guesses.MAX_GUESSES):
        path, headers = carrying(f"guess-{number}")[number % 3]
        assert site.ask("GET", path, headers=headers).status == 401
    for path, headers in carrying("secret"):
        answer = site.ask("GET", path, headers=headers)
        assert answer.status == 429
        assert int(answer.headers["Retry-After"]) > 0
    assert site.ask("GET", "/").status == 401
    assert site.ask("GET", "/", headers=known, source="127.0.0.2").status == 200


def test_a_page_left_open_with_an_old_token_is_one_guess(serve: Serve) -> None:
    old = {"Cookie": "streamanon-token=of-yesterday"}
    site = serve("secret")
    for _ in range(3 * guesses.MAX_GUESSES):
        assert site.ask("GET", "/api/streams", headers=old).status == 401
    assert site.ask("GET", "/?token=secret", headers=old).status == 303


def test_behind_a_proxy_visitors_are_distinguished_by_what_it_says(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last address counts: what stands before it, the visitor may have written."""
    monkeypatch.setattr(guesses, "GUESS_S", 3600.0)
    site = serve("secret", behind_proxy=True)
    for number in range(guesses.MAX_GUESSES + 1):
        guess = {"X-Forwarded-For": f"10.0.0.{number}, 192.0.2.1", "Authorization": "Bearer x"}
        guess["Authorization"] += str(number)
        answer = site.ask("GET", "/", headers=guess)
    assert answer.status == 429
    known = {"X-Forwarded-For": "192.0.2.1, 192.0.2.2", "Authorization": "Bearer secret"}
    assert site.ask("GET", "/", headers=known).status == 200


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_a_network_of_addresses_counts_as_one(address: str, network: str) -> None:
    assert connections.network_of(address) == network
