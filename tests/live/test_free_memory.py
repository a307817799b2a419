"""Free memory goes back to the system."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from streamanon.live import free_memory
from streamanon.live.free_memory import FreeMemory

BLOCKS, SIDE = 600, 60_000
"""60 kB each: small enough to lie in a heap of glibc, and not in pages of their own."""


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@pytest.mark.skipif(free_memory._malloc_trim() is None, reason="this C library keeps nothing back")
def test_what_lies_between_blocks_in_use_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every second block stays in use, so that no heap can shrink from its end."""
    blocks = [np.ones(SIDE, np.uint8) for _ in range(BLOCKS)]
    kept = blocks[::2]
    del blocks
    free, before_mb = FreeMemory(), _resident_mb()
    assert not free.give_back(), "a minute has not passed"
    monkeypatch.setattr(free_memory, "EVERY_S", 0.0)
    assert free.give_back()
    freed_mb = before_mb - _resident_mb()
    assert freed_mb > 0.8 * BLOCKS / 2 * SIDE / 2**20
    assert all(block.all() for block in kept)


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(free_memory, "_malloc_trim", lambda: None)
    monkeypatch.setattr(free_memory, "EVERY_S", 0.0)
    assert not FreeMemory().give_back()
