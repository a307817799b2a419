"""The live network quantised to 8 bit integers: half the time on CPUs without bfloat16."""

import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)

KEPT_FLOAT = (
    "generator.stem.",
    "generator.weigh.",
    "generator.shape.0.",
    "decoder.image.1.",
    "decoder.light.",
)
"""Convolutions that stay in float32: the first ones, on pixels and landmarks, and the last ones,
which output pixels, light and attention."""


class _Faces(CalibrationDataReader):  # type: ignore[misc]
    """Yields the inputs of one face at a time."""

    def __init__(self, faces: Sequence[dict[str, NDArray[Any]]]) -> None:
        self._faces = iter(faces)

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        face = next(self._faces, None)
        return face and {name: array[None] for name, array in face.items()}


def quantised(model: onnx.ModelProto, faces: Sequence[dict[str, NDArray[Any]]]) -> onnx.ModelProto:
    """Return a live network whose trunk computes in 8 bit integers.

    Args:
        model: network in float32.
        faces: inputs for calibration, without the batch axis.
    """
    convolutions = [
        node.name
        for node in model.graph.node
        if node.op_type == "Conv" and not any(part in node.input[1] for part in KEPT_FLOAT)
    ]
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        onnx.save(model, source)
        before = logging.root.level
        logging.root.setLevel(
            logging.ERROR
        )  # it recommends preprocessing that changes nothing here
        try:
            quantize_static(
                source,
                target,
                _Faces(faces),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=["Conv"],
                nodes_to_quantize=convolutions,
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                calibrate_method=CalibrationMethod.MinMax,
            )
        finally:
            logging.root.setLevel(before)
        return onnx.load(target)
