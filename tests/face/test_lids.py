import numpy as np
import pytest

from streamanon.face import landmarks as lm
from streamanon.face.canonical_face import TRIANGLES
from streamanon.face.lids import (
    DRAWN,
    SEEN,
    opening,
    openings,
    portrait_triangles,
    with_lids_closed,
)
from streamanon.identities.gallery import load_builtin
from streamanon.types import F32


@pytest.fixture(scope="module")
def portrait() -> F32:
    return np.ascontiguousarray(load_builtin()[0].mesh.points[:, :2])


def shut(points: F32) -> F32:
    """Lower the upper lids of an open-eyed mesh onto the lower ones."""
    closed = points.copy()
    for eye in (lm.RIGHT_EYE, lm.LEFT_EYE):
        closed[list(eye[1:8])] = points[list(eye[:8:-1])]
    return closed


def test_opening_tells_open_from_shut_and_ignores_size(portrait: F32) -> None:
    eye = list(lm.RIGHT_EYE)
    assert opening(portrait[eye]) > 0.13
    assert opening(portrait[eye]) == pytest.approx(opening(portrait[eye] * 3), rel=1e-4)
    assert opening(shut(portrait)[eye]) < 0.01


def test_half_shut_eyes_are_drawn_farther_closed_and_open_ones_as_they_are(portrait: F32) -> None:
    eye, open_mesh = list(lm.RIGHT_EYE), portrait.astype(np.float64)
    wide = open_mesh - 1.0 * (shut(portrait) - open_mesh)
    assert opening(wide[eye]) > SEEN[-1]
    assert np.array_equal(with_lids_closed(wide), wide)
    for share in (0.3, 0.5, 0.7, 0.9):
        ajar = open_mesh + share * (shut(portrait) - open_mesh)
        seen = openings(ajar)[0]
        drawn = with_lids_closed(ajar)
        assert openings(drawn)[0] == pytest.approx(np.interp(seen, SEEN, DRAWN), abs=0.004)
        assert opening(drawn[eye]) < seen
        assert np.array_equal(drawn[lm.CHIN], ajar[lm.CHIN])
    assert opening(with_lids_closed(shut(portrait).astype(np.float64))[eye]) < 0.002


def test_eyes_are_alike_but_in_a_wink(portrait: F32) -> None:
    left = list(lm.LEFT_EYE)
    for share in (0.2, 1.0):
        mesh = portrait.copy()
        mesh[left] += np.float32(share) * (shut(portrait)[left] - portrait[left])
        right_gap, left_gap = openings(mesh)
        if share == 1.0:
            assert left_gap < 0.01
            assert right_gap == pytest.approx(opening(mesh[list(lm.RIGHT_EYE)]))
        else:
            assert left_gap == pytest.approx(right_gap)
            assert right_gap < opening(mesh[list(lm.RIGHT_EYE)])


def test_open_eyes_leave_the_portrait_alone(portrait: F32) -> None:
    assert np.array_equal(portrait_triangles(portrait, portrait), portrait[TRIANGLES])


def test_a_shut_lid_takes_its_skin_from_above_the_lashes(portrait: F32) -> None:
    corners = portrait_triangles(portrait, shut(portrait))
    plain = portrait[TRIANGLES]
    for eye, crease in ((lm.RIGHT_EYE, lm.RIGHT_LID_CREASE), (lm.LEFT_EYE, lm.LEFT_LID_CREASE)):
        upper, lower = list(eye[1:8]), list(eye[:8:-1])
        creased = np.any(np.isin(TRIANGLES, crease), axis=1, keepdims=True)
        lid = np.isin(TRIANGLES, upper) & creased
        rise = plain[lid][:, 1] - corners[lid][:, 1]
        assert lid.any()
        assert (rise > 0).all()
        between = np.all(np.isin(TRIANGLES, eye), axis=1, keepdims=True)
        low = np.isin(TRIANGLES, lower) & between
        assert corners[low][:, 1].max() < portrait[lower, 1].max()


def test_one_shut_eye_leaves_the_other_open(portrait: F32) -> None:
    wink = shut(portrait)
    wink[list(lm.LEFT_EYE)] = portrait[list(lm.LEFT_EYE)]
    moved = np.abs(portrait_triangles(portrait, wink) - portrait[TRIANGLES]).max(axis=(1, 2)) > 0
    touched = set(TRIANGLES[moved].ravel().tolist())
    assert touched & set(lm.RIGHT_EYE)
    assert not touched & set(lm.LEFT_EYE[1:8])
