"""The portraits that ship, with the meshes that were measured on them."""

import pytest

pytest.importorskip("scipy", reason="the group bench is not installed")
pytest.importorskip("torch", reason="the group bench is not installed")
pytest.importorskip("onnx", reason="the group train is not installed")


from benchmarks.judges.self_check import KnownFace, known_faces


@pytest.fixture(scope="session")
def faces() -> tuple[KnownFace, ...]:
    return known_faces()
