"""Who is let in, and what happens when the server cannot listen."""

import asyncio
import re
import socket
from urllib.parse import quote

import pytest

from streamanon.errors import UsageError
from streamanon.factory import Factory
from streamanon.live.stream import Stream
from streamanon.web.preview import Preview
from streamanon.web.server import Server
from testkit.requests import Serve, Site


@pytest.fixture
def open_site(said: list[str], serve: Serve) -> Site:
    """A server on all interfaces that made a token of its own."""
    return serve(host="0.0.0.0")


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


def test_a_given_token_is_asked_for_but_not_said(said: list[str], serve: Serve) -> None:
    site = serve("my secret")
    assert site.ask("GET", "/").status == 401
    bearer = {"Authorization": "Bearer my secret", "Host": "proxy.example"}
    assert site.ask("GET", "/", headers=bearer).status == 200
    assert said == [f"page: {site.server.url}"]


@pytest.mark.parametrize("token", ["", "  ", "\t", "gehéim", "two\nlines", " padded", "a\udcff"])
def test_a_token_that_protects_nothing_is_refused(
    stream: Stream, factory: Factory, token: str
) -> None:
    with pytest.raises(UsageError, match=r"the token (is empty|holds characters)"):
        Server([stream], factory, ("0.0.0.0", 0), token)


@pytest.mark.parametrize("token", ["a b", 'q"u;o,t=e\\', "%41+%2B&x", "~" * 300])
def test_a_token_of_any_signs_opens_the_page_in_every_way(serve: Serve, token: str) -> None:
    site = serve(token)
    bearer = {"Authorization": f"Bearer {token}"}
    assert site.ask("GET", "/", headers=bearer).status == 200
    answer = site.ask("GET", f"/?token={quote(token, safe='')}")
    assert answer.status == 303
    cookie = answer.headers["Set-Cookie"].partition("; HttpOnly")[0]
    assert site.ask("GET", "/", headers={"Cookie": cookie}).status == 200


def test_behind_a_proxy_a_token_is_made_up_and_changes_come_from_its_host(
    said: list[str], serve: Serve
) -> None:
    site, token = serve(behind_proxy=True), token_of(said)
    assert site.ask("GET", "/").status == 401
    secure = {"X-Forwarded-Proto": "https"}
    assert "Secure" in site.ask("GET", f"/?token={token}", headers=secure).headers["Set-Cookie"]
    headers = {"Authorization": f"Bearer {token}", "Origin": "https://cams.example"}
    path, wanted = "/api/streams/hall%201", {"method": "warp"}
    assert site.ask("PATCH", path, wanted, headers=headers).status == 403
    headers["X-Forwarded-Host"] = "cams.example"
    assert site.ask("PATCH", path, wanted, headers=headers).status == 200


@pytest.mark.parametrize(
    "header", ["X-Forwarded-For", "Forwarded", "Via", "X-Real-IP", "X-Forwarded-Proto"]
)
def test_without_a_token_a_proxy_is_noticed(site: Site, header: str) -> None:
    answer = site.ask("GET", "/api/streams", headers={header: "192.0.2.1"})
    assert answer.status == 403
    assert "--behind-proxy" in answer.json["error"]


@pytest.mark.parametrize(
    "path", ["//evil.example/", "/%5Cevil.example/", "/\\evil.example", "///x"]
)
def test_the_token_is_taken_out_of_an_address_without_leaving_this_server(
    open_site: Site, said: list[str], path: str
) -> None:
    answer = open_site.ask("GET", f"{path}?token={token_of(said)}")
    assert answer.status == 303
    assert re.fullmatch(r"/[\w%][^\\]*", answer.headers["Location"])


def test_the_loopback_answers_only_to_its_names(site: Site) -> None:
    assert site.ask("GET", "/", headers={"Host": f"localhost:{site.port}"}).status == 200
    assert site.ask("GET", "/", headers={"Host": "[::1]"}).status == 200
    rebound = site.ask("GET", "/api/streams", headers={"Host": f"evil.example:{site.port}"})
    assert rebound.status == 403
    assert "evil.example" in rebound.json["error"]


def test_other_sites_cannot_change_anything(site: Site, stream: Stream) -> None:
    path, wanted = "/api/streams/hall%201", {"method": "blur"}
    for origin in ("https://evil.example", "null", f"http://localhost.evil.example:{site.port}"):
        answer = site.ask("PATCH", path, wanted, headers={"Origin": origin})
        assert answer.status == 403, origin
    form = {"Content-Type": "text/plain"}
    assert site.ask("PATCH", path, '{"method": "blur"}', headers=form).status == 415
    assert stream.status().method == "warp"
    own = {"Origin": f"http://127.0.0.1:{site.port}"}
    assert site.ask("PATCH", path, wanted, headers=own).status == 200


def test_answers_forbid_framing_and_foreign_scripts(site: Site) -> None:
    for path in ("/", "/nowhere", "/api/streams"):
        headers = site.ask("GET", path).headers
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"], path
        assert headers["X-Content-Type-Options"] == "nosniff", path
        assert headers["Cache-Control"] == "no-store", path


def test_a_taken_port_is_said_in_one_line(stream: Stream, factory: Factory) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        server = Server([stream], factory, ("127.0.0.1", port), None)
        with pytest.raises(UsageError, match=rf"127.0.0.1:{port} \(in use\): .*another port"):
            server.start()
        server.close()


@pytest.mark.parametrize("host", ["no-such-host.invalid", "192.0.2.1", "a..b"])
def test_a_foreign_address_is_said_in_one_line(stream: Stream, factory: Factory, host: str) -> None:
    server = Server([stream], factory, (host, 0), None)
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
