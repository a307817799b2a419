"""Mouths of portraits: what of them is teeth, and how they are drawn between lips."""

import cv2
import numpy as np
import pytest

from streamanon.face import mouth
from streamanon.face.warp import FaceSpace
from streamanon.identities.gallery import load_builtin
from streamanon.types import F32, U8, Identity
from testkit.staged import LAUGHING, mesh_of

PEOPLE = {one.name: one for one in load_builtin()}
TEETH = slice(0, round(mouth.TEETH_DEPTH * mouth.WIDTH))
LOWER = slice(mouth.HEIGHT - mouth.LOWER_ROWS, mouth.HEIGHT)


def texture(one: Identity) -> U8:
    return mouth.texture(one.portrait, one.mesh.points[:, :2])


def redness(pixels: U8) -> float:
    blue, green, red = cv2.mean(pixels)[:3]
    return red / max((blue + green) / 2, 1)


@pytest.mark.parametrize("name", ["dana", "zoe", "greta"])
def test_a_portrait_that_shows_its_teeth_lends_them(name: str) -> None:
    one = PEOPLE[name]
    assert one.teeth > mouth.ENOUGH_TEETH
    middle = texture(one)[TEETH, 50:78]
    bright = middle[middle[:, :, 1] > 120]
    assert len(bright) > 0.5 * middle.shape[0] * middle.shape[1]
    assert redness(bright[None]) < 1.3, "teeth are pale"


def test_closed_lips_show_no_teeth() -> None:
    assert {PEOPLE[name].teeth for name in ("jin", "omar", "binta")} == {0.0}


@pytest.mark.parametrize("name", ["dana", "zoe", "greta", "grace", "efua"])
def test_lips_are_no_part_of_the_teeth(name: str) -> None:
    """Below the teeth all is as dark as the cavity, not red as a lip."""
    below = texture(PEOPLE[name])[TEETH.stop + 6 : LOWER.start]
    assert np.abs(below.astype(int) - np.array(mouth.CAVITY_BGR)).max() <= 2


def test_lower_teeth_are_at_the_bottom_smaller_and_in_the_shade() -> None:
    whole = texture(PEOPLE["dana"])

    def measured(rows: U8) -> tuple[float, int]:
        teeth = rows[:, :, 1] > 100
        return float(rows[teeth].mean()), int(teeth.any(axis=0).sum())

    (level, width), (low_level, low_width) = measured(whole[TEETH]), measured(whole[LOWER])
    assert 0.6 * level < low_level < 0.95 * level
    assert 0.5 * width < low_width < 0.8 * width


def opened(share: float) -> F32:
    """The mesh of a laughing face, its lower lip moved down by a share of the mouth's width."""
    points = mesh_of(LAUGHING).points.copy()
    width = float(np.hypot(*(points[78, :2] - points[308, :2])))
    lower = [95, 88, 178, 87, 14, 317, 402, 318, 324]
    down = 1 - (np.linspace(-1, 1, len(lower)) ** 2)
    points[lower, 1] += share * width * down
    return points


def test_a_mouth_opened_wide_is_dark_between_both_rows() -> None:
    where = mouth.placement(FaceSpace.around(opened(0.3)))
    assert where is not None
    image = np.full((*where.alpha.shape, 3), 150, np.uint8)
    offset = np.array([[1, 0, -where.corner[0]], [0, 1, -where.corner[1]]], np.float32)
    mouth.draw(image, where, offset, texture(PEOPLE["dana"]))
    column = image[:, image.shape[1] // 2, 1][where.alpha[:, image.shape[1] // 2] > 0.9]
    dark = np.flatnonzero(column < 60)
    assert len(dark)
    assert column[: dark[0]].max() > 100, "upper teeth"
    assert column[dark[-1] :].max() > 70, "lower teeth"


def test_teeth_are_as_blurred_as_the_face() -> None:
    where = mouth.placement(FaceSpace.around(opened(0.3)))
    assert where is not None
    offset = np.array([[1, 0, -where.corner[0]], [0, 1, -where.corner[1]]], np.float32)
    edges = []
    for blur_px in (0.0, 1.5):
        image = np.full((*where.alpha.shape, 3), 150, np.uint8)
        mouth.draw(image, where, offset, texture(PEOPLE["dana"]), blur_px)
        edges.append(np.abs(np.diff(image[:, :, 1].astype(int), axis=1))[where.alpha[:, 1:] > 0.9])
    crisp, soft = (np.percentile(steps, 95) for steps in edges)
    assert soft < 0.6 * crisp
