"""What the operating system is asked is what the command did, and nothing of who asked."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.speed.account import measured
from streamanon.errors import StreamanonError


def _python(code: str, *arguments: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", code, *arguments]


def test_time_processor_and_memory_are_the_commands() -> None:
    asleep = measured(_python("import time; time.sleep(0.4)"))
    assert asleep.elapsed_s > 0.4
    assert asleep.cpu_s < 0.3
    busy = measured(_python("import time\nwhile time.process_time() < 0.3: pass"))
    assert busy.cpu_s > 0.3
    large = measured(_python("held = bytes(range(256)) * 400_000"))
    assert large.peak_mb > asleep.peak_mb + 80


def test_work_of_others_is_seen() -> None:
    spin = "import time\nwhile time.process_time() < 0.6: pass"
    with subprocess.Popen(_python(spin)) as other:
        disturbed = measured(_python("import time; time.sleep(0.4)"))
        other.wait()
    assert disturbed.others > 0.2 / (os.cpu_count() or 1)


def test_the_memory_of_the_caller_does_not_count() -> None:
    held = np.ones(50_000_000)  # 400 MB
    assert measured(_python("pass")).peak_mb < 100
    assert held[-1]


def test_the_cores_given_are_the_cores_there_are(tmp_path: Path) -> None:
    code = "import os, sys; open(sys.argv[1], 'w').write(str(len(os.sched_getaffinity(0))))"
    for cores, expected in ((1, 1), (0, len(os.sched_getaffinity(0)))):
        measured(_python(code, str(tmp_path / "cores")), cores=cores)
        assert int((tmp_path / "cores").read_text()) == expected


def test_a_command_that_fails_is_named_in_one_line() -> None:
    with pytest.raises(StreamanonError, match=r"failed: .*no such luck") as caught:
        measured(_python("raise SystemExit('no such\\nluck')"))
    assert "\n" not in str(caught.value)
