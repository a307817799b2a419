"""Networks on ONNX Runtime: on the CPU, or with ``onnxruntime-gpu`` on an NVIDIA GPU."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from streamanon.errors import ModelError, error_line

Provider = Literal["CPUExecutionProvider", "CUDAExecutionProvider"]
"""Execution provider of ONNX Runtime."""

CPU: Provider = "CPUExecutionProvider"
CUDA: Provider = "CUDAExecutionProvider"

NO_CUDA = "this onnxruntime has no CUDA: pip uninstall onnxruntime, pip install onnxruntime-gpu"

_ERRORS_ONLY = 3
_SETTINGS: dict[str, dict[str, Any]] = {
    CPU: {},
    CUDA: {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"},
}
"""TF32 would reduce the precision of float32; an exhaustive search of algorithms would stall a
stream at each new size of a picture."""


def has_cuda() -> bool:
    """Return whether the installed package supports NVIDIA GPUs (``onnxruntime-gpu``)."""
    return CUDA in onnxruntime.get_available_providers()


class OnnxRuntimeBackend:
    """An ONNX file, loaded.

    Denormals are flushed to zero (they cost up to 5x), and threads sleep while they wait: spinning
    would take the CPU from the other stages. Arenas of memory would hold twice what a network
    needs, and save no time.
    """

    def __init__(self, path: Path, *, threads: int = 1, provider: Provider = CPU) -> None:
        """Load a network.

        Raises:
            ModelError: ONNX Runtime cannot load the file, or not with this provider.
        """
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = _ERRORS_ONLY
        options.enable_cpu_mem_arena = False
        options.add_session_config_entry("session.set_denormal_as_zero", "1")
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._name = path.name
        if provider == CUDA and not has_cuda():
            raise ModelError(NO_CUDA)
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=[(provider, _SETTINGS[provider])]
            )
        except Exception as error:
            raise ModelError(
                f"{path.name} is not a network ONNX Runtime can load ({error_line(error)}): "
                "install streamanon again"
            ) from error
        found = self._session.get_providers()[0]
        if found != provider:  # it falls back silently
            raise ModelError(
                f"ONNX Runtime cannot use {provider} here, only {found}: install what "
                "onnxruntime-gpu needs of CUDA and cuDNN"
            )
        self.runtime = (
            f"ONNX Runtime {onnxruntime.__version__} {found}, "
            f"{threads} thread{'s' if threads > 1 else ''}"
        )
        self._outputs = [output.name for output in self._session.get_outputs()]

    def run(self, inputs: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
        """Map named input arrays to named output arrays; raises ModelError."""
        try:
            outputs = self._session.run(self._outputs, dict(inputs))
        except Exception as error:
            raise ModelError(f"{self._name} could not be run: {error_line(error)}") from error
        return dict(zip(self._outputs, outputs, strict=True))
