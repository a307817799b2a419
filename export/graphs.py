"""From a trained network to ONNX graphs: both branches, weights stored in half precision."""

from __future__ import annotations

import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper

from streamanon.anonygan.deployed import INPUTS, OUTPUTS, DeployedGenerator
from streamanon.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import nn

    from export.faces import Sample
    from streamanon.anonygan.network import AnonyGan

CONDITION_INPUTS = ("condition", "condition_points")
CONDITION_OUTPUTS = ("features", "nodes")

OPSET = 18
"""Supported by all runtimes: the oldest that PyTorch exports directly."""

MIN_HALF_SIZE = 64
"""Minimum size of a constant that is stored in half precision."""

Arrays = dict[str, "NDArray[Any]"]


@dataclass(frozen=True)
class Branch:
    """One of the two exported parts of a network, with example inputs.

    Attributes:
        module: module that takes its inputs in order.
        inputs: inputs for some faces.
        outputs: names of the outputs.
    """

    module: nn.Module
    inputs: Arrays
    outputs: tuple[str, ...]

    def run(self, inputs: Arrays) -> Arrays:
        """Return the outputs of PyTorch."""
        tensors = [torch.from_numpy(np.ascontiguousarray(array)) for array in inputs.values()]
        with torch.no_grad():
            answers = self.module(*tensors)
        return {name: array.numpy() for name, array in zip(self.outputs, answers, strict=True)}

    def graph(self) -> onnx.ModelProto:
        """Return the ONNX graph, with a dynamic batch axis."""
        each = tuple({0: torch.export.Dim("faces", min=1, max=1024)} for _ in self.inputs)
        several = isinstance(self.module, DeployedGenerator)  # its inputs are one argument
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            path = Path(folder) / "graph.onnx"
            torch.onnx.export(
                self.module,
                tuple(torch.from_numpy(array) for array in self.inputs.values()),
                path,
                input_names=list(self.inputs),
                output_names=list(self.outputs),
                opset_version=OPSET,
                dynamo=True,
                dynamic_shapes=(each,) if several else each,
                external_data=False,
                verbose=False,
            )
            return planar_inside(without_traces(onnx.load(path)))


def planar_inside(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a graph that transposes images, (n, h, w, c), where they come in and stays with it.

    ONNX Runtime moves a transposition of four axes past slices and sums, which then work on rows of
    one channel: a sixth of the time of the live network. It leaves one of three axes alone.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    shapes = {
        one.name: [side.dim_value for side in one.type.tensor_type.shape.dim] for one in graph.input
    }
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        perm = next((list(one.ints) for one in node.attribute if one.name == "perm"), None)
        if perm != [0, 3, 1, 2] or node.input[0] not in shapes:
            nodes.append(node)
            continue
        (image,), (planes,) = node.input, node.output
        _, height, width, channels = shapes[image]
        for name, shape in (
            (f"{planes}.rows", [0, height * width, channels]),
            (f"{planes}.planes", [0, channels, height, width]),
        ):
            graph.initializer.append(numpy_helper.from_array(np.array(shape, np.int64), name))
        rows, flat = f"{image}.rows", f"{planes}.flat"
        nodes += [
            helper.make_node("Reshape", [image, f"{planes}.rows"], [rows], name=rows),
            helper.make_node("Transpose", [rows], [flat], name=node.name, perm=[0, 2, 1]),
            helper.make_node("Reshape", [flat, f"{planes}.planes"], [planes], name=flat),
        ]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(result, full_check=True)
    return result


def without_traces(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a graph without source locations and other metadata of this machine."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    for one in (result, result.graph, *result.graph.node, *result.graph.value_info):
        del one.metadata_props[:]
        one.ClearField("doc_string")
    for one in (*result.graph.input, *result.graph.output, *result.graph.initializer):
        del one.metadata_props[:]
    return result


def batched(inputs: Sequence[Arrays]) -> Arrays:
    """Return arrays with a batch axis in front."""
    return {name: np.stack([one[name] for one in inputs]) for name in inputs[0]}


def branches(network: AnonyGan, faces: Sequence[Sample]) -> tuple[Branch, Branch]:
    """Return the live branch and the condition branch.

    Args:
        network: trained network.
        faces: faces for the example inputs.

    Raises:
        UsageError: The network has no condition branch.
    """
    if network.encoder is None:
        raise UsageError(
            f"a network of wiring {network.config.wiring!r} has no condition branch: only the live "
            "wiring runs in the product"
        )
    arrays = batched([face.inputs for face in faces])
    own = {name: arrays[name] for name in CONDITION_INPUTS}
    condition = Branch(network.encoder.eval(), own, CONDITION_OUTPUTS)
    arrays |= condition.run(own)
    shown = {name: arrays[name] for name in INPUTS}
    return Branch(DeployedGenerator(network.generator).eval(), shown, OUTPUTS), condition


def rounded(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a graph whose weights are rounded to half precision, in float32."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    for constant in result.graph.initializer:
        value = numpy_helper.to_array(constant)
        if value.dtype == np.float32 and value.size >= MIN_HALF_SIZE:
            half = value.astype(np.float16).astype(np.float32)
            constant.CopyFrom(numpy_helper.from_array(half, constant.name))
    return result


def stored_in_half(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a graph whose constants are stored in half precision where that is lossless."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    casts = []
    for constant in graph.initializer:
        value = numpy_helper.to_array(constant)
        if value.dtype != np.float32 or value.size < MIN_HALF_SIZE:
            continue
        half, name = value.astype(np.float16), constant.name
        if np.array_equal(half.astype(np.float32), value):
            constant.CopyFrom(numpy_helper.from_array(half, f"{name}.half"))
            cast = helper.make_node("Cast", [f"{name}.half"], [name], to=onnx.TensorProto.FLOAT)
            casts.append(cast)
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(result, full_check=True)
    return result
