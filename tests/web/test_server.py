"""Who is let in, and what happens when the server cannot listen."""

import asyncio
import re
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from streamanon.errors import UsageError
from streamanon.factory import Factory
from streamanon.live.stream import Stream
from streamanon.web.preview import Preview
from streamanon.web.server import Server
from testkit.logs import logged
from testkit.requests import Site


@pytest.fixture
def said() -> Iterator[list[str]]:
    with logged("streamanon.web") as lines:
        yield lines


@pytest.fixture
def open_site(stream: Stream, factory: Factory, said: list[str]) -> Iterator[Site]:
    """A server on all interfaces that made a token of its own."""
    server = Server([stream], factory, "0.0.0.0", 0, None)
    server.start()
    with closing(server):
        yield Site(server)


def token_of(said: list[str]) -> str:
    found = re.search(r"\?token=(\S+)", said[0])
    assert found
    return found[1]


def test_off_the_loopback_nothing_is_shown_without_the_token(
    open_site: Site, said: list[str]
) -> None:
    token = token_of(said)
    assert len(token) >= 20
    for path in ("/", "/camera", "/page.js", "/metrics", "/api/streams", "/api/openapi.json"):
        assert open_site.ask("GET", path).status == 401, path
        assert open_site.ask("GET", f"{path}?token={token[:-1]}").status == 401, path
        bearer = {"Authorization": f"Bearer {token}"}
        assert open_site.ask("GET", path, headers=bearer).status == 200, path
    assert open_site.ask("PATCH", "/api/streams/hall%201", {"method": "blur"}).status == 401
    assert open_site.ask("POST", "/api/camera", {"sdp": "x"}).status == 401


def test_the_token_moves_from_the_address_into_a_cookie(open_site: Site, said: list[str]) -> None:
    token = token_of(said)
    answer = open_site.ask("GET", f"/?token={token}&x=1")
    assert answer.status == 303
    assert answer.headers["Location"] == "/?x=1"
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    inside = open_site.ask("GET", "/", headers={"Cookie": cookie.partition(";")[0]})
    assert inside.status == 200


def test_health_says_nothing_about_streams_without_the_token(open_site: Site) -> None:
    answer = open_site.ask("GET", "/healthz")
    assert answer.status == 200
    assert answer.json.keys() == {"status", "version"}


def test_a_given_token_is_asked_for_but_not_said(
    stream: Stream, factory: Factory, said: list[str]
) -> None:
    server = Server([stream], factory, "127.0.0.1", 0, "my secret")
    server.start()
    with closing(server):
        site = Site(server)
        assert site.ask("GET", "/").status == 401
        bearer = {"Authorization": "Bearer my secret", "Host": "proxy.example"}
        assert site.ask("GET", "/", headers=bearer).status == 200
    assert said == [f"page: {server.url}"]


def test_the_loopback_answers_only_to_its_names(site: Site) -> None:
    assert site.ask("GET", "/", headers={"Host": f"localhost:{site.port}"}).status == 200
    assert site.ask("GET", "/", headers={"Host": "[::1]"}).status == 200
    rebound = site.ask("GET", "/api/streams", headers={"Host": f"evil.example:{site.port}"})
    assert rebound.status == 403
    assert "evil.example" in rebound.json["error"]


def test_other_sites_cannot_change_anything(site: Site, stream: Stream) -> None:
    path, wish = "/api/streams/hall%201", {"method": "blur"}
    for origin in ("https://evil.example", "null", f"http://localhost.evil.example:{site.port}"):
        answer = site.ask("PATCH", path, wish, headers={"Origin": origin})
        assert answer.status == 403, origin
    form = {"Content-Type": "text/plain"}
    assert site.ask("PATCH", path, '{"method": "blur"}', headers=form).status == 415
    assert stream.status().method == "warp"
    own = {"Origin": f"http://127.0.0.1:{site.port}"}
    assert site.ask("PATCH", path, wish, headers=own).status == 200


def test_answers_forbid_framing_and_foreign_scripts(site: Site) -> None:
    for path in ("/", "/nowhere", "/api/streams"):
        headers = site.ask("GET", path).headers
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"], path
        assert headers["X-Content-Type-Options"] == "nosniff", path
        assert headers["Cache-Control"] == "no-store", path


def test_a_taken_port_is_said_in_one_line(stream: Stream, factory: Factory) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        server = Server([stream], factory, "127.0.0.1", port, None)
        with pytest.raises(UsageError, match=rf"127.0.0.1:{port} \(in use\): .*another port"):
            server.start()
        server.close()


@pytest.mark.parametrize("host", ["no-such-host.invalid", "192.0.2.1", "a..b"])
def test_a_foreign_address_is_said_in_one_line(stream: Stream, factory: Factory, host: str) -> None:
    server = Server([stream], factory, host, 0, None)
    with pytest.raises(UsageError, match=f"cannot serve on {host}"):
        server.start()


def test_who_comes_as_the_last_viewer_leaves_is_shown_pictures(stream: Stream) -> None:
    async def change_over() -> list[bytes]:
        preview = Preview(stream.latest)
        first, second = preview.watch(), preview.watch()
        await anext(first)
        leaving = asyncio.create_task(first.aclose())
        await asyncio.sleep(0)
        try:
            return [await asyncio.wait_for(anext(second), 60) for _ in range(3)]
        finally:
            await leaving
            await second.aclose()

    assert all(asyncio.run(change_over()))
