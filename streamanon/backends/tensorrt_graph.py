"""ONNX graphs prepared for TensorRT: no operations on bytes, and half precision where it pays.

TensorRT from version 11 and TensorRT-RTX are strongly typed: a network is computed in the types of
its graph. So half precision is chosen here, for all versions alike.
"""

from collections.abc import Iterable
from typing import Literal

import onnx
from onnx import TensorProto, helper, shape_inference

Precision = Literal["fp32", "fp16"]

COMPUTE_OPS = ("Conv", "ConvTranspose", "MatMul", "Gemm")
"""Operations that do nearly all of the arithmetic."""

_DATA_INPUTS = {"Resize": 1}
"""Number of inputs that are data; those after are settings, which stay in float32."""


def prepare(model: onnx.ModelProto, precision: Precision) -> onnx.ModelProto:
    """Return a graph that TensorRT can parse, from one in float32 as it ships.

    "fp16" computes in half precision from the first convolution or product to the last. Operations
    before (positions in px) and after (the sigmoid of every pixel) stay in float32.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    _cast_bytes_first(result.graph)
    if precision == "fp16":
        _to_half(result)
    del result.graph.value_info[:]  # holds the original types
    onnx.checker.check_model(result)
    return result


def _cast_bytes_first(graph: onnx.GraphProto) -> None:
    """Cast 8 bit inputs to float where they come in: TensorRT cannot transpose bytes."""
    images = {
        one.name for one in graph.input if one.type.tensor_type.elem_type == TensorProto.UINT8
    }
    nodes: list[onnx.NodeProto] = []
    floats = {}
    for node in graph.node:
        if node.op_type in ("Reshape", "Transpose") and node.input[0] in images:
            name = node.input[0]
            if name not in floats:
                floats[name] = f"{name}.float"
                nodes.append(helper.make_node("Cast", [name], [floats[name]], to=TensorProto.FLOAT))
            node.input[0] = floats[name]
        nodes.append(node)
    _replace_nodes(graph, nodes)


def _to_half(model: onnx.ModelProto) -> None:
    """Compute in half precision from the first product to the last."""
    graph = model.graph
    types = _types(model)
    inside = _between_products(graph)
    stored = {  # weights already stored in half precision
        node.output[0]: node.input[0]
        for node in graph.node
        if node.op_type == "Cast" and types.get(node.input[0]) == TensorProto.FLOAT16
    }
    halves = {
        name
        for number in inside
        for name in graph.node[number].output
        if types.get(name) == TensorProto.FLOAT
    }
    casts = _Casts()
    nodes: list[onnx.NodeProto] = []
    for number, node in enumerate(graph.node):
        for place, name in enumerate(node.input):
            if number not in inside:
                if name in halves:
                    node.input[place] = casts.to(name, TensorProto.FLOAT, nodes)
            elif place < _DATA_INPUTS.get(node.op_type, len(node.input)):
                if name in stored:
                    node.input[place] = stored[name]
                elif name not in halves and types.get(name) == TensorProto.FLOAT:
                    node.input[place] = casts.to(name, TensorProto.FLOAT16, nodes)
        nodes.append(node)
    _replace_nodes(graph, nodes)


class _Casts:
    """Inserts casts, at most one per tensor."""

    def __init__(self) -> None:
        self._made: dict[str, str] = {}

    def to(self, name: str, kind: int, nodes: list[onnx.NodeProto]) -> str:
        """Return the name of a tensor in another type; adds the cast to the nodes if new."""
        if name not in self._made:
            self._made[name] = f"{name}.{TensorProto.DataType.Name(kind).lower()}"
            nodes.append(helper.make_node("Cast", [name], [self._made[name]], to=kind))
        return self._made[name]


def _types(model: onnx.ModelProto) -> dict[str, int]:
    """Return the element type of every tensor."""
    graph = shape_inference.infer_shapes(model).graph
    types = {one.name: one.data_type for one in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        types[value.name] = value.type.tensor_type.elem_type
    return types


def _between_products(graph: onnx.GraphProto) -> set[int]:
    """Return the indices of all nodes that are products or lie between two of them."""
    products = {n for n, node in enumerate(graph.node) if node.op_type in COMPUTE_OPS}
    after = _reachable(
        products, [(n, node.input, node.output) for n, node in enumerate(graph.node)]
    )
    before = _reachable(
        products, [(n, node.output, node.input) for n, node in reversed([*enumerate(graph.node)])]
    )
    return products | after & before


def _reachable(
    start: set[int], nodes: Iterable[tuple[int, Iterable[str], Iterable[str]]]
) -> set[int]:
    """Return the indices of the nodes that are reachable from some of them."""
    reached: set[str] = set()
    found = set()
    for number, entering, leaving in nodes:
        if reached & set(entering):
            found.add(number)
        if number in start or number in found:
            reached |= set(leaving)
    return found


def _replace_nodes(graph: onnx.GraphProto, nodes: list[onnx.NodeProto]) -> None:
    del graph.node[:]
    graph.node.extend(nodes)
