"""The canonical face of MediaPipe's face mesh.

Source: ``geometry_pipeline_metadata_landmarks.binarypb`` in Google's face_landmarker.task
(float16/1), Apache-2.0; ``export/canonical_face.py`` makes the file read here out of it.
"""

from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from streamanon.types import F32

with files(__package__).joinpath("canonical_face.npz").open("rb") as _file, np.load(_file) as _face:
    TRIANGLES: NDArray[np.int32] = _face["triangles"]
    """(898, 3) int32 corners of the skin's triangles, closed over eyes and mouth."""
    VERTICES: F32 = _face["vertices"]
    """(468, 3) float32 in centimetres: x to the subject's left, y up, z to the camera."""
    POSE_WEIGHTS: F32 = _face["pose_weights"]
    """(33, 2) float32 index and weight of the points that move little with expression."""
