"""A graph made for TensorRT says what it said before."""

from typing import Any

import numpy as np
import pytest

from streamanon import weights
from streamanon.backends.onnx_runtime import OnnxRuntimeBackend

pytest.importorskip("onnx", reason="the extra torch is not installed")

from pathlib import Path

import onnx

from streamanon.backends.tensorrt_graph import COMPUTE_OPS, Precision, prepare
from testkit.network_rows import Arrays, worst

SHIPPED = onnx.load(weights.path("anonygan.onnx"))


def answers(precision: Precision, folder: Path, inputs: Arrays) -> Arrays:
    onnx.save(prepare(SHIPPED, precision), folder / "made.onnx")
    return OnnxRuntimeBackend(folder / "made.onnx").run(inputs)


def of_type(model: Any, kind: int) -> set[str]:
    """Names of all tensors of a type."""
    inferred = onnx.shape_inference.infer_shapes(model).graph
    values = (*inferred.input, *inferred.value_info, *inferred.output)
    found = {one.name for one in values if one.type.tensor_type.elem_type == kind}
    return found | {one.name for one in inferred.initializer if one.data_type == kind}


def test_no_bytes_are_moved() -> None:
    made = prepare(SHIPPED, "fp32")
    images = {"context", "maps", "warped"}
    takers = [node.op_type for node in made.graph.node if images & set(node.input)]
    assert takers == ["Cast"] * 3
    before = [node.op_type for node in SHIPPED.graph.node if images & set(node.input)]
    assert before == ["Reshape"] * 3, "the network ships without: then nothing needs to be done"


def test_single_precision_changes_nothing(tmp_path: Path, live_faces: Arrays) -> None:
    wanted = OnnxRuntimeBackend(weights.path("anonygan.onnx")).run(live_faces)
    for name, array in answers("fp32", tmp_path, live_faces).items():
        assert np.array_equal(array, wanted[name])


def test_half_precision_is_within_two_levels(tmp_path: Path, live_faces: Arrays) -> None:
    wanted = OnnxRuntimeBackend(weights.path("anonygan.onnx")).run(live_faces)
    assert all(np.ptp(array) > 0 for array in wanted.values())
    made = answers("fp16", tmp_path, live_faces)
    assert any(not np.array_equal(made[name], array) for name, array in wanted.items())
    assert max(worst(made, wanted).values()) <= 2


def test_all_products_and_nothing_before_them_are_in_half_precision() -> None:
    made = prepare(SHIPPED, "fp16")
    halves = of_type(made, onnx.TensorProto.FLOAT16)
    products = [node for node in made.graph.node if node.op_type in COMPUTE_OPS]
    assert len(products) > 50
    assert all(set(node.input) | set(node.output) <= halves for node in products)
    floats = of_type(made, onnx.TensorProto.FLOAT)
    places = {"points", "lookup", "condition_points"}
    assert places <= floats
    for node in made.graph.node:
        if places & set(node.input) and node.op_type not in ("Shape", "Cast"):
            assert set(node.output) <= floats


def test_what_was_given_is_left_as_it_is() -> None:
    before = SHIPPED.SerializeToString()
    prepare(SHIPPED, "fp16")
    assert SHIPPED.SerializeToString() == before
