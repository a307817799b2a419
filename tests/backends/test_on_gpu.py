"""On an NVIDIA GPU: the same faces as on the processor, in any number, and failures that end well.

Nothing of this runs without a GPU; ``STREAMANON_REQUIRE_GPU=1`` makes that a failure.
"""

from collections.abc import Iterator
from typing import Literal

import cv2
import numpy as np
import pytest

from streamanon import weights
from streamanon.backends import engine_build
from streamanon.backends.batching import BATCHES
from streamanon.backends.cuda import Device, Tensor
from streamanon.backends.onnx_runtime import CUDA, OnnxRuntimeBackend, has_cuda
from streamanon.backends.tensorrt_runtime import TensorRtBackend
from streamanon.backends.trial import check_agreement
from streamanon.errors import ModelError
from streamanon.identities.gallery import load_builtin
from testkit.network_rows import Arrays, misfits, repeated, worst

pytestmark = [pytest.mark.gpu, pytest.mark.trt, pytest.mark.usefixtures("gpu")]

NETWORK = weights.path("anonygan.onnx")
Precision = Literal["fp32", "fp16"]
LEVELS: dict[Precision, int] = {"fp32": 1, "fp16": 2}


@pytest.fixture(scope="module")
def engines(tensorrt: str, gpu: Device, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.mark.slow
@pytest.mark.usefixtures("engines")
@pytest.mark.parametrize("precision", list(LEVELS))
def test_the_gpu_paints_what_the_processor_paints(
    precision: Precision, live_faces: Arrays, gpu: Device
) -> None:
    wanted = OnnxRuntimeBackend(NETWORK).run(live_faces)
    assert all(np.ptp(array) > 0 for array in wanted.values()), "the network is alive"
    recorded = engine_build.load(NETWORK, precision, build=True)
    assert gpu.name in recorded.runtime
    step_by_step = TensorRtBackend(engine_build.make(NETWORK, precision), gpu, graphs=False)
    for backend in (recorded, step_by_step):
        for count in (1, 2, 4, 5, *BATCHES, BATCHES[-1] + 3):
            made = backend.run(repeated(live_faces, count))
            levels = max(worst(made, repeated(wanted, count)).values())
            assert levels <= LEVELS[precision], count


@pytest.mark.usefixtures("engines")
def test_what_does_not_fit_is_refused_in_one_line(live_faces: Arrays) -> None:
    backend = engine_build.load(NETWORK, "fp32", build=True)
    for inputs in misfits(live_faces):
        with pytest.raises(ModelError, match=r"^the engine could not be run: .+$"):
            backend.run(inputs)
    backend.run(live_faces)


def test_too_little_memory_is_an_error_that_can_be_answered() -> None:
    with pytest.raises(ModelError, match=r"^no \d+\.\d MB on the GPU: .+$"):
        Tensor((1 << 45,), np.uint8)
    Tensor((16,), np.uint8)


@pytest.mark.usefixtures("engines")
def test_an_engine_that_was_cut_short_is_refused(gpu: Device) -> None:
    engine = engine_build.make(NETWORK, "fp32")
    with pytest.raises(ModelError, match="cannot load the engine"):
        TensorRtBackend(engine[: len(engine) // 2], gpu)


@pytest.mark.usefixtures("engines")
@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("face_mesh.onnx", [(256, 256)]),
        ("yunet.onnx", [(288, 512), (96, 160), (32, 32), (768, 768), (288, 512)]),
    ],
)
def test_the_gpu_finds_what_the_processor_finds(
    name: str, sizes: list[tuple[int, int]], gpu: Device
) -> None:
    path, portrait = weights.path(name), load_builtin()[0].portrait
    scale = 255 if name == "face_mesh.onnx" else 1
    recorded = engine_build.load(path, "fp32", build=True)
    for backend in (recorded, TensorRtBackend(engine_build.make(path, "fp32"), gpu, graphs=False)):
        for height, width in sizes:
            picture = cv2.resize(portrait, (width, height)).astype(np.float32) / scale
            shown = {"input": np.ascontiguousarray(picture.transpose(2, 0, 1))[None]}
            check_agreement(backend, OnnxRuntimeBackend(path), shown)
    if len(sizes) > 1:
        for wrong in ((1, 3, 800, 32), (2, 3, 32, 32)):
            with pytest.raises(ModelError, match="the engine takes no input of"):
                recorded.run({"input": np.zeros(wrong, np.float32)})


def test_onnx_runtime_on_the_gpu_paints_the_same(live_faces: Arrays) -> None:
    if not has_cuda():
        pytest.skip("onnxruntime-gpu is not installed")
    wanted = OnnxRuntimeBackend(NETWORK).run(live_faces)
    made = OnnxRuntimeBackend(NETWORK, provider=CUDA).run(live_faces)
    assert max(worst(made, wanted).values()) <= 1
