"""The face descriptor of HSE_FaceRec_tf, by way of human-models: 1024 numbers, no part of ours.

It sees a wide crop, with hair and neck.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import onnxruntime

from streamanon.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from streamanon.types import F32, U8

SIDE_PX = 224
MEAN_RGB = np.array([123.68, 116.78, 103.94], np.float32)
CROP = 1.5
"""Side of the crop, in those of the mesh."""


class FaceRes:
    """A recogniser out of ``faceres.onnx``; see :class:`benchmarks.judges.recognisers.Recogniser`.

    One input, (1, 224, 224, 3) float32 RGB minus the mean; one of the outputs has 1024 numbers.
    """

    name = "faceres"
    used_in_training = False
    dimensions = 1024

    def __init__(self, path: Path) -> None:
        """Load the network.

        Raises:
            UsageError: there is no such file, or it is another network.
        """
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                path.read_bytes(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            raise UsageError(f"{path} is not a network ONNX Runtime can load: {error}") from error
        self._input = self._session.get_inputs()[0]
        outputs = {one.shape[-1]: one.name for one in self._session.get_outputs()}
        if list(self._input.shape[1:]) != [SIDE_PX, SIDE_PX, 3] or not {1024, 100, 1} <= set(
            outputs
        ):
            raise UsageError(f"{path} is not faceres.onnx: its arrays have other shapes")
        self._descriptor, self._appearance = outputs[1024], [outputs[1], outputs[100]]

    def embed(self, image: U8, mesh_points: F32) -> F32:
        """Describe one face; see :class:`benchmarks.judges.recognisers.Recogniser`."""
        (answer,) = self._run([self._descriptor], image, mesh_points)
        return np.asarray(answer / max(float(np.linalg.norm(answer)), 1e-12), np.float32)

    def appearance(self, image: U8, mesh_points: F32) -> tuple[bool, float]:
        """Return whether a face looks male, and the age in years that it looks.

        Args:
            image: (h, w, 3) uint8 BGR.
            mesh_points: (478, 3) float32 px of the image.
        """
        p_male, ages = self._run(self._appearance, image, mesh_points)
        return bool(p_male[0] > 0.5), float(ages @ np.arange(len(ages)))

    def _run(self, outputs: list[str], image: U8, mesh_points: F32) -> list[F32]:
        """Return some outputs for one face, each (n,) float32."""
        flat = mesh_points[:468, :2]
        low, high = flat.min(axis=0), flat.max(axis=0)
        scale = SIDE_PX / (CROP * float((high - low).max()))
        shift = SIDE_PX / 2 - scale * (low + high) / 2
        to_crop = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
        crop = cv2.warpAffine(
            image,
            to_crop,
            (SIDE_PX, SIDE_PX),
            flags=cv2.INTER_AREA,
            borderMode=cv2.BORDER_REPLICATE,
        )
        pixels = crop[None, :, :, ::-1].astype(np.float32) - MEAN_RGB
        answers = self._session.run(outputs, {self._input.name: pixels})
        return [np.asarray(answer, np.float32).ravel() for answer in answers]
