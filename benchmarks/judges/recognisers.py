"""Recognisers: whether two faces show the same person.

Every recogniser gets the picture *and where the face is*: the mesh of the original picture, also
for the anonymised one. No detector finds a covered face; an attacker who knows the original's
geometry (from the frame before, say) still gets a crop, so a blur is judged by what it hides and
not by the detector it blinds.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import dlib
import numpy as np
import onnxruntime

from benchmarks.judges.faceres import FaceRes
from streamanon import weights
from streamanon.backends.onnx_runtime import OnnxRuntimeBackend
from streamanon.detectors.mobilefacenet import MobileFaceNetEmbedder, align
from streamanon.errors import UsageError
from streamanon.face.landmarks import five_points
from streamanon.imaging.crop import crop_square, to_blob
from streamanon.imaging.picture import as_picture

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from streamanon.types import F32, U8

_DLIB_POINTS = (263, 362, 33, 133, 2)
"""Mesh points of dlib's five: outer and inner corner of left and right eye, base of the nose."""

_DLIB_TEMPLATE = np.array(
    [[0.8595674595992, 0.2134981538014], [0.6460604764104, 0.2289674387677],
     [0.1205750620789, 0.2137274526848], [0.3340850613712, 0.2290642403242],
     [0.4901123135679, 0.6277975316475]],
    np.float64,
)  # fmt: skip
"""Where they belong, in sides of the face; source: dlib's get_face_chip_details."""

_DLIB_PX = 150
_DLIB_PADDING = 0.25
"""Side of the network's input, and what it shows around the face, in sides of the face."""

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
    """dlib's ResNet-29 (dlib_face_recognition_resnet_model_v1); nothing was trained against it.

    Aligned by five points as dlib does, except that they come from the mesh and keep their
    fractions of a pixel.
    """

    name = "dlib-resnet"
    used_in_training = False
    dimensions = 128

    def __init__(self) -> None:
        """Load the network.

        Raises:
            UsageError: the package that carries it is not installed.
        """
        # Only the package's files are wanted: importing it needs the deprecated pkg_resources.
        package = find_spec("face_recognition_models")
        if package is None or package.origin is None:
            raise UsageError("dlib-resnet needs a package: pip install face-recognition-models")
        folder = Path(package.origin).parent / "models"
        self._network = dlib.face_recognition_model_v1(
            str(folder / "dlib_face_recognition_resnet_model_v1.dat")
        )

    def embed(self, image: U8, mesh_points: F32) -> F32:
        """Describe one face; see :class:`Recogniser`."""
        square = _dlib_square(mesh_points[_DLIB_POINTS, :2])
        chip = crop_square(as_picture(image), square, _DLIB_PX)
        vector = self._network.compute_face_descriptor(np.ascontiguousarray(chip[:, :, ::-1]))
        return _unit(np.array(vector))


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


def _dlib_square(points: F32) -> F32:
    """Return the (3, 2) corners, in px, of the square behind (5, 2) points that dlib looks at.

    The similarity of least squares between points and template, with points as complex numbers.
    """
    seen = points.astype(np.float64) @ (1, 1j)
    side = 1 + 2 * _DLIB_PADDING
    template = (_DLIB_TEMPLATE + _DLIB_PADDING) @ (1, 1j)
    centred = template - template.mean()
    turn = np.vdot(centred, seen - seen.mean()) / np.vdot(centred, centred)
    corners = (np.array([0, side, side * 1j]) - template.mean()) * turn + seen.mean()
    return np.stack([corners.real, corners.imag], axis=1).astype(np.float32)


def _unit(vector: NDArray[np.floating]) -> F32:
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-12), np.float32)


def _options() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return options
