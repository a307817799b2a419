"""The network outside PyTorch."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

pytest.importorskip("openvino", reason="the extra openvino is not installed")

import torch
from numpy.typing import NDArray
from torch import Tensor

from streamanon.anonygan.deployed import INPUTS, OUTPUTS, DeployedGenerator
from streamanon.anonygan.network import AnonyGan
from streamanon.backends.openvino_runtime import OpenVinoBackend


@pytest.fixture(scope="module")
def inputs(live: AnonyGan, faces: dict[str, Tensor]) -> dict[str, Tensor]:
    assert live.encoder is not None
    with torch.no_grad():
        features, nodes = live.encoder(faces["condition"], faces["condition_points"])
    batch = faces | {"features": features, "nodes": nodes}
    return {name: batch[name] for name in INPUTS}


@pytest.fixture(scope="module")
def file(
    live: AnonyGan, inputs: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    path: Path = tmp_path_factory.mktemp("deployed") / "live.onnx"
    torch.onnx.export(
        DeployedGenerator(live.generator).eval(),
        tuple(inputs.values()),
        path,
        input_names=list(INPUTS),
        output_names=list(OUTPUTS),
        dynamo=True,
        dynamic_shapes=(tuple({0: torch.export.Dim("faces")} for _ in INPUTS),),
        external_data=False,
        verbose=False,
    )
    return path


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore:# The axis name")
@pytest.mark.parametrize("count", [1, 3])
def test_onnx_runtime_and_openvino_agree_with_pytorch(
    live: AnonyGan, inputs: dict[str, Tensor], file: Path, count: int
) -> None:
    some = {name: value[:count] for name, value in inputs.items()}
    with torch.no_grad():
        expected = [out.numpy() for out in DeployedGenerator(live.generator)(*some.values())]
    arrays = {name: value.numpy() for name, value in some.items()}
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    answers = OpenVinoBackend(file).run(arrays)
    for name, want, ours in zip(OUTPUTS, expected, session.run(None, arrays), strict=True):
        assert want.ndim == 2 or want.std() > 1e-3, "dead"
        for got in (np.asarray(ours), np.asarray(answers[name])):
            assert got.dtype == want.dtype
            assert got.shape == want.shape
            assert difference(got, want) <= (1 if want.dtype == np.uint8 else 1e-4)


def difference(a: NDArray[np.generic], b: NDArray[np.generic]) -> float:
    return float(np.abs(a.astype(np.float32) - b.astype(np.float32)).max())
