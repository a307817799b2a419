"""TensorRT reads, compiles and refuses, all of which TensorRT-RTX does without a GPU, too."""

import re
import shutil
import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("onnx", reason="the extra torch is not installed")

import onnx
from onnx import helper

from streamanon import weights
from streamanon.backends import cuda, engine_build, tensorrt_runtime
from streamanon.backends.batching import BATCHES
from streamanon.backends.cuda import Device
from streamanon.backends.engines import EngineCache, Plan
from streamanon.backends.fallback import Upgrade
from streamanon.backends.onnx_runtime import OnnxRuntimeBackend
from streamanon.backends.tensorrt_graph import Precision
from streamanon.backends.trial import Choice, noise
from streamanon.detectors import yunet
from streamanon.errors import ModelError
from streamanon.weights.card import read_card
from testkit.python import python

pytestmark = pytest.mark.trt

SMALL = weights.path("anonygan_condition.onnx")
NO_GPU = Device("no GPU", "0.0", "0.0")


@pytest.fixture(autouse=True)
def _cannot_go_without(tensorrt: str) -> None:
    """Skip where TensorRT is missing."""


@pytest.fixture
def _no_card() -> None:
    try:
        found = cuda.device()
    except ModelError:
        return
    pytest.skip(f"there is a GPU: {found.name}")


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_the_network_that_ships_compiles(precision: Precision) -> None:
    steps: list[tuple[str, int, int]] = []
    engine, _ = engine_build.compiled(
        weights.path("anonygan.onnx"), precision, progress=lambda *step: steps.append(step)
    )
    assert len(engine) > 1_000_000
    assert all(0 < done <= whole for _, done, whole in steps)
    outermost = [done for name, done, _ in steps if name == steps[-1][0]]
    assert outermost == sorted(outermost)
    assert len(outermost) > 3


def test_a_second_build_takes_what_the_first_one_made(tmp_path: Path, tensorrt: str) -> None:
    cache = EngineCache(tmp_path)
    plan = Plan.of(SMALL, "fp32", tensorrt, NO_GPU)
    builds = []

    def build(timings: bytes) -> tuple[bytes, bytes]:
        builds.append(timings)
        return engine_build.compiled(SMALL, "fp32", timings)

    first = cache.get_or_build(plan, build)
    assert cache.get_or_build(plan, build) == first
    assert len(builds) == 1
    assert cache.entries()[0].text == f"{SMALL.stem} fp32 for no GPU, {tensorrt}"


@pytest.mark.parametrize("content", [b"", b"junk" * 9])
def test_what_is_no_network_is_named_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "net.onnx").write_bytes(content)
    with pytest.raises(ModelError, match=r"net\.onnx is no ONNX file") as caught:
        engine_build.compiled(tmp_path / "net.onnx", "fp32")
    assert "\n" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["yunet", "face_mesh"])
def test_what_finds_faces_compiles_for_the_pictures_it_is_shown(name: str) -> None:
    engine, _ = engine_build.compiled(weights.path(f"{name}.onnx"), "fp32")
    assert len(engine) > 1_000_000


def test_profiles_are_for_faces_for_one_picture_or_for_pictures_of_any_size() -> None:
    profiles = tensorrt_runtime._profiles({"face": (-1, 128, 128, 3), "points": (-1, 70, 2)})
    assert [one["points"] for one in profiles] == [((n, 70, 2),) * 3 for n in BATCHES]
    assert tensorrt_runtime._profiles({"input": (1, 3, 256, 256)}) == []
    (any_size,) = tensorrt_runtime._profiles({"input": (-1, 3, -1, -1)})
    assert any_size["input"] == tuple((1, 3, side, side) for side in tensorrt_runtime.SIDES)
    assert max(tensorrt_runtime.SIDES) >= yunet.MAX_INPUT_PX


