"""What may be believed of a head's pose and size."""

from dataclasses import replace

import numpy as np
import pytest

from streamanon.face import landmarks as lm
from streamanon.imaging.picture import as_picture
from streamanon.safety.policy import (
    SMALLEST_FACE_PX,
    PoseRange,
    fault_of_patch,
    is_large,
    is_replaceable,
)
from streamanon.types import F32, Face, Mesh, Patch, Subject, Track

RANGE = PoseRange(yaw_deg=(30.0, 40.0), pitch_deg=(20.0, 25.0))


@pytest.mark.parametrize(
    ("yaw_deg", "pitch_deg", "outside"),
    [
        (0, 0, (False, False)),
        (-35, 0, (False, True)),
        (41, 0, (True, True)),
        (0, -22, (False, True)),
    ],
)
def test_a_head_comes_back_later_than_it_left(
    yaw_deg: float, pitch_deg: float, outside: tuple[bool, bool]
) -> None:
    found = tuple(RANGE.is_outside(yaw_deg, pitch_deg, before=before) for before in (False, True))
    assert found == outside


def tall(height_px: float) -> F32:
    points = np.zeros((478, 3), np.float32)
    points[lm.CHIN, 1] = height_px
    return points


def test_a_mesh_must_be_finite_and_large() -> None:
    stays, comes = SMALLEST_FACE_PX
    for height_px, found in (
        (stays - 1, (False, False)),
        (stays, (False, True)),
        (comes, (True, True)),
    ):
        mesh = Mesh(tall(height_px), 1.0)
        assert tuple(is_large(mesh, before=before) for before in (False, True)) == found
        assert is_replaceable(mesh) == found[1]
    assert not is_replaceable(Mesh(np.full((478, 3), np.nan, np.float32), 1.0))


def test_brows_in_the_rim_are_a_fault_only_where_they_are_still_there() -> None:
    points = np.full((478, 3), 50, np.float32)
    points[list(lm.RIGHT_BROW)] = (5, 5, 0)
    face = Face(np.array([0, 0, 100, 100], np.float32), 1.0, mesh=Mesh(points, 1.0))
    subject = Subject(Track(1, face, face.box))
    alpha = np.zeros((100, 100), np.float32)
    alpha[20:80, 20:80] = 1
    patch = Patch(0, 0, np.zeros((100, 100, 3), np.uint8), alpha)
    picture = as_picture(np.zeros((100, 100, 3), np.uint8))
    assert fault_of_patch(patch, subject, picture)
    assert not fault_of_patch(patch, subject, picture, emptied=True)
    clear = replace(patch, alpha=alpha * np.float32(0.4))
    assert fault_of_patch(clear, subject, picture, emptied=True)
