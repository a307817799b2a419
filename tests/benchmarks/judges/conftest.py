"""The portraits that ship, with the meshes that were measured on them."""

from __future__ import annotations

import pytest

from benchmarks.judges.alive import KnownFace, known_faces


@pytest.fixture(scope="session")
def faces() -> tuple[KnownFace, ...]:
    return known_faces()
