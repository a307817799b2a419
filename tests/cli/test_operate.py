"""Live streams from the command line: what an operator sees, and how they end."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from streamanon.cli.main import execute
from streamanon.cli.operate import parse_host_port
from streamanon.errors import UsageError
from streamanon.tracking.observer import Observer
from streamanon.types import Frame, Scene
from testkit.servers.ports import free_port
from testkit.servers.rtsp_relay import RtspRelay
from testkit.waiting import wait_until

TEST_PICTURE = "lavfi:testsrc2=size=320x240:rate=30"


@contextmanager
def _command(log: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run streamanon with its standard error going to a file; kill it at the end."""
    code = "import sys; from streamanon.cli.main import main; main()"
    with log.open("wb") as target:
        process = subprocess.Popen([sys.executable, "-c", code, *arguments], stderr=target)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_stream_ends_well_on_a_signal(painted_clip: Path, tmp_path: Path) -> None:
    log, report, tape = tmp_path / "log", tmp_path / "report.json", tmp_path / "tape"
    with (
        RtspRelay("ann", "secret") as relay,
        relay.serve_file(painted_clip, "in", loop="steady") as url,
    ):
        arguments = [url, "-o", f"record:{tape}", "--method", "mosaic", "--report", str(report)]
        with _command(log, "run", *arguments) as process:
            wait_until(lambda: "connected, 640x456" in log.read_text())
            wait_until(lambda: any(path.stat().st_size > 200_000 for path in tape.rglob("*.*")))
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
    lines = log.read_text().splitlines()
    assert any("stopping (SIGTERM)" in line for line in lines)
    assert any("rtsp://***@127.0.0.1:" in line for line in lines)
    assert lines[-1].split(" ", 2)[2].startswith("live: ")
    assert "1 face followed, hidden " in lines[-1]
    document = report.read_text()
    assert "secret" not in log.read_text() + document
    (entry,) = json.loads(document)["files"]
    assert entry["status"]["state"] == "stopped"
    assert entry["lines"][0]["uncovered"] == 0


def test_a_stream_that_ended_among_several_is_named_in_the_end(
    relay: RtspRelay, tmp_path: Path
) -> None:
    log, file, tape = tmp_path / "log", tmp_path / "streams.toml", tmp_path / "tape"
    file.write_text(
        f'[[stream]]\nname = "here"\ninput = "{TEST_PICTURE}"\nmethod = "mosaic"\n'
        f'outputs = ["record:{tape}"]\n'
        f'[[stream]]\nname = "away"\ninput = "{relay.url("nothing", "u:secret")}"\n'
        f'outputs = ["record:{tmp_path / "none"}"]\nwait = false\n'
    )
    with _command(log, "live", str(file)) as process:
        wait_until(lambda: "away: stopped: rtsp://***@" in log.read_text())
        before = sum(path.stat().st_size for path in tape.rglob("*.*"))
        wait_until(lambda: sum(path.stat().st_size for path in tape.rglob("*.*")) > before)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 1
    last = log.read_text().splitlines()[-1]
    assert last.startswith("streamanon: error: 1 of 2 streams failed: away: rtsp://***@")
    assert "secret" not in log.read_text()


def test_a_stream_that_could_not_hide_something_among_several_is_named_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    push, frames = Observer.push, {320: 0, 160: 0}

    def blind(self: Observer, frame: Frame) -> list[Scene]:
        """Let one frame of the smaller picture pass without detection."""
        width = frame.picture.width
        frames[width] += 1
        return [Scene(frame)] if (width, frames[width]) == (160, 5) else push(self, frame)

    monkeypatch.setattr(Observer, "push", blind)
    file, table = tmp_path / "streams.toml", '[[stream]]\nname = "{0}"\ninput = "{1}"\n'
    more = f'method = "mosaic"\noutputs = ["record:{tmp_path}/{{0}}"]\n'
    small = TEST_PICTURE.replace("320x240", "160x120")
    file.write_text(
        (table + more).format("whole", TEST_PICTURE) + (table + more).format("leaky", small)
    )

    def end_when_all_go_on() -> None:
        with suppress(AssertionError):
            wait_until(lambda: frames[160] > 20 and frames[320] > 20)
        if callable(signal.getsignal(signal.SIGTERM)):  # else it would end the tests
            signal.raise_signal(signal.SIGTERM)

    ender = Thread(target=end_when_all_go_on)
    ender.start()
    assert execute(["live", str(file)]) == 1
    ender.join()
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("streamanon: error: 1 of 2 streams failed: leaky: 1 faces or frames ")


