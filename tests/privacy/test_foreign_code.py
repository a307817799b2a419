"""What lies in the current directory is never executed."""

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from streamanon.child_process import installed_program, module_command
from testkit.python import python

_STREAMANON = str(Path(sys.executable).with_name("streamanon"))
_ENGINE = "streamanon.backends.engine_build"


def _plant(folder: Path) -> Path:
    """Plant modules of every importable name; return the file they write when executed."""
    mark = folder / "executed.txt"
    code = f"open({str(mark)!r}, 'a').write(__name__ + '\\n')\n"
    names = {*sys.stdlib_module_names, *packages_distributions(), "sitecustomize", "usercustomize"}
    for name in filter(str.isidentifier, names - {"streamanon"}):
        (folder / f"{name}.py").write_text(code)
    return mark


@pytest.mark.parametrize("output", ["record:tape", "hls:tape"])
def test_a_live_run_executes_nothing_of_the_current_directory(output: str, tmp_path: Path) -> None:
    mark = _plant(tmp_path)
    source = "lavfi:testsrc2=size=160x120:rate=10"
    with subprocess.Popen(
        [_STREAMANON, "run", source, "-o", output, "--method", "mosaic"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    ) as run:
        deadline = time.monotonic() + 60
        while not any(tmp_path.glob("tape/*")) and time.monotonic() < deadline:
            time.sleep(0.1)
        run.send_signal(signal.SIGINT)
        _, errors = run.communicate(timeout=30)
    assert not mark.exists(), mark.read_text()
    assert any(tmp_path.glob("tape/*")), errors


@pytest.mark.parametrize(
    "command", [(_STREAMANON, "doctor"), module_command(_ENGINE, "none.onnx", "fp32")]
)
def test_a_command_executes_nothing_of_the_current_directory(
    command: Sequence[str], tmp_path: Path
) -> None:
    mark = _plant(tmp_path)
    run = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert not mark.exists(), mark.read_text()
    assert "Traceback" not in run.stderr


def test_the_trap_works(tmp_path: Path) -> None:
    """Without isolation the planted modules are executed."""
    mark = _plant(tmp_path)
    python("-m", _ENGINE, cwd=tmp_path)
    assert mark.exists()


@pytest.mark.parametrize("path", [".", "", ".:/usr/bin:/bin", ":/usr/bin"])
def test_no_program_of_the_current_directory_is_found(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("srt-live-transmit", "sh"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", path)
    assert installed_program("srt-live-transmit") in (None, "/usr/bin/srt-live-transmit")
    assert installed_program("sh") in (None, "/usr/bin/sh", "/bin/sh")


def test_an_installed_program_is_found() -> None:
    found = installed_program("sh")
    assert found is not None
    assert Path(found).is_absolute()
