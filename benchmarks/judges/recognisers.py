"""Recognisers: whether two faces show the same person.

Every recogniser gets the picture *and where the face is*: the mesh of the original picture, also
for the anonymised one. No detector finds a covered face; an attacker who knows the original's
geometry (from the frame before, say) still gets a crop, so a blur is judged by what it hides and
not by the detector it blinds.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from benchmarks.judges.faceres import FaceRes
from streamanon import weights
from streamanon.backends.onnx_runtime import OnnxRuntimeBackend
from streamanon.detectors.dlib_resnet import DlibResNetEmbedder
from streamanon.detectors.mobilefacenet import MobileFaceNetEmbedder, align
from streamanon.errors import UsageError
from streamanon.face.landmarks import five_points
from streamanon.imaging.crop import to_blob
from streamanon.imaging.picture import as_picture
from streamanon.types import F32, U8

ONNX_PX = 112
_ONNX_SHAPE = (3, ONNX_PX, ONNX_PX)


class Recogniser(Protocol):
    """A face recogniser."""

    @property
    def name(self) -> str:
        """Name in tables."""
        ...

    @property
    def used_in_training(self) -> bool:
        """True when a training loss used it: it is shown, but does not count as a judge."""
        ...

    @property
    def dimensions(self) -> int:
        """Length of an embedding."""
        ...

    def embed(self, image: U8, mesh_points: F32) -> F32:
        """Describe one face.

        Args:
            image: (h, w, 3) uint8 BGR.
            mesh_points: (478, 2 or 3) px of the image, from the *original* picture (see above).

        Returns:
            (dimensions,) float32 unit vector; the cosine of two says how alike faces are.
        """
        ...


class DlibResNet:
    """dlib's ResNet-29; nothing was trained against it."""

    name = "dlib-resnet"
    used_in_training = False
    dimensions = 128

    def __init__(self) -> None:
        """Load the network.

        Raises:
            UsageError: the package that carries it is not installed.
        """
        self._embedder = DlibResNetEmbedder(self.name)

    def embed(self, image: U8, mesh_points: F32) -> F32:
        """Describe one face; see :class:`Recogniser`."""
        return self._embedder.embed(as_picture(image), mesh_points)


class MobileFaceNet:
    """The recogniser that ships with streamanon, which training losses use."""

    name = "mobilefacenet"
    used_in_training = True
    dimensions = 128

    def __init__(self) -> None:
        self._embedder = MobileFaceNetEmbedder(
            OnnxRuntimeBackend(weights.path("mobilefacenet.onnx"))
        )

    def embed(self, image: U8, mesh_points: F32) -> F32:
        """Describe one face; see :class:`Recogniser`."""
        return self._embedder.embed(as_picture(image), five_points(mesh_points))


class OnnxRecogniser:
    """A recogniser out of an ONNX file with the convention of insightface's models.

    One input, (n or 1, 3, 112, 112) float32: RGB, (value - 127.5) / 128, the face aligned by eye
    centres, nose tip and mouth corners to ArcFace's template. One output, (n or 1, dimensions).
    Other shapes are refused; another range of pixel values cannot be detected.
    """

    used_in_training = False

    def __init__(self, path: Path) -> None:
        """Load a network.

        Raises:
            UsageError: there is no such file, or it does not follow the convention.
        """
        if not path.is_file():
            raise UsageError(f"recogniser {path} is not a file: give the path of an ONNX network")
        try:
            session = onnxruntime.InferenceSession(
                str(path), _options(), providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            raise UsageError(f"recogniser {path} is not a network ONNX Runtime can load") from error
        inputs, outputs = session.get_inputs(), session.get_outputs()
        shapes = [list(array.shape) for array in (*inputs, *outputs)]
        wanted = f"one input (n, 3, {ONNX_PX}, {ONNX_PX}) float32 and one output (n, dimensions)"
        if (
            len(inputs) != 1
            or len(outputs) != 1
            or inputs[0].type != "tensor(float)"
            or tuple(inputs[0].shape[1:]) != _ONNX_SHAPE
            or (isinstance(inputs[0].shape[0], int) and inputs[0].shape[0] != 1)
        ):
            raise UsageError(f"recogniser {path} has arrays of shape {shapes}, wanted {wanted}")
        self._session, self._input = session, inputs[0].name
        self.name = f"onnx:{path.stem}"
        try:
            answer = self._run(np.zeros((1, *_ONNX_SHAPE), np.float32))
        except Exception as error:
            raise UsageError(
                f"recogniser {path} cannot be run on a face, wanted {wanted}"
            ) from error
        if answer.ndim != 2 or answer.shape[0] != 1:
            raise UsageError(f"recogniser {path} answers shape {answer.shape}, wanted {wanted}")
        self.dimensions = int(answer.shape[1])

    def embed(self, image: U8, mesh_points: F32) -> F32:
        """Describe one face; see :class:`Recogniser`."""
        chip = align(as_picture(image), five_points(mesh_points))
        return _unit(
            self._run((to_blob(chip[:, :, ::-1]) - np.float32(127.5)) / np.float32(128))[0]
        )

    def _run(self, crop: F32) -> F32:
        (answer,) = self._session.run(None, {self._input: crop})
        return np.asarray(answer, np.float32)


RECOGNISERS: dict[str, Callable[[], Recogniser]] = {
    "dlib-resnet": DlibResNet,
    "mobilefacenet": MobileFaceNet,
}
"""The recognisers by name; ``onnx:PATH`` and ``faceres:PATH`` name others."""


def recogniser(name: str) -> Recogniser:
    """Load the recogniser of a name.

    Raises:
        UsageError: the name is unknown, or its file cannot be used.
    """
    if name.startswith("onnx:"):
        return OnnxRecogniser(Path(name.removeprefix("onnx:")))
    if name.startswith("faceres:"):
        return FaceRes(Path(name.removeprefix("faceres:")))
    if name not in RECOGNISERS:
        known = ", ".join(RECOGNISERS)
        raise UsageError(
            f"no recogniser called {name!r}: it is one of {known}, onnx:PATH or faceres:PATH"
        )
    return RECOGNISERS[name]()


def _unit(vector: NDArray[np.floating]) -> F32:
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-12), np.float32)


def _options() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return options
