"""What may be believed of a head's pose and size."""

import numpy as np
import pytest

from streamanon.face import landmarks as lm
from streamanon.safety.policy import SMALLEST_FACE_PX, PoseRange, is_replaceable
from streamanon.types import F32, Mesh

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
    assert is_replaceable(Mesh(tall(SMALLEST_FACE_PX), 1.0))
    assert not is_replaceable(Mesh(tall(SMALLEST_FACE_PX - 1), 1.0))
    assert not is_replaceable(Mesh(np.full((478, 3), np.nan, np.float32), 1.0))
