"""Convert the networks of MediaPipe's face_landmarker.task into the shipped ONNX files.

    python export/face_landmarker.py face_landmarker.task streamanon/weights

Needs ``tensorflow-cpu tf2onnx onnx`` (with numpy). Writes ``face_mesh.onnx`` and
``face_blendshapes.onnx``; weights are stored as float16, as in the task file, and widened on load.

The mesh network is rewritten so that ONNX Runtime keeps it in its blocked layout from end to end:
it has no PRelu there, which costs two thirds of the time of a plain conversion. With
``D = 1 - slope`` a channel, ``prelu(x) = x + D * relu(-x)``, so

* inside a block, where x = conv(y): the sum of conv(y) and relu(conv'(y)) with conv' scaled by
  ``-|D|``; where D < 0 both take the other sign, which the following depthwise convolution undoes
  (where channels are few enough that x and -x fill one block: relu of both, summed further on);
* between blocks the *negated* residual stream v is kept: ``-prelu(-v) = v - D * relu(v)``.

Every sum then rides on a convolution, and ONNX Runtime fuses it.
"""

from __future__ import annotations

import sys
import tempfile
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from tf2onnx import convert

Array = NDArray[np.float32]

BLOCK = 16
"""Channels of ONNX Runtime's blocked layout (AVX-512); depthwise convolutions must fill it."""

OPSET = 17


def from_tflite(task: zipfile.ZipFile, name: str) -> onnx.ModelProto:
    """Return a network of the task file as tf2onnx converts it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(task.extract(name, folder))
        model: onnx.ModelProto = convert.from_tflite(str(path), opset=OPSET)[0]
    return model


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """Return a node's attributes without the padding mode tf2onnx leaves beside explicit pads."""
    return {a.name: helper.get_attribute_value(a) for a in node.attribute if a.name != "auto_pad"}


