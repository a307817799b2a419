"""What an operator reads of live streams."""

import io
import logging
from dataclasses import replace

import pytest
from rich.console import Console

from streamanon.cli import live_display as module
from streamanon.cli.live_display import LiveDisplay, duration, status_line, summary
from streamanon.live.status import Status
from streamanon.live.stream import STREAM_LOG
from streamanon.sinks.live.output import OutputState
from streamanon.web.visitor_session import LOG as CAMERA_LOG

LIVE = Status(
    name="door",
    state="live",
    since_s=70,
    input="rtsp://***@camera/1",
    method="anonygan",
    fps_in=30.02,
    fps_out=29.97,
    latency_p50_ms=31.4,
    latency_p99_ms=58.6,
    frames=2100,
    faces=1,
    people=3,
    methods={"anonygan": 2000, "covered": 90},
    outputs=(OutputState("rtsp://media/door", connected=True),),
)


def test_a_stream_that_is_well() -> None:
    assert status_line(LIVE) == (
        "live, 30.0 fps in, 30.0 out, latency 31 ms (p99 59), 1 face, anonygan"
    )


def test_what_is_not_well_is_named() -> None:
    down = (OutputState("rtsp://media/door"),)
    status = replace(LIVE, level="warp", dropped={"see": 3, "replace": 1}, outputs=down)
    line = status_line(status)
    assert "anonygan at level warp, 4 dropped, rtsp://media/door is down" in line
    lost = status_line(replace(LIVE, state="lost", error="no picture for 5 s"))
    assert lost.startswith("lost for 1 min 10 s (no picture for 5 s), ")
    starting = Status(name="door", state="starting", since_s=1, input="webcam:0")
    assert status_line(starting) == "starting, waiting for webcam:0"


def test_the_end_is_summed_up() -> None:
    status = replace(LIVE, state="stopped", reconnects=2, restarts=1, dropped={"see": 1})
    assert summary(status) == (
        "door: 2100 frames; 3 faces followed, hidden in all frames together: anonygan 2000, "
        "covered 90; 2 reconnects, 1 restart; 1 frame dropped because finding faces took too long"
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(4.4, "4 s"), (61, "1 min 1 s"), (3600, "1 h 0 min"), (90061, "25 h 1 min")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_log_gets_events_at_once_and_figures_now_and_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = io.StringIO()
    with LiveDisplay(Console(file=file, width=200)) as display:
        logging.getLogger("streamanon").info("door: lost:\nno picture")
        display.show([LIVE])
        monkeypatch.setattr(module, "_LINE_EVERY_S", 0.0)
        display.show([LIVE])
    event, figures = file.getvalue().splitlines()
    assert event.endswith(" door: lost: no picture")
    assert figures.endswith(f" door: {status_line(LIVE)}")


@pytest.mark.parametrize(("alone", "label"), [(True, ""), (False, "door: ")])
def test_lines_begin_with_what_they_are_about(*, alone: bool, label: str) -> None:
    file = io.StringIO()
    with LiveDisplay(Console(file=file, width=200), alone=alone):
        logging.getLogger(f"{STREAM_LOG}.door").warning("lost")
        CAMERA_LOG.info("a visitor came")
    lost, came = (line.split(" ", 2)[2] for line in file.getvalue().splitlines())
    assert (lost, came) == (f"{label}lost", "camera page: a visitor came")


def test_a_terminal_gets_a_line_a_stream_and_events_above() -> None:
    file = io.StringIO()
    with LiveDisplay(Console(file=file, width=100, force_terminal=True)) as display:
        display.show([LIVE, replace(LIVE, name="yard")])
        logging.getLogger("streamanon").info("yard: back")
    shown = file.getvalue()
    assert "door: live, 30.0 fps in" in shown
    assert "yard: live, 30.0 fps in" in shown
    assert "yard: back" in shown
