"""Runs as a user starts, stops and resumes them."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from streamanon.errors import StreamanonError, UsageError
from testkit.paths import ROOT
from training.__main__ import main

SETTINGS = """
    batch=2 workers=0 network.width=8 network.blocks=1 adversarial_from=0
    rows.discriminator=1 rows.identity=0 rows.pose=0
    weights.pull=0 weights.push=0 weights.pose=0
"""
SMALL = [f"--set={setting}" for setting in SETTINGS.split()]


def run(*arguments: str | Path) -> str:
    """Run a command in this process; its errors are raised."""
    answer = CliRunner().invoke(main, [str(each) for each in arguments], catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    return answer.output


def test_a_run_stops_resumes_with_new_options_and_is_looked_at(
    data: Path, photos: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    shown = run("train", folder, "--data", data, "--sources", photos, *SMALL, "--set=steps=1")
    assert "stopped at step 1: all steps are done" in shown
    first = (folder / "state.pt").read_bytes()
    with pytest.raises(UsageError, match="holds a run: give --resume"):
        run("train", folder, "--data", data)
    more = ("--set=steps=3", "--set=save_every=1", "--set=weights.ring=9")
    shown = run("train", folder, "--data", data, "--sources", photos, "--resume", *more)
    assert "stopped at step 3" in shown
    assert (folder / "state.pt").read_bytes() != first
    options = json.loads((folder / "options.json").read_text())
    assert (options["weights"]["ring"], options["batch"]) == (9, 2)
    assert {path.name for path in (folder / "samples").iterdir()} == {
        "00000001.png",
        "00000003.png",
    }
    drawn = tmp_path / "grid.png"
    run("sample", folder / "network.pt", drawn, "--sources", photos, "--conditions", photos)
    assert drawn.stat().st_size > 10_000
    lines = run("evaluate", folder / "network.pt", "--data", data, "--share=1", "--pairs=6")
    warp, network = (json.loads(line) for line in lines.splitlines())
    assert warp["network"] == "warp"
    assert network["to_condition"] > network["to_source"]
    assert 0 < network["pose"] < 0.2
    assert 0 < network["error"] < 100


def test_time_is_over(data: Path, tmp_path: Path) -> None:
    shown = run("train", tmp_path / "run", "--data", data, *SMALL, "--minutes=0")
    assert "stopped at step 0: time is over" in shown


@pytest.mark.parametrize(
    "number", [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGTERM]
)
def test_a_signal_ends_a_run_with_everything_written(
    number: int, data: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "training", "train", str(tmp_path / "run")]
    command += ["--data", str(data), *SMALL, "--set=workers=1"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    deadline = time.monotonic() + 100
    while not (tmp_path / "run" / "stats.jsonl").exists():
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()
        time.sleep(0.2)
    process.send_signal(number)
    said, complained = process.communicate(timeout=60)
    assert process.returncode == 0, complained
    assert f"{signal.Signals(number).name}" in said.splitlines()[-1]
    state = torch.load(tmp_path / "run" / "state.pt", weights_only=True)
    assert state["step"] >= 1


def test_a_full_disk_loses_nothing(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    run("train", folder, "--data", data, *SMALL, "--set=steps=1")
    before = (folder / "state.pt").read_bytes()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StreamanonError, match=r"cannot write step 2 to .*No space left on device"):
        run("train", folder, "--data", data, "--resume", "--set=steps=2")
    assert (folder / "state.pt").read_bytes() == before


def test_a_damaged_state_is_reported(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    run("train", folder, "--data", data, *SMALL, "--set=steps=0")
    (folder / "state.pt").write_bytes((folder / "state.pt").read_bytes()[:1000])
    with pytest.raises(UsageError, match=r"state\.pt is damaged"):
        run("train", folder, "--data", data, "--resume")


def test_a_run_does_not_change_its_architecture(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    run("train", folder, "--data", data, *SMALL, "--set=steps=0")
    with pytest.raises(UsageError, match="width is 8 where 16 is wanted"):
        run("train", folder, "--data", data, "--resume", "--set=network.width=16")


def test_nothing_to_resume(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no run to resume"):
        run("train", tmp_path / "run", "--data", data, "--resume")
