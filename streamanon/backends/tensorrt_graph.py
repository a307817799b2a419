"""ONNX graphs in the form TensorRT takes them: no work on bytes, and half precision where it pays.

From version 11 on, and in TensorRT-RTX, a network is computed in the types its graph is written in;
so this is where half precision is decided, for every version alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import onnx
from onnx import TensorProto, helper, shape_inference

if TYPE_CHECKING:
    from collections.abc import Iterable

Precision = Literal["fp32", "fp16"]

PRODUCTS = ("Conv", "ConvTranspose", "MatMul", "Gemm")
"""Where the arithmetic is."""

_FLOATS_BESIDE_DATA = {"Resize": 1}
"""Inputs that count: those behind are settings, which stay in float32."""


def prepared(model: onnx.ModelProto, precision: Precision) -> onnx.ModelProto:
    """Return a graph that TensorRT can parse.

    Args:
        model: as it ships, in float32.
        precision: "fp16" calculates in half precision from the first product to the last. What lies
            before (places, in px) and after (the sigmoid of every pixel) stays in float32.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    _cast_bytes_first(result.graph)
    if precision == "fp16":
        _halve(result)
    del result.graph.value_info[:]  # they tell the types of before
    onnx.checker.check_model(result)
    return result


def _cast_bytes_first(graph: onnx.GraphProto) -> None:
    """Let 8 bit inputs become floats before they are transposed: TensorRT cannot move bytes."""
    images = {
        one.name for one in graph.input if one.type.tensor_type.elem_type == TensorProto.UINT8
    }
    nodes: list[onnx.NodeProto] = []
    floats = {}
    for node in graph.node:
        if node.op_type == "Transpose" and node.input[0] in images:
            name = node.input[0]
            if name not in floats:
                floats[name] = f"{name}.float"
                nodes.append(helper.make_node("Cast", [name], [floats[name]], to=TensorProto.FLOAT))
            node.input[0] = floats[name]
        nodes.append(node)
    _replace_nodes(graph, nodes)


def _halve(model: onnx.ModelProto) -> None:
    """Calculate in half precision from the first product to the last."""
    graph = model.graph
    types = _types(model)
    inside = _between_products(graph)
    stored = {  # weights lie in half precision already
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
            elif place < _FLOATS_BESIDE_DATA.get(node.op_type, len(node.input)):
                if name in stored:
                    node.input[place] = stored[name]
                elif name not in halves and types.get(name) == TensorProto.FLOAT:
                    node.input[place] = casts.to(name, TensorProto.FLOAT16, nodes)
        nodes.append(node)
    _replace_nodes(graph, nodes)


class _Casts:
    """Casts tensors, each once."""

    def __init__(self) -> None:
        self._made: dict[str, str] = {}

    def to(self, name: str, kind: int, nodes: list[onnx.NodeProto]) -> str:
        """Return what a tensor is called in another type; the cast joins the nodes if it is new."""
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
    """Return the numbers of all nodes that are a product, or lie between two."""
    products = {n for n, node in enumerate(graph.node) if node.op_type in PRODUCTS}
    after = _reached(products, [(n, node.input, node.output) for n, node in enumerate(graph.node)])
    before = _reached(
        products, [(n, node.output, node.input) for n, node in reversed([*enumerate(graph.node)])]
    )
    return products | after & before


def _reached(
    start: set[int], nodes: Iterable[tuple[int, Iterable[str], Iterable[str]]]
) -> set[int]:
    """Return the nodes that something flows into from some of them.

    Args:
        start: where it flows from.
        nodes: number, what flows in and what flows out, in the order of the flow.
    """
    wet: set[str] = set()
    found = set()
    for number, entering, leaving in nodes:
        if wet & set(entering):
            found.add(number)
        if number in start or number in found:
            wet |= set(leaving)
    return found


def _replace_nodes(graph: onnx.GraphProto, nodes: list[onnx.NodeProto]) -> None:
    del graph.node[:]
    graph.node.extend(nodes)
