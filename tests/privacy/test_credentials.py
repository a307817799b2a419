"""No credential of any address comes out, whatever fails and whoever prints it."""

import json
import os
import signal
import socket
import subprocess
import threading
import traceback
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from streamanon.child_process import module_command
from streamanon.cli.main import execute, print_traceback
from streamanon.errors import StreamanonError
from streamanon.media.credentials import keep_secret, mask_error, masked
from streamanon.sources.live.source import LiveSource
from testkit.addresses import live_input
from testkit.logs import log_into
from testkit.python import python
from testkit.servers.ports import free_port
from testkit.waiting import wait_until

SECRET = "Zq7-s3cr3t"
KEY = "Kx9f3aa81b22"
PLACE = "127.0.0.1:PORT"
ADDRESSES = [
    f"rtsp://me:{SECRET}@{PLACE}/1",
    f"rtsp://{SECRET}:pw@{PLACE}/1",
    f"rtsp://me:a%40{SECRET}%23b@{PLACE}/1",
    f"rtsp://me:'{SECRET}\"$(x)@{PLACE}/1",
    f"rtsp://me:ü{SECRET}@7@{PLACE}/1",
    f"rtsp://{PLACE}/{SECRET}?enableSrtp",
    f"rtsp://{PLACE}/user=me_password={SECRET}_channel=1",
    f"rtmp://{PLACE}/live/{SECRET}",
    f"rtmp://{PLACE}//live/x/{SECRET}?auth={SECRET}",
    f"http://me:{SECRET}@{PLACE}/x",
    f"http://{PLACE}/live/{SECRET}/index.m3u8",
    f"http://{PLACE}/x;jsessionid={SECRET}?a=1",
    f"http://{PLACE}/x?token={SECRET}&channel=1",
    f"http://{PLACE}/x?{SECRET}",
    f"http://{PLACE}/x?{SECRET}=1",
    f"http://{PLACE}/x?{SECRET}==",
    f"http://{PLACE}/x#{SECRET}",
    f"https://me:{SECRET}@{PLACE}/{SECRET}?key={SECRET}#{SECRET}",
    f"srt://{PLACE}?passphrase={SECRET}&timeout=100000",
    f"srt://{PLACE}?streamid=#!::u={SECRET},r=live&timeout=100000",
]
ANSWERS = {
    "nothing": b"",
    "garbage": b"\x00garbage\xff" * 40 + b"\r\n\r\n",
    "unauthorised": b"%s 401 Unauthorized\r\nCSeq: 1\r\nContent-Length: 0\r\n\r\n",
    "missing": b"%s 404 Not Found\r\nCSeq: 1\r\nContent-Length: 0\r\n\r\n",
    "failing": b"%s 500 No\r\nCSeq: 1\r\nContent-Length: 0\r\n\r\n",
    "a page": b"%s 200 OK\r\nCSeq: 1\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi",
    "elsewhere": b"%s 302 Found\r\nCSeq: 1\r\nLocation: ftp://me:"
    + SECRET.encode()
    + b"@x/1\r\n\r\n",
}


