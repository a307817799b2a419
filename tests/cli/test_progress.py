"""What is shown while a run goes on: a bar on a terminal, plain lines elsewhere."""

import io
import logging
from pathlib import Path

import pytest
from rich.console import Console

from streamanon.cli import progress as module
from streamanon.cli.progress import Display, log_lines
from streamanon.errors import MediaError
from streamanon.files.jobs import Job
from streamanon.files.run import Outcome
from streamanon.pipeline.runner import Progress

JOB = Job(Path("in.mp4"), Path("[out].mp4"))


WRITTEN = Progress(30, 120, 2, 45)


def _shown(*positions: Progress, terminal: bool, jobs: int = 1) -> str:
    file = io.StringIO()
    console = Console(file=file, force_terminal=terminal, width=100)
    with Display(console, jobs) as display:
        display.begin(JOB)
        for position in positions:
            display.advance(position)
        display.end(Outcome(JOB, error=MediaError("it [broke]")))
    return file.getvalue()


def test_a_terminal_gets_a_bar() -> None:
    shown = _shown(WRITTEN, terminal=True)
    assert "30/120 frames" in shown
    assert "2 faces" in shown
    assert "fps" in shown


def test_a_pipe_gets_lines_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _shown(WRITTEN, terminal=False) == ""
    monkeypatch.setattr(module, "_LINE_EVERY_S", 0.0)
    first, second = _shown(Progress(0, None, 0, 45), WRITTEN, terminal=False).splitlines()
    assert first == "in.mp4: looking at the people in it first, 45/? frames read"
    assert second.startswith("in.mp4: 30/120 frames, ")
    assert ", 2 faces, " in second
    assert second.endswith(" s left")


def test_a_name_cannot_control_the_terminal(tmp_path: Path) -> None:
    file = io.StringIO()
    with Display(Console(file=file, force_terminal=False), 2) as display:
        display.begin(Job(tmp_path / "a\x1b[2J\n.mp4", tmp_path / "b.mp4"))
        display.opened(["sound converted"])
    assert file.getvalue() == "[1/2] a\\x1b[2J .mp4: sound converted\n"


def test_a_failure_among_several_is_reported_at_once() -> None:
    shown = _shown(terminal=False, jobs=3)
    assert shown == "streamanon: error: [1/3] in.mp4: it [broke]\n"


def test_what_is_logged_during_a_run_of_files_is_a_line_without_credentials() -> None:
    file, log = io.StringIO(), logging.getLogger("streamanon")
    with log_lines(Console(file=file, width=100)):
        log.info("input rtsp://ann:secret@camera/1 is read [to its end]\nfirst")
    log.info("later")
    assert file.getvalue() == "input rtsp://***@camera/1 is read [to its end] first\n"
