"""Networks load, run and fail in one line."""

import os
import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from streamanon import weights
from streamanon.backends.onnx_runtime import CUDA, OnnxRuntimeBackend, has_cuda
from streamanon.errors import ModelError
from streamanon.protocols import Backend
from testkit.paths import ROOT
from testkit.python import python


@pytest.fixture(scope="module")
def mesh() -> OnnxRuntimeBackend:
    return OnnxRuntimeBackend(weights.path("face_mesh.onnx"))


def test_nothing_is_reported_to_anybody(tmp_path: Path) -> None:
    script = (
        "from streamanon import weights\n"
        "from streamanon.backends.onnx_runtime import OnnxRuntimeBackend\n"
        "OnnxRuntimeBackend(weights.path('face_blendshapes.onnx'))\n"
    )
    # Left to itself, ONNX Runtime puts an identifier there, and what it did and will report.
    home = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    python("-c", script, check=True, env=home)
    assert list(tmp_path.rglob("*")) == []


IMPORTS = re.compile(r"^\s*(?:import|from) onnxruntime\b", re.MULTILINE)
PACKAGES = {
    file.relative_to(ROOT).parts[0]
    for folder in ("streamanon", "benchmarks", "export", "training", "scripts")
    for file in (ROOT / folder).rglob("*.py")
    if IMPORTS.search(file.read_text(encoding="utf-8"))
}


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_every_package_that_imports_it_tells_it_first_to_report_nothing(package: str) -> None:
    script = (
        f"import os, sys, {package}\n"
        "assert os.environ['ORT_DISABLE_TELEMETRY'] == '1'\n"
        "assert 'onnxruntime' not in sys.modules\n"
    )
    without_switch = {"PATH": os.environ["PATH"]}
    python("-c", script, check=True, env=without_switch, cwd=ROOT)


def test_arrays_go_in_and_come_out_by_name(mesh: OnnxRuntimeBackend) -> None:
    random = np.random.default_rng(0)
    inputs = [random.random((1, 3, 256, 256), np.float32) for _ in range(2)]
    answers = [mesh.run({"input": value}) for value in (*inputs, inputs[0])]
    assert set(answers[0]) == {"points", "presence"}
    first, other, again = (answer["points"].astype(np.float32) for answer in answers)
    assert np.isfinite(first).all()
    assert float(first.std()) > 1
    assert float(np.abs(first - other).max()) > 0.1
    assert np.array_equal(first, again)


def test_it_says_what_really_runs_the_network(mesh: OnnxRuntimeBackend) -> None:
    assert re.fullmatch(r"ONNX Runtime [\d.]+ CPUExecutionProvider, 1 thread", mesh.runtime)


def test_two_threads_give_what_one_gives() -> None:
    value = np.random.default_rng(1).random((1, 3, 64, 96), np.float32) * 255
    one, two = (
        OnnxRuntimeBackend(weights.path("yunet.onnx"), threads=n).run({"input": value})
        for n in (1, 2)
    )
    assert len(one) == 12
    for name, array in one.items():
        assert np.allclose(array.astype(np.float32), two[name].astype(np.float32), atol=1e-4)


@pytest.fixture(
    scope="module", params=["onnx_runtime.OnnxRuntimeBackend", "openvino_runtime.OpenVinoBackend"]
)
def load(request: pytest.FixtureRequest) -> Callable[[Path], Backend]:
    """Each runtime of the processor."""
    module, _, name = request.param.partition(".")
    if module.startswith("openvino"):
        pytest.importorskip("openvino", reason="the extra openvino is not installed")
    backend: Callable[[Path], Backend] = getattr(
        import_module(f"streamanon.backends.{module}"), name
    )
    backend(weights.path("face_mesh.onnx"))  # OpenVINO keeps a thread from then on
    return backend


def test_a_wrong_input_is_named_in_one_line(load: Callable[[Path], Backend]) -> None:
    mesh, image = load(weights.path("face_mesh.onnx")), np.zeros((1, 3, 256, 256), np.float32)
    wrong: list[dict[str, NDArray[Any]]] = [
        {"image": image}, {"input": image[:, :, :64]}, {"input": image.astype(np.uint8)}, {}
    ]  # fmt: skip
    for inputs in wrong:
        with pytest.raises(ModelError, match=r"^face_mesh\.onnx could not be run: .+$") as caught:
            mesh.run(inputs)
        assert "\n" not in str(caught.value)


def test_a_package_without_cuda_says_so() -> None:
    if has_cuda():
        pytest.skip("onnxruntime-gpu is installed")
    with pytest.raises(ModelError, match="pip install onnxruntime-gpu"):
        OnnxRuntimeBackend(weights.path("yunet.onnx"), provider=CUDA)


def test_a_file_that_is_no_network_is_named_in_one_line(
    broken_network: Path, load: Callable[[Path], Backend]
) -> None:
    with pytest.raises(ModelError, match=r"broken\.onnx") as caught:
        load(broken_network)
    assert "\n" not in str(caught.value)
