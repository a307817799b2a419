"""Few arenas, however many threads: in a process of its own, for it cannot be undone."""

from __future__ import annotations

import platform
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

COUNT = """
import ctypes, re, sys, threading
from pathlib import Path
from streamanon.live.memory import limit_arenas
if sys.argv[2] == "limited":
    limit_arenas()
together = threading.Barrier(8)
def work():
    kept = bytearray(50_000)
    together.wait()
threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
file = libc.fopen(sys.argv[1].encode(), b"w")
libc.malloc_info(0, ctypes.c_void_p(file))
libc.fclose(ctypes.c_void_p(file))
print(len(re.findall("<heap nr", Path(sys.argv[1]).read_text())))
"""


def arenas(tmp_path: Path, how: str) -> int:
    command = [sys.executable, "-c", COUNT, str(tmp_path / "info.xml"), how]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library here is not glibc")
def test_eight_threads_share_two_arenas(tmp_path: Path) -> None:
    assert arenas(tmp_path, "as it is") > 2
    assert arenas(tmp_path, "limited") <= 2
