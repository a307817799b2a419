"""An annotator for supervision (https://supervision.roboflow.com) that hides faces.

It has the method of supervision's own annotators, so it stands in their place, for example in
``sv.process_video``; it does not need the detections, since it finds faces itself::

    with FaceAnonymiser() as hide:
        sv.process_video("in.mp4", "out.mp4", lambda scene, _: hide.annotate(scene))

Put it before annotators that draw boxes and labels, so that these stay readable.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

import streamanon


class FaceAnonymiser:
    """Hides every face of scenes that follow each other; a person keeps the same new face."""

    def __init__(self, config: streamanon.Config | None = None) -> None:
        """Settle the settings, of which "delay" must stay 0."""
        self._anonymiser = streamanon.Anonymiser(config)
        self._scene = np.zeros((1, 1, 3), np.uint8)
        # With live=True each frame comes out before the next one is taken.
        self._safe = self._anonymiser.frames(self._scenes(), live=True, faces=True)
        self.faces: tuple[streamanon.HiddenFace, ...] = ()

    def _scenes(self) -> Iterator[NDArray[np.uint8]]:
        while True:
            yield self._scene

    def annotate(
        self, scene: NDArray[np.uint8], detections: Any = None, **_: Any
    ) -> NDArray[np.uint8]:
        """Return the scene with faces hidden; ``self.faces`` then says where they were."""
        del detections
        self._scene = scene
        safe = next(self._safe)
        self.faces = safe.faces
        return safe.image

    def __enter__(self) -> "FaceAnonymiser":
        return self

    def __exit__(self, *_: object) -> None:
        self._safe.close()
        self._anonymiser.close()