def test_a_network_of_unknown_steps_is_refused_in_one_line(tmp_path: Path) -> None:
    shape = [1, 4, 4]
    tensors = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape[: len(shape) - gone])
        for name, gone in (("matrix", 0), ("area", 2))
    ]
    steps = [helper.make_node("Det", ["matrix"], ["area"])]
    model = helper.make_model(helper.make_graph(steps, "net", tensors[:1], tensors[1:]))
    onnx.save(model, tmp_path / "net.onnx")
    with pytest.raises(ModelError, match=r"cannot read the network: .+") as caught:
        engine_build.compiled(tmp_path / "net.onnx", "fp32")
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("_no_card")
def test_without_a_gpu_everything_says_so_in_one_line(tmp_path: Path) -> None:
    message = r"^no CUDA device: this machine has no NVIDIA GPU, or a driver older than CUDA 1\d$"
    for call in (
        cuda.device,
        partial(engine_build.make, SMALL, "fp32"),
        partial(engine_build.load, SMALL, "fp32", build=True),
    ):
        with pytest.raises(ModelError, match=message):
            call()
    engine, _ = engine_build.compiled(SMALL, "fp32")
    with pytest.raises(ModelError, match=r"^TensorRT.* cannot load the engine: .+$"):
        tensorrt_runtime.TensorRtBackend(engine, NO_GPU)


@pytest.mark.usefixtures("_no_card")
def test_the_build_in_the_background_says_in_one_line_why_not() -> None:
    run = python("-m", "streamanon.backends.engine_build", SMALL, "fp32")
    assert run.returncode == 1
    assert re.fullmatch(r"no CUDA device: .+\n", run.stderr)


@pytest.mark.usefixtures("_no_card")
def test_a_stream_starts_on_what_there_is_and_stays_there_when_nothing_can_be_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    processor = OnnxRuntimeBackend(SMALL)
    choice, inputs = Choice("onnxruntime f32", processor, ""), noise(read_card(SMALL)["inputs"])
    assert engine_build.upgraded(choice, SMALL, "fp32", inputs) is processor
    monkeypatch.setattr(engine_build, "device", lambda: NO_GPU)  # the build will find none
    backend = engine_build.upgraded(choice, SMALL, "fp32", inputs)
    assert backend is not processor
    backend.run(inputs)
    (build,) = [one for one in threading.enumerate() if isinstance(one, Upgrade)]
    build.join(60)
    assert backend.runtime == processor.runtime
    backend.run(inputs)
    (message,) = caplog.messages
    assert message.startswith("no engine: no CUDA device: this machine has no NVIDIA GPU")
    EngineCache().get_or_build(engine_build.planned(SMALL, "fp32"), lambda _: (b"an engine", b""))
    assert engine_build.upgraded(choice, SMALL, "fp32", inputs) is processor, "it was a candidate"


def test_an_engine_built_behind_a_stream_is_trusted_only_if_it_answers_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Silent(OnnxRuntimeBackend):
        def run(self, inputs: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
            return {name: np.zeros_like(one) for name, one in super().run(inputs).items()}

    loads: list[Callable[[], object]] = []

    class Noted(Upgrade):
        def start(self) -> None:
            loads.append(self._load)

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(engine_build, "device", lambda: NO_GPU)
    monkeypatch.setattr(engine_build, "Upgrade", Noted)
    choice, inputs = Choice("f32", OnnxRuntimeBackend(SMALL), ""), noise(read_card(SMALL)["inputs"])
    for kind in (Silent, OnnxRuntimeBackend):
        monkeypatch.setattr(engine_build, "load", lambda *_, kind=kind, **__: kind(SMALL))
        engine_build.upgraded(choice, SMALL, "fp32", inputs)
    silent, alike = loads
    with pytest.raises(ModelError, match="answers otherwise than the processor"):
        silent()
    assert isinstance(alike(), OnnxRuntimeBackend)


def test_an_engine_of_another_version_never_reaches_tensorrt(tmp_path: Path, tensorrt: str) -> None:
    cache = EngineCache(tmp_path)
    ours = Plan.of(SMALL, "fp32", tensorrt, NO_GPU)
    older = Plan.of(SMALL, "fp32", "TensorRT 10.0.1", NO_GPU)
    cache.get_or_build(older, lambda _: (b"an older engine", b""))
    with pytest.raises(ModelError, match="no engine of"):
        cache.read(ours)
    for file in tmp_path.glob(f"{older.name}.*"):
        shutil.copy(file, tmp_path / f"{ours.name}{file.suffix}")
    with pytest.raises(ModelError, match="was made for something else"):
        cache.read(ours)
