"""Engines are kept, found again, and never used for anything but what they were made for."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from streamanon.backends.cuda import Device
from streamanon.backends.engines import RECIPE_VERSION, EngineCache, Plan, default_folder
from streamanon.errors import ModelError
from testkit.python import python

PLAN = Plan(
    "anonygan", "ab" * 32, "fp16", "TensorRT 10.15.1", "NVIDIA H200", "9.0", "13.0", RECIPE_VERSION
)

RACE = """
import sys, time
from pathlib import Path
sys.path.insert(0, {tests!r})
from backends.test_engines import PLAN
from streamanon.backends.engines import EngineCache

def build(timings):
    with (Path({folder!r}) / "built").open("a") as built:
        built.write("x")
    time.sleep(0.5)
    return b"engine", b""

assert EngineCache(Path({folder!r})).get_or_build(PLAN, build) == b"engine"
"""


class Builder:
    """Builds an engine out of nothing, and counts."""

    def __init__(self, engine: bytes = b"engine" * 100) -> None:
        self.engine, self.timings = engine, list[bytes]()

    def __call__(self, timings: bytes) -> tuple[bytes, bytes]:
        self.timings.append(timings)
        return self.engine, b"timings"


@pytest.fixture
def cache(tmp_path: Path) -> EngineCache:
    return EngineCache(tmp_path / "engines")


def files(cache: EngineCache) -> list[Path]:
    return [next(cache.folder.glob(f"*{ending}")) for ending in (".engine", ".json")]


def test_nothing_is_built_twice(cache: EngineCache) -> None:
    build = Builder()
    with pytest.raises(ModelError, match="no engine of anonygan fp16 for NVIDIA H200, TensorRT 10"):
        cache.read(PLAN)
    assert [cache.get_or_build(PLAN, build) for _ in range(2)] == [build.engine] * 2
    assert cache.read(PLAN) == build.engine
    assert build.timings == [b""]
    cache.get_or_build(replace(PLAN, precision="fp32"), build)
    assert build.timings == [b"", b"timings"], "what was found out about the GPU is of use again"


@pytest.mark.parametrize(
    "other",
    [
        {"sha256": "cd" * 32},
        {"precision": "fp32"},
        {"runtime": "TensorRT 10.16.0"},
        {"device": "NVIDIA H100"},
        {"capability": "8.9"},
        {"driver": "13.1"},
        {"recipe": 0},
    ],
)
def test_every_difference_makes_another_engine(
    cache: EngineCache, other: dict[str, object]
) -> None:
    cache.get_or_build(PLAN, Builder())
    with pytest.raises(ModelError, match="no engine of"):
        cache.read(replace(PLAN, **other))  # type: ignore[arg-type]


def test_a_damaged_engine_is_not_used_but_built_again(cache: EngineCache) -> None:
    cache.get_or_build(PLAN, Builder())
    engine, _ = files(cache)
    content = bytearray(engine.read_bytes())
    content[5] ^= 1
    engine.write_bytes(content)
    with pytest.raises(ModelError, match=r"is damaged: run `streamanon engine build`"):
        cache.read(PLAN)
    assert [entry.text for entry in cache.entries()] == ["damaged: never used"]
    build = Builder()
    assert cache.get_or_build(PLAN, build) == build.engine == cache.read(PLAN)
    assert len(build.timings) == 1


def test_a_foreign_engine_under_our_name_is_not_used(cache: EngineCache) -> None:
    cache.get_or_build(PLAN, Builder())
    _, metadata = files(cache)
    content = json.loads(metadata.read_text())
    content["plan"]["device"] = "NVIDIA L4"
    metadata.write_text(json.dumps(content))
    with pytest.raises(ModelError, match="was made for something else"):
        cache.read(PLAN)
    assert [entry.text for entry in cache.entries()] == ["not what its name says: never used"]


@pytest.mark.skipif(sys.platform == "win32", reason="folders have other rights there")
@pytest.mark.parametrize("whose", ["everybody's", "somebody's"])
def test_an_engine_that_others_may_have_put_there_is_not_used(
    cache: EngineCache, monkeypatch: pytest.MonkeyPatch, whose: str
) -> None:
    cache.get_or_build(PLAN, Builder())
    if whose == "everybody's":
        cache.folder.chmod(0o777)
    elif os.getuid():
        monkeypatch.setattr(os, "getuid", lambda: 12345)
    else:
        os.chown(cache.folder, 12345, -1)
    build = Builder()
    with pytest.raises(ModelError, match="may be of another user"):
        cache.read(PLAN)
    with pytest.raises(ModelError, match="may be of another user"):
        cache.get_or_build(PLAN, build)
    assert build.timings == []


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff"])
def test_an_engine_without_metadata_is_not_used(cache: EngineCache, content: bytes) -> None:
    cache.get_or_build(PLAN, Builder())
    _, metadata = files(cache)
    metadata.write_bytes(content)
    with pytest.raises(ModelError):
        cache.read(PLAN)
    assert "without metadata" in cache.entries()[0].text
    assert cache.get_or_build(PLAN, Builder()) == cache.read(PLAN)


def test_two_processes_at_once_build_once(cache: EngineCache) -> None:
    cache.folder.mkdir()
    tests = str(Path(__file__).parents[1])
    script = RACE.format(tests=tests, folder=str(cache.folder))
    both = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(2)]
    assert [one.wait(30) for one in both] == [0, 0]
    assert (cache.folder / "built").read_text() == "x"


def test_a_full_disk_is_said_in_one_line_and_leaves_nothing(cache: EngineCache) -> None:
    """The limit on the size of files stands for the disk: both end in an OSError at the write."""
    script = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        f"sys.path.insert(0, {str(Path(__file__).parents[1])!r})\n"
        "from backends.test_engines import *\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))\n"
        "try:\n"
        f"    EngineCache(Path({str(cache.folder)!r})).get_or_build(PLAN, Builder())\n"
        "except ModelError as error:\n"
        "    print(error)\n"
    )
    run = python("-c", script, check=True)
    assert "the engine cannot be kept in" in run.stdout
    assert "free some space there" in run.stdout
    assert len(run.stdout.splitlines()) == 1
    assert {path.suffix for path in cache.folder.iterdir()} <= {".lock"}


def test_the_folder_is_where_caches_lie(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "streamanon" / "engines"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_folder() == Path.home() / ".cache" / "streamanon" / "engines"


def test_a_plan_is_of_a_file_and_a_gpu(tmp_path: Path) -> None:
    file = tmp_path / "net.onnx"
    file.write_bytes(b"one")
    device = Device("NVIDIA L4", "8.9", "13.0")
    first = Plan.of(file, "fp32", "TensorRT 11.0", device)
    assert (first.network, first.device, first.driver) == ("net", "NVIDIA L4", "13.0")
    file.write_bytes(b"two")
    assert Plan.of(file, "fp32", "TensorRT 11.0", device).name != first.name
