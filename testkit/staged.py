"""One face of the demo clip, staged for an anonymiser."""

from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from functools import cache

import av
import numpy as np

from streamanon.detectors.mesh import MeshFitter
from streamanon.face import landmarks as lm
from streamanon.imaging.picture import as_picture
from streamanon.types import F32, U8, Face, Frame, Identity, Mesh, Scene, Subject, Track
from testkit.networks import mesh_fitter
from testkit.paths import DEMO

CALM, LAUGHING = 0, 270
"""Frames of the clip."""


def clip_frames(wanted: Iterable[int]) -> dict[int, U8]:
    """Return frames of the clip by number, (h, w, 3) uint8 BGR."""
    found: dict[int, U8] = {}
    with av.open(str(DEMO)) as container:
        for index, shown in enumerate(container.decode(video=0)):
            if index in wanted:
                found[index] = np.asarray(shown.to_ndarray(format="bgr24"), np.uint8)
            if index >= max(wanted):
                break
    return found


@cache
def frame(index: int) -> U8:
    """Return one frame of the clip."""
    return clip_frames([index])[index]


@cache
def mesh_of(index: int) -> Mesh:
    """Fit the face of one frame."""
    return fit(mesh_fitter(), frame(index))


def fit(fitter: MeshFitter, image: U8) -> Mesh:
    """Fit the one face near the middle of the clip's frames."""
    picture = as_picture(image)
    roi = np.array([(170, 20), (510, 20), (170, 360)], np.float32)
    for _ in range(3):
        mesh = fitter.fit(picture, roi)
        roi = lm.roi_from_mesh(mesh.points)
    assert mesh.presence > 0.9
    return mesh


def scene(image: U8, mesh: Mesh, identity: Identity, index: int = 0) -> Scene:
    """Return a frame with one subject, 25 frames a second."""
    box = lm.face_box_from_mesh(mesh.points)
    track = Track(1, Face(box, 0.9, mesh=mesh), box)
    shot = Frame(index, as_picture(image), index, Fraction(1, 25))
    return Scene(shot, (Subject(track, identity),))


def turned_points(points: F32, degrees: float) -> F32:
    """Turn a head's (n, 3) points around the vertical axis."""
    angle = np.radians(degrees)
    middle = points.mean(axis=0)
    turn = np.array(
        [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    )
    return np.asarray((points - middle) @ turn.T + middle, np.float32)


def turned(mesh: Mesh, degrees: float) -> Mesh:
    """Turn a head around the vertical axis."""
    return replace(mesh, points=turned_points(mesh.points, degrees))
