"""A mesh is believed only where it fits the face that was detected."""

from dataclasses import replace

import numpy as np
import pytest

from streamanon.imaging.boxes import iou
from streamanon.imaging.picture import as_picture
from streamanon.tracking.finder import Finder
from streamanon.types import F32
from testkit.networks import mesh_fitter, yunet
from testkit.staged import CALM, frame, mesh_of


@pytest.mark.parametrize("scale", [0.5, 0.6, 0.7])
@pytest.mark.parametrize("away", [(0, 0), (0, -0.2), (0.2, 0)])
def test_a_mesh_of_a_smaller_face_before_does_not_end_up_on_half_a_face(
    scale: float, away: tuple[float, float]
) -> None:
    picture = as_picture(frame(CALM))
    finder = Finder(yunet(), mesh_fitter())
    (face,) = finder.find_all(picture)
    whole = mesh_of(CALM).points
    points = (whole - whole.mean(axis=0)) * np.float32(scale) + whole.mean(axis=0)
    points[:, :2] += np.array(away, np.float32) * (face.box[2:] - face.box[:2])
    mesh = finder.fit_mesh(picture, face, replace(mesh_of(CALM), points=points))
    assert mesh is not None
    box: F32 = np.concatenate([mesh.points[:, :2].min(axis=0), mesh.points[:, :2].max(axis=0)])
    assert iou(box, face.box) > 0.65
    assert np.abs(mesh.points[:, :2] - whole[:, :2]).max() < 0.15 * (face.box[2] - face.box[0])
