"""Networks on OpenVINO, on the CPU.

OpenVINO's import reports to Google Analytics through its telemetry package, so the import of that
package is blocked here.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from streamanon.backends.batching import check_inputs
from streamanon.errors import ModelError, error_line

sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # blocks the import

import openvino  # noqa: E402  after the block

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

Precision = Literal["f32", "bf16"]


@cache
def core() -> Any:
    """Return OpenVINO's core, created once."""
    return openvino.Core()


def has_bf16() -> bool:
    """Return whether this CPU supports bfloat16."""
    return "BF16" in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


class OpenVinoBackend:
    """An ONNX file, compiled for this CPU.

    Denormals are flushed to zero, and threads are not pinned to cores: the other stages need them.
    """

    def __init__(self, path: Path, *, threads: int = 1, precision: Precision = "f32") -> None:
        """Load a network; bf16 is slow where :func:`has_bf16` is false.

        Raises:
            ModelError: OpenVINO cannot load the file.
        """
        self._name = path.name
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": precision,
            "CPU_DENORMALS_OPTIMIZATION": True,
            "ENABLE_CPU_PINNING": False,
        }
        try:
            model = core().read_model(str(path))
            self._request = core().compile_model(model, "CPU", settings).create_infer_request()
        except Exception as error:
            raise ModelError(
                f"{path.name} is not a network OpenVINO can load ({error_line(error, -1)}): "
                "install streamanon again"
            ) from error
        self._inputs = {
            one.any_name: (
                tuple(-1 if side.is_dynamic else side.get_length() for side in one.partial_shape),
                one.element_type.to_dtype(),
            )
            for one in model.inputs
        }
        self._outputs = [one.any_name for one in model.outputs]
        self.runtime = (
            f"OpenVINO {openvino.__version__.split('-')[0]} CPU {precision}, "
            f"{threads} thread{'s' if threads > 1 else ''}"
        )

    def run(self, inputs: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
        """Map named input arrays to named output arrays; raises ModelError."""
        check_inputs(inputs, self._inputs, self._name)  # OpenVINO would convert or cut silently
        try:
            answer = self._request.infer({k: np.ascontiguousarray(v) for k, v in inputs.items()})
        except Exception as error:
            raise ModelError(f"{self._name} could not be run: {error_line(error, -1)}") from error
        return {name: np.array(answer[name]) for name in self._outputs}