@dataclass
class Graph:
    """An ONNX graph that grows node by node."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def add(self, kind: str, *inputs: str, name: str = "", **settings: Any) -> str:
        """Append a node and return the name of its output."""
        output = name or f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **settings))
        return output

    def constant(self, value: NDArray[Any]) -> str:
        """Return the name of a constant, stored as it is."""
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def weight(self, value: Array) -> str:
        """Return the name of a constant, stored as float16 when that loses nothing."""
        half = value.astype(np.float16)
        if not np.array_equal(half.astype(np.float32), value):
            return self.constant(value)
        return self.add("Cast", self.constant(half), to=onnx.TensorProto.FLOAT)

    def depthwise(self, x: str, gain: Array) -> str:
        """Return x with each channel times its gain."""
        kernel = self.constant(gain.astype(np.float32).reshape(-1, 1, 1, 1))
        return self.add("Conv", x, kernel, group=gain.size, kernel_shape=[1, 1])


@dataclass
class Kernel:
    """A convolution waiting to be written, in one or more scaled copies."""

    graph: Graph
    x: str
    weight: Array
    bias: Array
    settings: dict[str, Any]
    names: tuple[str, str] | None = None

    def read(self, factor: Array) -> None:
        """Fold in by which factor the input differs; two copies of it are to be summed."""
        if self.settings.get("group", 1) == 1:
            copies = factor.size // self.weight.shape[1]
            self.weight = np.tile(self.weight, (1, copies, 1, 1)) * factor[None, :, None, None]
        else:
            copies = factor.size // self.weight.shape[0]
            self.weight = np.tile(self.weight, (copies, 1, 1, 1)) * factor[:, None, None, None]
            self.bias = np.pad(self.bias, (0, factor.size - self.bias.size))
            self.settings["group"] = factor.size

    def write(self, gain: Array | float = 1.0) -> str:
        """Append the convolution with each output channel times its gain."""
        self.names = self.names or (self.graph.weight(self.weight), self.graph.weight(self.bias))
        weight, bias = self.names
        if np.any(np.asarray(gain) != 1.0):
            row = np.broadcast_to(np.asarray(gain, np.float32), self.bias.shape)
            weight = self.graph.add("Mul", weight, self.graph.constant(row.reshape(-1, 1, 1, 1)))
            bias = self.graph.add("Mul", bias, self.graph.constant(row))
        return self.graph.add("Conv", self.x, weight, bias, **self.settings)


class MeshRewriter:
    """Walks the converted mesh network once and writes the fast one.

    Each tensor of the old graph is known by its name in the new one and one factor a channel: the
    old is the new times that. Where there are twice the factors, it is the sum of both halves.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self.old = model.graph
        self.new = Graph()
        self.values = {c.name: numpy_helper.to_array(c) for c in self.old.initializer}
        self.readers: dict[str, list[onnx.NodeProto]] = {}
        for node in self.old.node:
            for name in node.input:
                self.readers.setdefault(name, []).append(node)
        self.known: dict[str, tuple[str, Array]] = {}
        self.waiting: dict[str, Kernel] = {}

    def run(self) -> onnx.ModelProto:
        """Return the new network: input (1, 3, 256, 256) -> points (478, 3), presence (1,)."""
        handlers = {"Conv": self.conv, "Add": self.join, "MaxPool": self.pool}
        for node in self.old.node:
            if node.op_type == "Transpose":
                self.known[node.output[0]] = ("input", np.ones(3, np.float32))
            elif node.op_type in handlers:
                handlers[node.op_type](node)
        for old, name, shape in (("Identity", "points", [478, 3]), ("Identity_1", "presence", [1])):
            source = next(n.input[0] for n in self.old.node if old in n.output)
            target = self.new.constant(np.array(shape, np.int64))
            self.new.add("Reshape", self.known[source][0], target, name=name)
        return self.finish()

    def finish(self) -> onnx.ModelProto:
        """Return the model, without what its outputs do not need."""
        needed, kept = {"points", "presence"}, []
        for node in reversed(self.new.nodes):
            if node.output[0] in needed:
                kept.append(node)
                needed.update(node.input)
        return model_of(
            kept[::-1],
            [c for c in self.new.constants if c.name in needed],
            {"input": [1, 3, 256, 256]},
            {"points": [478, 3], "presence": [1]},
        )

    def conv(self, node: onnx.NodeProto) -> None:
        """Write a convolution and the PRelu that follows it, if one does."""
        x, factor = self.known[node.input[0]]
        weight, bias = (self.values[name].astype(np.float32) for name in node.input[1:3])
        kernel = Kernel(self.new, x, weight, bias, attributes(node))
        kernel.read(factor)
        follower, output = self.readers[node.output[0]][0], node.output[0]
        if follower.op_type == "Add":
            self.waiting[output] = kernel
        elif follower.op_type != "PRelu":
            self.known[output] = (kernel.write(), np.ones(len(kernel.bias), np.float32))
        elif any(attributes(n).get("group", 1) > 1 for n in self.readers[follower.output[0]]):
            self.known[follower.output[0]] = self.inner_prelu(kernel, self.slope(follower))
        else:
            self.stream_prelu(kernel.write(-1.0), follower)

    def slope(self, prelu: onnx.NodeProto) -> Array:
        """Return (channels,) slopes."""
        return np.asarray(self.values[prelu.input[1]], np.float32).ravel()

    def inner_prelu(self, kernel: Kernel, slope: Array) -> tuple[str, Array]:
        """Write prelu(kernel) inside a block; return it and its factors."""
        if 2 * slope.size <= BLOCK:
            kernel.weight = np.concatenate([kernel.weight, -kernel.weight])
            kernel.bias = np.concatenate([kernel.bias, -kernel.bias])
            both = self.new.add("Relu", kernel.write())
            return both, np.concatenate([np.ones_like(slope), -slope])
        sign = np.where(slope > 1, -1, 1).astype(np.float32)
        bent = self.new.add("Relu", kernel.write(-np.abs(1 - slope)))
        return self.new.add("Add", kernel.write(sign), bent), sign

    def stream_prelu(self, negated: str, prelu: onnx.NodeProto) -> None:
        """Write a PRelu between blocks, of a tensor that is known by its negative."""
        gap, output = 1 - self.slope(prelu), prelu.output[0]
        bent = self.new.add("Relu", negated)
        if any(reader.op_type == "MaxPool" for reader in self.readers[output]):
            upright = self.new.depthwise(negated, -np.ones_like(gap))
            result = self.new.add("Add", upright, self.new.depthwise(bent, gap))
            self.known[output] = (result, np.ones_like(gap))
        else:
            result = self.new.add("Add", self.new.depthwise(bent, -gap), negated)
            self.known[output] = (result, -np.ones_like(gap))

    def join(self, node: onnx.NodeProto) -> None:
        """Write the end of a block: a convolution is added to the stream."""
        name = next(name for name in node.input if name in self.waiting)
        stream, factor = self.known[next(other for other in node.input if other != name)]
        if np.any(factor != -1):
            raise ValueError(f"{node.name}: the residual stream is not negated")
        total = self.new.add("Add", self.waiting.pop(name).write(-1.0), stream)
        self.stream_prelu(total, self.readers[node.output[0]][0])

    def pool(self, node: onnx.NodeProto) -> None:
        """Write a pool of the stream, with the channels of zeros that may follow, negated."""
        x, factor = self.known[node.input[0]]
        pooled = self.new.add("MaxPool", x, **attributes(node))
        follower = self.readers[node.output[0]][0]
        if follower.op_type != "Pad":
            self.known[node.output[0]] = (self.new.depthwise(pooled, -factor), -factor)
            return
        wider = np.vstack([-np.eye(factor.size), np.zeros((factor.size, factor.size))])
        kernel = self.new.weight(wider.astype(np.float32)[:, :, None, None])
        result = self.new.add("Conv", pooled, kernel, kernel_shape=[1, 1])
        self.known[follower.output[0]] = (result, -np.ones(len(wider), np.float32))