def test_the_page_is_where_it_was_asked_for(tmp_path: Path) -> None:
    pytest.importorskip("aiortc", reason="the extra web is not installed")
    log = tmp_path / "log"
    arguments = [TEST_PICTURE, "--serve", "127.0.0.1:0", "--token", "s3cret", "--method", "mosaic"]
    with _command(log, "run", *arguments) as process:
        wait_until(lambda: "page: http://127.0.0.1:" in log.read_text())
        (url,) = re.findall(r"page: (http://127\.0\.0\.1:\d+/)", log.read_text())
        with pytest.raises(HTTPError) as refused:
            urlopen(f"{url}api/streams")
        assert refused.value.code in (401, 403)
        refused.value.close()

        def stream() -> dict[str, Any]:
            token = {"Authorization": "Bearer s3cret"}
            with urlopen(Request(f"{url}api/streams/live", headers=token)) as answer:
                found: dict[str, Any] = json.load(answer)
            return found

        wait_until(lambda: stream()["state"] == "live" and stream()["frames"] > 0)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert "s3cret" not in log.read_text()


@pytest.mark.parametrize("way", ["option", "environment", "file", "environment of a file"])
def test_an_empty_token_is_refused(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("aiortc", reason="the extra web is not installed")
    file, token = tmp_path / "streams.toml", 'token = ""\n' if way == "file" else ""
    file.write_text(
        f'serve = "127.0.0.1:0"\n{token}[[stream]]\nname = "a"\ninput = "{TEST_PICTURE}"\n'
    )
    if way.startswith("environment"):
        monkeypatch.setenv("STREAMANON_TOKEN", "")
    arguments = ["run", TEST_PICTURE, "--serve", "127.0.0.1:0"]
    if way == "option":
        arguments += ["--token", ""]
    if way.endswith("file"):
        arguments = ["live", str(file)]
    assert execute(arguments) == 2
    assert "the token is empty" in capsys.readouterr().err


def test_a_proxy_is_in_front_of_a_page_or_of_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["run", "a.mp4", "-o", "b.mp4", "--behind-proxy"]) == 2
    assert "--behind-proxy is for live streams only" in capsys.readouterr().err
    arguments = ["run", TEST_PICTURE, "-o", f"record:{tmp_path}", "--behind-proxy"]
    assert execute(arguments) == 2
    assert "a proxy in front is for the page" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("output", "more", "message"),
    [
        ("/dev/video99", [], "there is no /dev/video99"),
        ("record:/proc/tape", [], "record:/proc/tape cannot be created"),
        ("record:{folder}", ["--preset", "fastest"], "the encoder refuses 320x240 with preset"),
    ],
)
def test_an_output_that_is_refused_when_it_is_opened_is_one_line(
    output: str, more: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["-o", output.format(folder=tmp_path), "--method", "mosaic", *more]
    assert execute(["run", TEST_PICTURE, *arguments]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("streamanon: error: ")
    assert message in last


def test_the_report_never_replaces_anything_unasked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "report.json"
    report.write_text("old")
    arguments = ["run", TEST_PICTURE, "-o", f"record:{tmp_path}", "--report", str(report)]
    assert execute(arguments) == 2
    assert "report.json exists" in capsys.readouterr().err
    assert report.read_text() == "old"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("127.0.0.1:8080", ("127.0.0.1", 8080)),
        ("localhost:0", ("localhost", 0)),
        ("[::1]:80", ("::1", 80)),
    ],
)
def test_where_the_page_is(text: str, found: tuple[str, int]) -> None:
    assert parse_host_port(text) == found


@pytest.mark.parametrize("text", ["8080", ":8080", "host:", "host:x", "::1:80", "host:70000"])
def test_where_the_page_cannot_be(text: str) -> None:
    with pytest.raises(UsageError, match="wanted HOST:PORT"):
        parse_host_port(text)


def test_a_start_that_fails_leaves_no_report_in_the_way_of_the_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report, url = tmp_path / "report.json", f"rtsp://127.0.0.1:{free_port()}/x"
    arguments = ["run", url, "-o", f"record:{tmp_path}", "--method", "mosaic"]
    for _ in range(2):
        assert execute([*arguments, "--report", str(report)]) == 1
        assert "nothing listens there" in capsys.readouterr().err
    assert not report.exists()
