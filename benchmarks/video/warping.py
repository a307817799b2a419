"""Whether pixels of the face move as the source's do: the flow-warped error.

Source: Lai et al., "Learning Blind Video Temporal Consistency", ECCV 2018. Flow and occlusion come
from the source alone, and only the face counts. What hides the source's face, a hand, moves in that
flow and not in the output. So the error by the output's own flow is there, too: it sees what comes
and goes, and not what moves otherwise.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from streamanon.face import landmarks as lm
from streamanon.imaging.crop import crop_square
from streamanon.types import F32, U8, Picture

RASTER_PX = 192
"""Side of the square around the face on which frames are compared."""

AROUND = 1.4
"""Side of that square, in face boxes."""

MIN_SHARE = 0.02
"""Of the square that must be face, and followed, for a pair of frames to count."""

MIN_FRAMES = 8


class WarpingError:
    """Collects the error over pairs of neighbouring frames."""

    def __init__(self) -> None:
        self._last: tuple[Picture, Picture, F32] | None = None
        self._source: list[float] = []
        self._output: list[float] = []
        self._own: list[float] = []
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

    def add(self, before: Picture, after: Picture, mesh: F32 | None) -> None:
        """Add the next frame of source and output; mesh is the source's (478, 3), None unseen."""
        last, self._last = self._last, None if mesh is None else (before, after, mesh)
        if last is None or mesh is None:
            return
        box = lm.face_box_from_mesh(last[2])
        if np.abs(lm.face_box_from_mesh(mesh) - box).max() > 0.5 * (box[2] - box[0]):
            return  # a cut, not a movement
        corners, face = _raster(last[2])
        here, there = (crop_square(picture, corners, RASTER_PX) for picture in (last[0], before))
        flow, visible = self._follow(here, there)
        mask = face & visible
        if mask.mean() < MIN_SHARE:
            return
        self._source.append(_error(here, there, flow, mask))
        here, there = (crop_square(picture, corners, RASTER_PX) for picture in (last[1], after))
        self._output.append(_error(here, there, flow, mask))
        flow, visible = self._follow(here, there)
        mask = face & visible
        if mask.mean() >= MIN_SHARE:
            self._own.append(_error(here, there, flow, mask))

    def figures(self) -> dict[str, Any] | None:
        """Return mean errors of source and output, 0..1, and their ratios; None if too few.

        ``own`` is the output's by its own flow, ``own_ratio`` that over the source's by its own;
        both None if too few.
        """
        if len(self._source) < MIN_FRAMES:
            return None
        source, output = float(np.mean(self._source)), float(np.mean(self._output))
        own = float(np.mean(self._own)) if len(self._own) >= MIN_FRAMES else None
        if source == 0:
            return None
        return {
            "source": source,
            "output": output,
            "ratio": output / source,
            "own": own,
            "own_ratio": None if own is None else own / source,
            "frames": len(self._source),
        }

    def _follow(self, here: U8, there: U8) -> tuple[F32, NDArray[np.bool_]]:
        """Return the flow from one image to the next, and where it can be trusted."""
        grey = [cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) for image in (here, there)]
        forth = np.asarray(self._flow.calc(grey[0], grey[1], None), np.float32)  # type: ignore[call-overload]
        back = np.asarray(self._flow.calc(grey[1], grey[0], None), np.float32)  # type: ignore[call-overload]
        returned = forth + _sample(back, forth)
        power = (forth**2).sum(axis=2) + (_sample(back, forth) ** 2).sum(axis=2)
        # Sundaram et al., ECCV 2010, equation 5
        return forth, (returned**2).sum(axis=2) < 0.01 * power + 0.5


def _raster(mesh: F32) -> tuple[F32, NDArray[np.bool_]]:
    """Return (3, 2) corners of the square around a face, and its oval in that square."""
    box = lm.face_box_from_mesh(mesh)
    side = AROUND * float((box[2:] - box[:2]).max())
    x, y = ((box[:2] + box[2:]) / 2 - side / 2).tolist()
    corners = np.array([[x, y], [x + side, y], [x, y + side]], np.float32)
    oval = (mesh[list(lm.FACE_OVAL), :2] - (x, y)) * (RASTER_PX / side)
    mask = np.zeros((RASTER_PX, RASTER_PX), np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.rint(oval).astype(np.int32)), 1)
    return corners, mask.astype(bool)


def _sample(image: F32 | U8, flow: F32) -> F32:
    rows, columns = np.mgrid[: flow.shape[0], : flow.shape[1]].astype(np.float32)
    x, y = columns + flow[..., 0], rows + flow[..., 1]
    sampled = cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(sampled, np.float32)


def _error(here: U8, there: U8, flow: F32, mask: NDArray[np.bool_]) -> float:
    apart = (here.astype(np.float32) - _sample(there, flow)) / 255
    return float((apart**2).sum(axis=2)[mask].mean())
