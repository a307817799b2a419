"""What HTTP inputs lead to: nothing on the internet leads into the local network."""

import base64
import hashlib
import logging
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import unquote
from urllib.request import parse_http_list, parse_keqv_list

import pytest

from streamanon.errors import MediaError, StreamanonError
from streamanon.sources.live import reach
from streamanon.sources.live.connection import Connection, ConnectionLost, Item, StreamProperties
from streamanon.sources.live.input_options import input_options
from streamanon.sources.live.source import LiveSource
from testkit.addresses import live_input
from testkit.clips import Clip, remux, write_clip
from testkit.servers.mjpeg import mjpeg_camera

LOG = logging.getLogger("test")
_INTERNET, _PRIVATE = "127.0.0.1", "127.0.0.2"
"""Two addresses of this machine; tests have the first pass for one on the internet."""
_FRAMES = 50


class Server:
    """Serves a folder, or redirects; knows what it was asked for."""

    def __init__(self, host: str, folder: Path, tls: ssl.SSLContext | None = None) -> None:
        self.asked: list[str] = []
        self.redirects: dict[str, str] = {}
        self.user = ""
        self.scheme = "Basic"
        self.sends_parts = True
        handler = partial(_Handler, self, folder)
        self._server = ThreadingHTTPServer((host, 0), handler)
        self._server.daemon_threads = True
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self.url = f"http{'s' if tls else ''}://{host}:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, owner: Server, folder: Path, *how: Any) -> None:
        self._owner, self._folder = owner, folder
        super().__init__(*how)

    def do_GET(self) -> None:
        self._owner.asked.append(self.path)
        target = self._owner.redirects.get(self.path)
        if self._owner.user and not self._allowed(self.headers.get("Authorization", "")):
            self.send_response(401)
            self.send_header(
                "WWW-Authenticate", f'{self._owner.scheme} realm="camera", nonce="1", qop="auth"'
            )
            self.end_headers()
        elif target:
            self.send_response(302)
            self.send_header("Location", target)
            self.end_headers()
        else:
            self._send(self._folder / unquote(self.path[1:]))

    def _allowed(self, said: str) -> bool:
        if said.startswith("Basic "):
            return base64.b64decode(said[6:]).decode() == self._owner.user
        user, _, word = self._owner.user.partition(":")
        parts = parse_keqv_list(parse_http_list(said.removeprefix("Digest ")))
        one = _md5(f"{user}:camera:{word}"), _md5(f"GET:{self.path}")
        middle = ":".join(parts.get(name, "") for name in ("nc", "cnonce", "qop"))
        return parts.get("response") == _md5(f"{one[0]}:1:{middle}:{one[1]}")

    def _send(self, path: Path) -> None:
        if not path.is_file():
            return self.send_error(404)
        content = path.read_bytes()
        wish = self.headers.get("Range") if self._owner.sends_parts else None
        start, _, end = (wish or "bytes=-")[6:].partition("-")
        part = content[int(start or 0) : int(end or len(content)) + 1]
        self.send_response(206 if wish else 200)
        is_list = path.suffix in (".m3u8", "")
        self.send_header("Content-Type", "audio/mpegurl" if is_list else "video/mp2t")
        if self._owner.sends_parts:
            self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        self.wfile.write(part)
        return None

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("http") / "clip.mp4"
    pts = tuple(range(0, _FRAMES * 512, 512))
    return write_clip(path, Clip(pts=pts, options={"tune": "zerolatency", "g": "10"}))


@pytest.fixture
def site(clip: Path, tmp_path: Path) -> Path:
    """Return a folder with the clip as a file and as playlists: plain, encrypted, of one file."""
    (tmp_path / "film.mp4").write_bytes(clip.read_bytes())
    (tmp_path / "key").write_bytes(b"0123456789abcdef")
    (tmp_path / "key.txt").write_text(f"key\n{tmp_path / 'key'}\n")
    secret = {"hls_key_info_file": str(tmp_path / "key.txt")}
    kinds = {"plain": {}, "secret": secret, "single": {"hls_flags": "single_file"}}
    for name, options in kinds.items():
        how = {"hls_time": "0.4", "hls_list_size": "0", "hls_playlist_type": "vod", **options}
        remux(clip, tmp_path / f"{name}.m3u8", options=how)
    return tmp_path


@contextmanager
def _served(folder: Path, host: str = _INTERNET) -> Iterator[Server]:
    server = Server(host, folder)
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def _internet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "is_public", lambda address: str(address) == _INTERNET)


def _playlist(folder: Path, name: str, *segments: str) -> None:
    entries = "".join(f"#EXTINF:1,\n{segment}\n" for segment in segments)
    (folder / name).write_text(
        f"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n{entries}#EXT-X-ENDLIST\n"
    )


def _items(url: str) -> list[Item]:
    """Read an input to its end."""
    connection = Connection(input_options(live_input(url), "tcp"), None)
    items: list[Item] = []
    while not items or not isinstance(items[-1], ConnectionLost):
        item = connection.next(10)
        assert item is not None
        items.append(item)
    connection.join(5)
    return items