def model_of(
    nodes: list[onnx.NodeProto],
    constants: list[onnx.TensorProto],
    inputs: dict[str, list[int]],
    outputs: dict[str, list[int]],
) -> onnx.ModelProto:
    """Return a checked model with float32 inputs and outputs of these shapes."""
    sources, sinks = (
        [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name, shape in e]
        for e in (inputs.items(), outputs.items())
    )
    graph = helper.make_graph(nodes, "face_landmarker", sources, sinks, constants)
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=8,
        producer_name="streamanon",
    )
    onnx.checker.check_model(model)
    return model


def rename_ends(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the blendshape network with plain names and float16 storage."""
    graph, new = model.graph, Graph()
    names = {graph.input[0].name: "points", graph.output[0].name: "blendshapes"}
    for constant in graph.initializer:
        value = numpy_helper.to_array(constant)
        stored = new.weight(value) if value.dtype == np.float32 else new.constant(value)
        names[constant.name] = stored
    for number, node in enumerate(graph.node):
        for output in node.output:
            names.setdefault(output, f"n{number}_{output.count(':')}")
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        copy.name = ""
        copy.input[:] = [names.get(name, name) for name in node.input]
        copy.output[:] = [names[name] for name in node.output]
        new.nodes.append(copy)
    return model_of(new.nodes, new.constants, {"points": [1, 146, 2]}, {"blendshapes": [52]})


def main() -> None:
    """Convert both networks."""
    source, folder = Path(sys.argv[1]), Path(sys.argv[2])
    with zipfile.ZipFile(source) as task:
        mesh = MeshRewriter(from_tflite(task, "face_landmarks_detector.tflite")).run()
        blendshapes = rename_ends(from_tflite(task, "face_blendshapes.tflite"))
    onnx.save(mesh, folder / "face_mesh.onnx")
    onnx.save(blendshapes, folder / "face_blendshapes.onnx")


if __name__ == "__main__":
    main()
