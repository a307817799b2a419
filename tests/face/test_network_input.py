"""What the network sees of a face."""

import cv2
import numpy as np
import pytest

from streamanon.face import landmarks as lm
from streamanon.face import mouth
from streamanon.face.network_input import (
    BACKGROUND_GREY,
    CROP,
    EYE_DISTANCE,
    EYES_DOWN,
    GRID,
    NODES,
    AlignedCondition,
    AlignedFace,
    ConditionWarp,
    network_inputs,
    transformed,
)
from streamanon.identities.gallery import load_builtin
from streamanon.imaging.picture import as_picture
from streamanon.types import F32, U8
from testkit.staged import turned_points

GALLERY = {identity.name: identity for identity in load_builtin()}


def aligned(name: str) -> AlignedFace:
    identity = GALLERY[name]
    return AlignedFace.of(as_picture(identity.portrait), identity.mesh.points)


def condition(name: str) -> AlignedCondition:
    return AlignedCondition.of_crop(aligned(name), mouth.dark_texture())


def reshaped(face: AlignedFace, points: F32) -> AlignedFace:
    return AlignedFace(face.image, points, face.to_frame)


def difference(a: U8, b: U8) -> float:
    return float(np.abs(a.astype(np.float32) - b).mean())


def turned(face: AlignedFace, yaw_deg: float) -> AlignedFace:
    return AlignedFace.of(as_picture(face.image), turned_points(face.points, yaw_deg))


@pytest.mark.parametrize("name", sorted(GALLERY))
def test_every_face_lies_at_the_same_place_and_whole_in_its_crop(name: str) -> None:
    face = aligned(name)
    five = lm.five_points(face.points)
    assert five[:2, 1].mean() == pytest.approx(EYES_DOWN, abs=0.01)
    assert 0.8 * EYE_DISTANCE < np.hypot(*(five[1] - five[0])) < 1.01 * EYE_DISTANCE
    assert face.points[:468, :2].min() > 2
    assert face.points[:468, :2].max() < CROP - 2


@pytest.mark.parametrize("yaw_deg", [-50, -25, 25, 50])
def test_a_turned_face_lies_whole_in_its_crop(yaw_deg: float) -> None:
    points = turned(aligned("clara"), yaw_deg).points[:468, :2]
    assert points.min() > 2
    assert points.max() < CROP - 2


def test_a_crop_does_not_depend_on_size_and_lean_of_the_face() -> None:
    identity = GALLERY["hugo"]
    height, width = identity.portrait.shape[:2]
    place = np.asarray(cv2.getRotationMatrix2D((width / 2, height / 2), 25, 0.7), np.float32)
    leaning = np.asarray(cv2.warpAffine(identity.portrait, place, (width, height)), np.uint8)
    face = AlignedFace.of(as_picture(leaning), transformed(identity.mesh.points, place))
    upright = aligned("hugo")
    assert np.abs(face.points - upright.points).max() < 0.1
    inside = network_inputs(upright, condition("hugo"))["maps"][:, :, 0] > 0
    assert difference(face.image[inside], upright.image[inside]) < 4


def test_crop_px_lead_back_to_the_frame() -> None:
    face = aligned("maya")
    back = transformed(face.points, face.to_frame)
    assert np.abs(back - GALLERY["maya"].mesh.points).max() < 0.01


def test_the_inputs_have_the_agreed_shapes() -> None:
    inputs = network_inputs(aligned("omar"), condition("nia"))
    kinds = {name: (array.shape, array.dtype.name) for name, array in inputs.items()}
    assert kinds == {
        "context": ((CROP, CROP, 3), "uint8"),
        "maps": ((CROP, CROP, 4), "uint8"),
        "warped": ((CROP, CROP, 3), "uint8"),
        "complexion": ((3,), "float32"),
        "points": ((NODES, 2), "float32"),
        "lookup": ((GRID, GRID, 2), "float32"),
    }
    fixed = condition("nia").arrays()
    assert fixed["condition"].shape == (CROP, CROP, 3)
    assert fixed["condition_points"].shape == (NODES, 2)


def test_a_face_that_wears_itself_stays_as_it_is() -> None:
    face = aligned("rosa")
    inputs = network_inputs(face, condition("rosa"))
    middle = np.zeros((CROP, CROP), np.uint8)
    cv2.circle(middle, (64, 64), 28, 1, -1)
    assert difference(inputs["warped"][middle > 0], face.image[middle > 0]) < 3
    cells = np.arange(GRID) * 4 + 1.5
    shift = inputs["lookup"] - np.dstack(np.meshgrid(cells, cells))
    assert np.abs(shift[9:23, 9:23]).max() < 3  # lids are drawn a little more closed
    assert np.abs(shift).max() < 8


