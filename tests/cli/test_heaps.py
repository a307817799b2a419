"""Threads share few heaps, each of which would keep pictures that were freed."""

import platform
import re

import pytest

from testkit.python import python

COUNT = """
import ctypes, threading
from streamanon.cli import memory

def work():
    kept = bytearray(50_000)
    together.wait()

if {limited}:
    memory.limit_heaps()
together = threading.Barrier(9)
threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
together.wait()
libc = ctypes.CDLL(None)
stdout = ctypes.c_void_p.in_dll(libc, "stdout")
libc.malloc_info(0, stdout)
libc.fflush(stdout)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
@pytest.mark.parametrize("limited", [True, False])
def test_threads_share_few_heaps(limited: bool) -> None:  # noqa: FBT001
    code = COUNT.format(limited=limited)
    ran = python("-c", code, check=True)
    heaps = len(re.findall("<heap nr", ran.stdout))
    assert (heaps <= 2) is limited