def _error(items: list[Item]) -> str:
    last = items[-1]
    assert isinstance(last, ConnectionLost)
    return str(last.error)


@pytest.mark.parametrize("local", ["127.0.0.1", "127.0.0.2", "10.1.2.3", "172.16.0.1", "0.0.0.0"])
def test_local_addresses_are_distinguished_from_public_ones(local: str) -> None:
    assert not reach.is_public(ip_address(local))
    for form in (f"::ffff:{local}", f"64:ff9b::{local}"):
        assert not reach.is_public(ip_address(form))


@pytest.mark.parametrize(
    ("address", "public"),
    [
        *((one, False) for one in ("192.168.1.1", "169.254.169.254", "100.64.0.1", "224.0.0.1")),
        *((one, False) for one in ("::1", "::", "fe80::1", "fd00::1", "ff02::1", "2002:7f00:1::")),
        *((one, True) for one in ("8.8.8.8", "2606:4700::1111", "64:ff9b::8.8.8.8")),
    ],
)
def test_what_is_on_the_internet(address: str, public: bool) -> None:  # noqa: FBT001
    assert reach.is_public(ip_address(address)) == public


@pytest.mark.usefixtures("_internet")
@pytest.mark.parametrize(
    "name", ["film.mp4", "plain.m3u8", "secret.m3u8", "single.m3u8", "plain0.ts"]
)
def test_every_kind_is_read_whole_through_it(site: Path, name: str) -> None:
    with _served(site) as server:
        items = _items(f"{server.url}/{name}")
    wanted = 10 if name == "plain0.ts" else _FRAMES
    assert isinstance(items[0], StreamProperties), _error(items)
    assert len(items) == wanted + 2
    assert _error(items) == "None"


def _move_index_away(film: Path) -> None:
    """Put 4 MB between the pictures of an mp4 and its index."""
    content = film.read_bytes()
    index, gap = content.rfind(b"moov") - 4, 4_000_000
    filler = gap.to_bytes(4, "big") + b"free" + bytes(gap - 8)
    film.write_bytes(content[:index] + filler + content[index:])


@pytest.mark.usefixtures("_internet")
def test_a_film_whose_index_is_at_its_end_is_read_by_parts(site: Path) -> None:
    _move_index_away(site / "film.mp4")
    with _served(site) as server:
        assert len(_items(f"{server.url}/film.mp4")) == _FRAMES + 2
        assert len(server.asked) > 1


@pytest.mark.parametrize("host", ["on the internet", "local"])
def test_a_film_whose_index_is_at_its_end_is_refused_without_parts(
    site: Path, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reach, "is_public", lambda _: host == "on the internet")
    film = site / "film.mp4"
    _move_index_away(film)
    content = film.read_bytes()
    (site / "cut.mp4").write_bytes(content[: content.rfind(b"free") - 4])
    (site / "page.mp4").write_text("<html>" * 100)
    remux(film, site / "first.mp4", options={"movflags": "+faststart"})
    with _served(site) as server:
        server.sends_parts = False
        assert len(_items(f"{server.url}/first.mp4")) == _FRAMES + 2
        with pytest.raises(MediaError, match=r"index \(moov\) at its end.*\+faststart"):
            LiveSource(live_input(f"{server.url}/film.mp4"), log=LOG)
        for other in ("cut.mp4", "page.mp4"):
            assert "index" not in _error(_items(f"{server.url}/{other}"))


@pytest.mark.usefixtures("_internet")
@pytest.mark.parametrize("kind", ["segment", "redirected segment", "playlist", "redirect", "key"])
def test_the_internet_does_not_lead_into_the_local_network(site: Path, kind: str) -> None:
    with _served(site) as public, _served(site, _PRIVATE) as private:
        inside = f"{private.url}/plain0.ts"
        public.redirects = {"/jump.ts": inside, "/jump": f"{private.url}/plain.m3u8"}
        _playlist(site, "segment.m3u8", "plain0.ts", inside, inside)
        _playlist(site, "redirected segment.m3u8", "plain0.ts", "jump.ts", "jump.ts")
        (site / "playlist.m3u8").write_text(
            f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{private.url}/plain.m3u8\n"
        )
        secret = (site / "secret.m3u8").read_text()
        (site / "key.m3u8").write_text(secret.replace('URI="key"', f'URI="{private.url}/key"'))
        name = "jump" if kind == "redirect" else f"{kind.replace(' ', '%20')}.m3u8"
        items = _items(f"{public.url}/{name}")
        assert private.asked == []
    assert f"leads to {_PRIVATE}, an address of the local network" in _error(items)


@pytest.mark.usefixtures("_internet")
def test_a_host_of_the_local_network_may_lead_anywhere_in_it(site: Path) -> None:
    with _served(site) as public, _served(site, _PRIVATE) as private:
        _playlist(site, "list.m3u8", "plain0.ts", f"{public.url}/plain1.ts")
        items = _items(f"{private.url}/list.m3u8")
    assert public.asked == ["/plain1.ts"]
    assert len(items) == 20 + 2


