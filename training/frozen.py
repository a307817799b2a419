"""An ONNX network run in PyTorch, differentiable with respect to its input."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import torch
from onnx import helper, numpy_helper
from torch import Tensor, nn
from torch.nn import functional

from streamanon.errors import ModelError


class FrozenNetwork(nn.Module):
    """Runs the graph of an ONNX file for a batch of any size, with frozen weights.

    Supports the operations of the product's recogniser and mesh. Reshapes in these only flatten
    each image, and do so here.
    """

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            ModelError: The graph has an operation that is not supported.
        """
        super().__init__()
        graph = onnx.load(path).graph
        self._outputs = [output.name for output in graph.output]
        self._input = graph.input[0].name
        self._constants: dict[str, str] = {}
        for tensor in graph.initializer:
            self._hold(tensor.name, numpy_helper.to_array(tensor))
        self._steps = [node for node in graph.node if not self._folded(node)]
        if unknown := {node.op_type for node in self._steps} - set(_OPERATIONS):
            raise ModelError(f"{path} needs {', '.join(sorted(unknown))}, unknown here")
        self._attributes = [
            {each.name: helper.get_attribute_value(each) for each in node.attribute}
            for node in self._steps
        ]

    def _hold(self, name: str, array: Any) -> None:
        held = torch.from_numpy(array.copy())
        if held.is_floating_point():
            held = held.float()
        self._constants[name] = f"constant_{len(self._constants)}"
        self.register_buffer(self._constants[name], held, persistent=False)

    def _folded(self, node: onnx.NodeProto) -> bool:
        """Add the output of a constant node to the constants; return whether it is one."""
        if node.op_type == "Constant":
            self._hold(node.output[0], numpy_helper.to_array(node.attribute[0].t))
        elif node.op_type == "Cast" and node.input[0] in self._constants:
            self._constants[node.output[0]] = self._constants[node.input[0]]
        else:
            return False
        return True

    def forward(self, image: Tensor) -> list[Tensor]:
        """Return the outputs, each flat: (N, values)."""
        known = {name: getattr(self, held) for name, held in self._constants.items()}
        known[self._input] = image
        for node, attributes in zip(self._steps, self._attributes, strict=True):
            inputs = [known[name] for name in node.input]
            known[node.output[0]] = _OPERATIONS[node.op_type](attributes, *inputs)
        return [known[name].flatten(1) for name in self._outputs]


def _conv(how: dict[str, Any], x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    top, left, bottom, right = how.get("pads", (0, 0, 0, 0))
    if (top, left) != (bottom, right):
        x, top, left = functional.pad(x, (left, right, top, bottom)), 0, 0
    stride = tuple(how.get("strides", (1, 1)))
    return functional.conv2d(x, weight, bias, stride, (top, left), groups=how.get("group", 1))


def _max_pool(how: dict[str, Any], x: Tensor) -> Tensor:
    return functional.max_pool2d(x, tuple(how["kernel_shape"]), tuple(how["strides"]))


_OPERATIONS: dict[str, Callable[..., Tensor]] = {
    "Add": lambda _, one, other: one + other,
    "Cast": lambda _, x: x,
    "Clip": lambda _, x, low, high: x.clamp(low, high),
    "Conv": _conv,
    "MaxPool": _max_pool,
    "Mul": lambda _, one, other: one * other,
    "Relu": lambda _, x: functional.relu(x),
    "Reshape": lambda _, x, __: x.flatten(1),
}
