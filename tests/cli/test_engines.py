"""``streamanon engine`` builds, lists and removes, and says why not in one line."""

from dataclasses import replace
from pathlib import Path

import pytest

from streamanon import weights
from streamanon.backends import cuda, engine_build, tensorrt_runtime
from streamanon.backends.cuda import Device
from streamanon.backends.engines import EngineCache, Plan
from streamanon.cli import engines as engine
from streamanon.cli.main import execute
from streamanon.errors import ModelError

SEE = ["yunet fp32", "face_mesh fp32"]
GPU = Device("no GPU", "0.0", "0.0")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EngineCache:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return EngineCache()


def test_engines_are_listed_and_removed(
    cache: EngineCache, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["engine", "list"]) == 0
    assert capsys.readouterr().out == f"0 engines in {cache.folder}\n"
    plan = Plan.of(weights.path("anonygan.onnx"), "fp16", "TensorRT 11.0", GPU)
    cache.get_or_build(plan, lambda _: (bytes(2_000_000), b""))
    assert execute(["engine", "list"]) == 0
    line, last = capsys.readouterr().out.splitlines()
    assert line == f"{plan.name}     2.0 MB  anonygan fp16 for no GPU, TensorRT 11.0"
    assert last.startswith("1 engines in ")
    cache.get_or_build(replace(plan, recipe=0), lambda _: (bytes(2_000_000), b""))
    assert execute(["engine", "list"]) == 0
    assert "of another version of streamanon\n" in capsys.readouterr().out
    assert execute(["engine", "clear"]) == 0
    assert capsys.readouterr().out == f"{cache.folder}: 4.0 MB freed\n"
    assert list(cache.folder.iterdir()) == []
    assert cache.entries() == []


def test_without_a_gpu_nothing_is_built(
    cache: EngineCache, capsys: pytest.CaptureFixture[str]
) -> None:
    for look in (tensorrt_runtime.about, cuda.device):
        try:
            look()
        except ModelError as error:
            message = str(error)
            break
    else:
        pytest.skip("there is a GPU")
    for arguments in (["engine", "build"], ["engine", "build", "--precision", "fp16"]):
        assert execute(arguments) == 1
        assert capsys.readouterr().err == f"streamanon: error: {message}\n"
    assert not cache.folder.exists()


@pytest.mark.trt
@pytest.mark.slow
def test_what_is_built_is_kept(cache: EngineCache, monkeypatch: pytest.MonkeyPatch) -> None:
    """The GPU is made up, for TensorRT-RTX needs none to compile."""
    try:
        tensorrt_runtime.about()
    except ModelError as error:
        pytest.skip(str(error))
    monkeypatch.setattr(engine_build, "device", lambda: GPU)
    seen: list[str] = []
    message = engine.build(None, lambda name, *_: seen.append(name))
    assert [line.split(" for ")[0] for line in message] == ["anonygan fp16", *SEE]
    assert all(" MB, built in " in line for line in message)
    assert seen
    assert all(entry.usable for entry in cache.entries())
    assert len(cache.entries()) == 3
    again = engine.build(None, lambda *_: pytest.fail("built again"))
    assert all(line.endswith("is there already") for line in again)
    halves = engine.build("fp32", lambda *_: None)
    assert halves[0].startswith("anonygan fp32")
    assert halves[1:] == again[1:], "what finds faces does so in single precision"