@pytest.mark.usefixtures("_internet")
def test_a_name_that_moves_into_the_local_network_is_not_followed(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name server answers otherwise the second time."""
    with _served(site) as public, _served(site, _PRIVATE) as private:
        port = int(public.url.rpartition(":")[2])
        resolved = iter([_INTERNET, _PRIVATE, _PRIVATE])
        look_up = socket.getaddrinfo

        def moving(host: str, *rest: Any, **how: Any) -> Any:
            found = next(resolved) if host == "moving.example" else host
            return look_up(found, *rest, **how)

        monkeypatch.setattr(socket, "getaddrinfo", moving)
        items = _items(f"http://moving.example:{port}/plain.m3u8")
        assert private.asked == []
    assert "leads to moving.example, an address of the local network" in _error(items)


@pytest.mark.usefixtures("_internet")
@pytest.mark.parametrize(
    "target", ["file://{}/plain0.ts", "ftp://127.0.0.1/x.ts", "concat:{}/plain0.ts", "{}/plain0.ts"]
)
@pytest.mark.parametrize("redirected", [False, True])
def test_http_leads_to_nothing_but_http(site: Path, target: str, redirected: bool) -> None:  # noqa: FBT001
    target = target.format(site)
    with _served(site) as server:
        server.redirects = {"/jump.ts": target}
        _playlist(site, "list.m3u8", "jump.ts" if redirected else target)
        items = _items(f"{server.url}/list.m3u8")
    assert not any(isinstance(item, StreamProperties) for item in items)


@pytest.mark.parametrize("host", [_INTERNET, "localhost"])
def test_a_list_of_files_is_no_input(site: Path, host: str) -> None:
    with _served(site) as server:
        (site / "list.mp4").write_text(f"ffconcat version 1.0\nfile {server.url}/plain0.ts\n")
        with pytest.raises(MediaError, match="is no video that can be read"):
            LiveSource(live_input(f"{server.url}/list.mp4".replace(_INTERNET, host)), log=LOG)
    assert "/plain0.ts" not in server.asked


@pytest.mark.usefixtures("_internet")
@pytest.mark.parametrize(("kind", "name"), [("plain", "live"), ("secret", "main.m3u8")])
def test_a_redirected_playlist_finds_its_segments(site: Path, kind: str, name: str) -> None:
    (site / "deep").mkdir()
    for path in [*site.glob(f"{kind}*"), site / "key"]:
        path.rename(site / "deep" / path.name)
    (site / "main.m3u8").write_text("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nlive\n")
    with _served(site) as server:
        server.redirects = {"/live": f"/deep/{kind}.m3u8"}
        assert len(_items(f"{server.url}/{name}")) == _FRAMES + 2


@pytest.mark.usefixtures("_internet")
@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
def test_https_is_read_whatever_its_certificate_says(site: Path) -> None:
    pem = site / "server.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=camera"]
    command += ["-keyout", str(pem), "-out", str(site / "cert.pem")]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(site / "cert.pem", pem)
    server = Server(_INTERNET, site, context)
    items = _items(f"{server.url}/plain.m3u8")
    server.close()
    assert len(items) == _FRAMES + 2


@pytest.mark.usefixtures("_internet")
@pytest.mark.parametrize("start", [b"", b"HTTP/1.0 200 OK\r\n", b"HTTP/1.0 200 OK\r\n\r\n"])
def test_a_connection_that_is_abandoned_waits_for_no_server(start: bytes) -> None:
    with socket.create_server((_INTERNET, 0)) as server:
        url = f"http://{_INTERNET}:{server.getsockname()[1]}/x"
        connection = Connection(input_options(live_input(url), "tcp"), None)
        peer, _ = server.accept()
        with peer:
            peer.recv(4096)
            peer.sendall(start)
            assert connection.next(0.2) is None
            connection.abandon()
            connection.join(20)
    assert not connection._thread.is_alive()


@pytest.mark.usefixtures("_internet")
@pytest.mark.parametrize("scheme", ["Basic", "Digest"])
def test_user_and_password_are_sent_where_they_belong(site: Path, scheme: str) -> None:
    with _served(site) as server:
        server.user, server.scheme = "me:p@ss", scheme
        url = server.url.replace("//", "//{}@")
        items = _items(f"{url.format('me:p%40ss')}/plain.m3u8")
        assert len(items) == _FRAMES + 2
        with pytest.raises(StreamanonError, match="user or password is missing or wrong"):
            LiveSource(live_input(f"{url.format('me:wrong')}/plain.m3u8"), log=LOG)


@pytest.mark.parametrize("host", ["on the internet", "local"])
def test_a_file_is_held_to_real_time_though_it_states_no_duration(
    clip: Path, tmp_path: Path, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FFmpeg reads files of the local network itself."""
    monkeypatch.setattr(reach, "is_public", lambda _: host == "on the internet")
    remux(clip, tmp_path / "film.h264")
    with _served(tmp_path) as server:
        found = _items(f"{server.url}/film.h264")
    (about,) = (item for item in found if isinstance(item, StreamProperties))
    assert about.paced
    with mjpeg_camera() as url:
        source = LiveSource(live_input(f"{url}/camera"), log=LOG)
        assert not source._timeline.paced
        source.close()