@contextmanager
def _server(answer: bytes) -> Iterator[int]:
    """A server that gives the same answer to all and hangs up; yields its port."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                with closing(listening.accept()[0]) as one:
                    one.settimeout(2)
                    asked = one.recv(4096)
                    version = b"RTSP/1.0" if b"RTSP" in asked else b"HTTP/1.1"
                    one.sendall(answer.replace(b"%s", version))

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


def _failure(url: str) -> str:
    """Fail to open an input; return all that its error says, with everything that led to it."""
    said: list[str] = []
    with pytest.raises(StreamanonError) as failed:
        LiveSource(live_input(url), log=log_into(said))
    assert str(failed.value).isprintable()
    return "".join(traceback.format_exception(failed.value)) + "\n".join(said)


@pytest.mark.parametrize("url", ADDRESSES)
def test_a_server_that_fails_learns_them_and_nobody_else(url: str) -> None:
    assert SECRET not in _failure(url.replace("PORT", str(free_port())))
    assert SECRET not in _failure(url.replace(PLACE, "camera.invalid:80"))


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("scheme", ["rtsp", "http"])
def test_an_answer_that_is_an_error_shows_none(scheme: str, answer: str) -> None:
    with _server(ANSWERS[answer]) as port:
        place = f"localhost:{port}"  # a name: redirects are followed and judged
        url = f"{scheme}://me:{SECRET}@{place}/{SECRET}/x?token={SECRET}#{SECRET}"
        assert SECRET not in _failure(url)


@pytest.mark.parametrize("verbose", [["-v"], []])
@pytest.mark.parametrize(
    "arguments",
    [
        ["run", f"rtsp://me:{SECRET}#x@camera/1", "-o", "window:"],
        ["run", f"rtsp://me:x#{SECRET}@camera/1", "-o", "window:"],
        ["run", f"rtsp://me:{SECRET} x@camera/1", "-o", "window:"],
        ["run", f"http://{SECRET}:x/1", "-o", "window:"],
        ["run", f"gopher://me:{SECRET}@camera/1", "-o", "window:"],
        ["run", f"rtsp//me:{SECRET}@camera/1", "-o", "window:"],
        ["run", f"me:{SECRET}@camera/1", "-o", "out.mp4"],
        ["run", f"srt://camera?passphrase={SECRET}", "-o", "window:"],
        ["run", f"rtsp://me:{SECRET}@camera/1", "-o", f"rtsp://me:{SECRET}@camera/1"],
        ["run", f"rtsp://me:{SECRET}@camera/1", f"rtsp://me:{SECRET}@camera/2", "-o", "window:"],
        ["run", f"rtsp://me:{SECRET}@camera/1", "-o", f"ftp://me:{SECRET}@host/x"],
        ["run", f"rtsp://me:{SECRET}@camera/1", "-o", "out.mp4"],
        ["run", "in.mp4", "-o", f"rtmp://host/app/{SECRET}"],
        ["run", f"rtsp://me:{SECRET}@camera/1", "--serve", f"rtsp://me:{SECRET}@camera/1"],
        ["live", "streams.toml", f"rtsp://me:{SECRET}@camera/1"],
        ["audit", f"rtsp://me:{SECRET}@camera/1", "x.mp4"],
        ["doctor", f"rtsp://me:{SECRET}@camera/1"],
    ],
)
def test_what_is_refused_shows_none(
    arguments: list[str],
    verbose: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert execute([*verbose, *arguments]) in (1, 2)
    assert SECRET not in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    "text",
    [
        f'[[stream]]\nname = "a"\ninput = "rtsp://me:{SECRET}@camera/1\n',
        f'[[stream]]\nname = "a"\ninput = rtsp://me:{SECRET}@camera/1\n',
        f'[[stream]]\nname = "a b"\ninput = "rtsp://me:{SECRET}@camera/1"\n',
        f'[[stream]]\nname = "a"\ninput = "rtsp//me:{SECRET}@camera/1"\noutputs = ["window:"]\n',
        f'[[stream]]\nname = "a"\ninput = "webcam:0"\noutputs = "rtmp://h/a/{SECRET}"\n',
        f'[[stream]]\nname = "a"\ninput = "webcam:0"\noutputs = ["http://h/{SECRET}"]\n',
        f'token = "{SECRET}"\nserve = "nowhere"\n[[stream]]\nname = "a"\ninput = "webcam:0"\n',
    ],
)
def test_a_broken_file_of_streams_shows_none(
    text: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "streams.toml").write_text(text)
    assert execute(["live", "-v", str(tmp_path / "streams.toml")]) == 2
    assert SECRET not in "".join(capfd.readouterr())


def _ask(url: str, token: str) -> str:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return str(answer.read().decode())


def test_a_run_prints_logs_serves_and_writes_none(tmp_path: Path) -> None:
    pytest.importorskip("aiohttp", reason="the extra web is not installed")
    page, closed = free_port(), free_port()
    arguments = ["run", "-v", "lavfi:testsrc2=size=64x64:rate=10", "--method", "mosaic"]
    for output in (
        f"rtsp://me:{SECRET}@127.0.0.1:{closed}/1",
        f"rtsp://127.0.0.1:{closed}/{SECRET}?token={SECRET}",
        f"rtmp://127.0.0.1:{closed}/live/{SECRET}",
        f"udp://127.0.0.1:{closed}?localaddr=192.0.2.1&key={SECRET}",
    ):
        arguments += ["-o", output]
    arguments += ["--serve", f"127.0.0.1:{page}", "--report", str(tmp_path / "report.json")]
    with (tmp_path / "log").open("wb") as log:
        running = subprocess.Popen(
            module_command("streamanon", *arguments),
            stdout=log,
            stderr=log,
            env=os.environ | {"STREAMANON_TOKEN": SECRET},
        )
        try:
            wait_until(lambda: b"page: " in (tmp_path / "log").read_bytes(), 60)
            wait_until(lambda: _failed_outputs(page) >= 3, 60)
            served = [
                _ask(f"http://127.0.0.1:{page}{path}", SECRET)
                for path in ("/", "/api/streams", "/api/streams/live", "/metrics")
            ]
            running.send_signal(signal.SIGTERM)
            assert running.wait(60) == 0
        finally:
            running.kill()
            running.wait()
    files = [path.read_text() for path in tmp_path.iterdir()]
    assert "rtmp://127.0.0.1" in "".join(files)
    assert SECRET not in "".join([*files, *served])


def _failed_outputs(page: int) -> int:
    streams = json.loads(_ask(f"http://127.0.0.1:{page}/api/streams", SECRET))["streams"]
    return sum(bool(output["reason"]) for output in streams[0]["outputs"])


def test_the_errors_of_libraries_show_none(capfd: pytest.CaptureFixture[str]) -> None:
    """Known values are hidden where they stand alone, in a message that nobody foresaw."""
    live_input(f"http://me:{SECRET}@camera/live/{KEY}/x")
    try:
        try:
            raise ValueError(f"bad path '/live/{KEY}/x' of {SECRET!r}")
        except ValueError as error:
            raise OSError(5, "no", f"http://me:{SECRET}@camera/") from error
    except OSError as error:
        print_traceback(error)
        mask_error(error)
        said = "".join(traceback.format_exception(error)) + "".join(capfd.readouterr())
    assert SECRET not in said
    assert KEY not in said
    keep_secret("hunter2-of-the-page")
    assert masked("token hunter2-of-the-page.") == "token ***."


def test_an_error_that_ends_a_thread_shows_none() -> None:
    program = (
        "import sys, threading, streamanon.cli.main as main\n"
        f"def fail(): raise ValueError('rtsp://me:{SECRET}@camera/1')\n"
        "def run(_):\n"
        "    thread = threading.Thread(target=fail); thread.start(); thread.join()\n"
        "    fail()\n"
        "main.execute = run\n"
        "main.main()\n"
    )
    done = python("-P", "-c", program)
    assert done.stderr.count("rtsp://***@camera/1") == 2
    assert SECRET not in done.stderr + done.stdout
