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
        found = [one.name for one in self._session.get_outputs() if one.shape[-1] == 1024]
        if list(self._input.shape[1:]) != [SIDE_PX, SIDE_PX, 3] or not found:
            raise UsageError(f"{path} is not faceres.onnx: its arrays have other shapes")
        self._output = found[0]

    def embed(self, image: U8, mesh_points: F32) -> F32:
        """Describe one face; see :class:`benchmarks.judges.recognisers.Recogniser`."""
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
        (answer,) = self._session.run([self._output], {self._input.name: pixels})
        vector = np.asarray(answer, np.float32).ravel()
        return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-12), np.float32)