def test_the_complexion_is_the_mean_of_skin_alone() -> None:
    face = aligned("rosa")
    plain = network_inputs(face, condition("rosa"))
    complexion, maps = plain["complexion"], plain["maps"]
    organs = cv2.max(maps[:, :, 1], maps[:, :, 2]) > 0
    image = np.where(((maps[:, :, 3] == 0) | organs)[:, :, None], 0, face.image)
    other = AlignedFace(np.asarray(image, np.uint8), face.points, face.to_frame)
    assert np.array_equal(network_inputs(other, condition("rosa"))["complexion"], complexion)
    cheek = face.image[70:76, 40:46].mean(axis=(0, 1))
    assert np.abs(complexion - cheek).max() < 45
    assert complexion[2] > complexion[1] > complexion[0] > 20


def test_beside_the_face_the_warp_is_grey_and_not_trusted() -> None:
    face = aligned("ivan")
    inputs = network_inputs(face, condition("mei"))
    outline = np.rint(face.points[list(lm.FACE_OVAL), :2]).astype(np.int32)
    beside = np.ones((CROP, CROP), np.uint8)
    cv2.fillPoly(beside, [outline], 0)
    beside = np.asarray(cv2.erode(beside, np.ones((5, 5), np.uint8)), np.uint8)
    assert (inputs["warped"][beside > 0] == BACKGROUND_GREY).all()
    assert (inputs["maps"][:, :, 3][beside > 0] == 0).all()
    assert np.isfinite(inputs["lookup"]).all()


@pytest.mark.parametrize("yaw_deg", [0, 40])
def test_nothing_outside_the_hole_is_replaced(yaw_deg: float) -> None:
    face = turned(aligned("felix"), yaw_deg)
    warp = ConditionWarp.of(face, condition("zoe"))
    edge = warp.alpha(yaw_deg)
    hole = network_inputs(face, condition("zoe"), warp)["maps"][:, :, 0]
    assert set(np.unique(hole)) == {0, 255}
    assert (hole[edge > 0] == 255).all()
    assert edge.max() == 1
    assert edge[64, 64] == 1


def test_closed_eyes_show_nothing_and_open_ones_their_iris() -> None:
    face = aligned("kofi")
    shown = network_inputs(face, condition("theo"))["maps"][:, :, 1]
    x, y = np.rint(face.nodes[68]).astype(int)
    assert shown[y, x] == 128
    assert shown.max() == 255
    points = face.points.copy()
    for lids in (lm.RIGHT_EYE, lm.LEFT_EYE):
        points[list(lids[1:8])] = points[list(lids[:8:-1])]
    closed = network_inputs(reshaped(face, points), condition("theo"))["maps"][:, :, 1]
    assert closed.astype(float).sum() < 0.2 * shown.astype(float).sum()


def test_the_mouth_map_grows_with_the_mouth_and_the_teeth_fill_it() -> None:
    face = aligned("luis")
    points = face.points.copy()
    points[list(lm.LOWER_INNER_LIP[1:-1]), 1] += 10
    opened = reshaped(face, points)
    before, after = (network_inputs(each, condition("arun")) for each in (face, opened))
    assert (after["maps"][:, :, 2] > 0).sum() > 100 + (before["maps"][:, :, 2] > 0).sum()
    white = AlignedCondition.of_crop(aligned("arun"), np.full_like(mouth.dark_texture(), 255))
    bright = network_inputs(opened, white)["warped"].astype(float) - after["warped"]
    inside = cv2.erode(np.ascontiguousarray(after["maps"][:, :, 2]), np.ones((3, 3), np.uint8))
    assert bright[inside == 255].mean() > 30


def test_what_the_condition_hides_is_not_trusted() -> None:
    face = aligned("otto")
    frontal, turned_away = (
        network_inputs(face, AlignedCondition.of_crop(worn, mouth.dark_texture()))["maps"][:, :, 3]
        for worn in (aligned("lena"), turned(aligned("lena"), 60))
    )
    sides = frontal[40:100, 24:104].astype(float) - turned_away[40:100, 24:104]
    halves = sorted((sides[:, :40].mean(), sides[:, 40:].mean()))
    assert halves[1] > 60
    assert halves[0] < halves[1] / 2
