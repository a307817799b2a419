"""What is left of a run that was killed."""

import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

import streamanon
from streamanon import Config
from streamanon.errors import UsageError
from streamanon.files.reveal import Secrets, Selection, find_sidecar, reveal
from testkit.paths import DEMO
from testkit.sealing import Holder
from testkit.waiting import wait_until


def test_the_sidecar_of_a_killed_run_opens_up_to_there(
    tmp_path: Path, holders: list[Holder]
) -> None:
    out = tmp_path / "out.mp4"
    sidecar = out.with_name("out.mp4.sealed")
    command = [sys.executable, "-m", "streamanon", "run", str(DEMO), "-o", str(out)]
    command += ["--method", "mosaic", "--seal", holders[0].public]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: sidecar.exists() and sidecar.stat().st_size > 100_000)
    finally:
        process.kill()  # SIGKILL: nothing of it can be caught
        process.wait()
    assert not out.exists()
    assert not find_sidecar(out).complete

    given, settings = Secrets([holders[0].file]), Config(method="mosaic", to=Fraction(2))
    with pytest.raises(UsageError, match="exists: choose another name or --overwrite"):
        streamanon.anonymise(DEMO, out, replace(settings, seal=(holders[0].public,)))
    streamanon.anonymise(DEMO, out, settings)
    with pytest.raises(UsageError, match="its run was interrupted"):
        reveal(out, tmp_path / "restored.mp4", given, Selection())
    tally = reveal(out, tmp_path / "restored.mp4", given, Selection(), force=True)
    assert tally.restored >= 20
