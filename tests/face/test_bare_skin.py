"""What hangs over the rim of a portrait's face becomes skin; the rest stays as it is."""

import cv2
import numpy as np
import pytest

from streamanon.face import landmarks as lm
from streamanon.face.bare_skin import smooth_skin, with_bare_skin, with_lips_shut
from streamanon.face.shading import skin_texture
from streamanon.identities.gallery import load_builtin
from streamanon.types import U8, Identity

(NORA,) = (one for one in load_builtin() if one.name == "nora")


def cheek(identity: Identity) -> U8:
    """Return (h, w) bool, a strand that crosses the rim of the face beside the mouth."""
    (x, y), centre = identity.mesh.points[172, :2], identity.mesh.points[lm.NOSE_TIP, :2]
    way = centre - (x, y)
    inner = np.array([x, y]) + 0.22 * way
    strand = np.zeros(identity.portrait.shape[:2], np.uint8)
    ends = (np.rint(inner).astype(int).tolist(), np.rint((x, y) - 0.3 * way).astype(int).tolist())
    cv2.line(strand, ends[0], ends[1], 1, 9)
    return np.asarray(strand > 0, np.uint8)


@pytest.mark.parametrize("colour", [(12, 14, 18), (200, 120, 40)])
def test_a_strand_over_the_rim_becomes_skin(colour: tuple[int, int, int]) -> None:
    points, before = NORA.mesh.points, NORA.portrait
    strand = cheek(NORA)
    covered = before.copy()
    covered[strand > 0] = colour
    after = with_bare_skin(covered, points, bearded=False)
    oval = np.rint(points[list(lm.FACE_OVAL), :2]).astype(np.int32)
    face = cv2.erode(cv2.fillPoly(np.zeros_like(strand), [oval], 1), np.ones((5, 5), np.uint8))
    there = (strand > 0) & (face > 0)
    assert there.sum() > 40
    off, healed = (
        np.abs(image[there].astype(int) - before[there]).mean() for image in (covered, after)
    )
    assert healed < 25 < off / 2


def test_features_and_what_may_be_a_beard_stay() -> None:
    points = NORA.mesh.points
    covered = NORA.portrait.copy()
    covered[cheek(NORA) > 0] = (12, 14, 18)
    after = with_bare_skin(covered, points, bearded=True)
    below = slice(int(points[lm.NOSE_TIP, 1]) + 8, int(points[lm.CHIN, 1]) - 40)
    inside = slice(int(points[lm.RIGHT_EYE_INNER, 0]), int(points[lm.LEFT_EYE_INNER, 0]))
    assert np.abs(after[below, inside].astype(int) - covered[below, inside]).mean() < 5
    depth = np.rint(points[list(lm.FACE_OVAL), :2]).astype(np.int32)
    face = cv2.fillPoly(np.zeros(covered.shape[:2], np.uint8), [depth], 1)
    strand = cv2.bitwise_and(cv2.erode(face, np.ones((25, 25), np.uint8)), cheek(NORA))
    strand[: int(points[lm.NOSE_TIP, 1])] = 0
    assert strand.sum() > 40
    assert after[strand > 0].mean() < 40
    for eye in (lm.RIGHT_EYE, lm.LEFT_EYE):
        outline = np.rint(points[list(eye), :2]).astype(np.int32)
        within = cv2.fillPoly(np.zeros(covered.shape[:2], np.uint8), [outline], 1) > 0
        assert np.abs(after[within].astype(int) - covered[within]).mean() < 5


def test_the_shadow_above_an_eye_is_lifted() -> None:
    """A shut eye stretches the skin between crease and brow bone over its lid."""
    points, shaded = NORA.mesh.points, NORA.portrait.copy()
    band = np.zeros(shaded.shape[:2], np.uint8)
    for crease, bone in (
        (lm.RIGHT_LID_CREASE, lm.RIGHT_BROW_BONE),
        (lm.LEFT_LID_CREASE, lm.LEFT_BROW_BONE),
    ):
        outline = np.rint(points[[*crease, *bone[::-1]], :2]).astype(np.int32)
        cv2.fillPoly(band, [outline], 1)
    shaded[band > 0] //= 2
    after = with_bare_skin(shaded, points, bearded=False)
    cheeks = after[np.rint(points[205, 1]).astype(int), np.rint(points[205, 0]).astype(int)].mean()
    assert shaded[band > 0].mean() < 0.6 * cheeks
    assert after[band > 0].mean() > 0.75 * cheeks


def test_a_shadow_between_the_brows_is_lifted_and_skin_beside_it_stays() -> None:
    points, shaded = NORA.mesh.points, NORA.portrait.astype(np.float32)
    eye_px = lm.inter_ocular_px(points)
    shadow = np.zeros(shaded.shape[:2], np.float32)
    middle = np.rint(points[168, :2]).astype(int).tolist()
    cv2.circle(shadow, middle, int(0.2 * eye_px), 0.5, -1)
    shadow = np.asarray(cv2.GaussianBlur(shadow, (0, 0), 0.05 * eye_px), np.float32)
    dim = np.asarray(shaded * (1 - shadow[:, :, None]), np.uint8)
    usual, lifted = (with_bare_skin(one, points, bearded=False) for one in (NORA.portrait, dim))
    core = (slice(middle[1] - 4, middle[1] + 5), slice(middle[0] - 4, middle[0] + 5))
    missing = usual[core].mean() - dim[core].mean()
    assert missing > 0.4 * usual[core].mean()
    assert lifted[core].mean() - dim[core].mean() > missing / 4
    beside = shadow < 1e-3
    assert np.abs(lifted[beside].astype(int) - usual[beside]).mean() < 4


def test_a_middle_of_another_hue_is_evened() -> None:
    points, image = NORA.mesh.points, NORA.portrait
    eye_px = lm.inter_ocular_px(points)
    x, y = np.meshgrid(*(np.arange(side) for side in image.shape[1::-1]))
    away = np.hypot(x - points[lm.NOSE_TIP, 0], y - points[lm.NOSE_TIP, 1]) / eye_px
    pink = np.exp(-((away / 0.8) ** 2))[:, :, None] * np.array([12, -12, 6])
    tinted = np.asarray(np.clip(image + pink, 0, 255), np.uint8)

    def hue(one: U8, index: int) -> float:
        """Return green less blue at a point of the mesh."""
        at_x, at_y = np.rint(points[index, :2]).astype(int).tolist()
        blue, green, _ = one[at_y - 4 : at_y + 5, at_x - 4 : at_x + 5].mean(axis=(0, 1))
        return float(green - blue)

    usual, evened = (with_bare_skin(one, points, bearded=False) for one in (image, tinted))
    beside_nose, jaw = 101, 135
    apart_before = hue(tinted, beside_nose) - hue(image, beside_nose)
    apart_before -= hue(tinted, jaw) - hue(image, jaw)
    apart = hue(evened, beside_nose) - hue(usual, beside_nose) - hue(evened, jaw) + hue(usual, jaw)
    assert apart_before < -6
    assert abs(apart) < 0.6 * abs(apart_before)


def test_skin_becomes_smooth_and_features_stay_sharp() -> None:
    points, before = NORA.mesh.points, NORA.portrait
    noise = cv2.GaussianBlur(np.random.default_rng(0).normal(0, 1, before.shape[:2]), (0, 0), 5)
    rough = np.clip(before + 8 * noise[:, :, None] / noise.std(), 0, 255).astype(np.uint8)
    after = smooth_skin(rough, points, 1.0)
    x, y = np.rint(points[205, :2]).astype(int)
    cheeks = [image[y - 40 : y + 40, x - 40 : x + 40] for image in (rough, after)]
    shares = [skin_texture(cheek, np.ones(cheek.shape[:2], np.float32)) for cheek in cheeks]
    assert shares[1] < 0.8 * shares[0]
    eye = np.rint(points[list(lm.RIGHT_EYE), :2]).astype(np.int32)
    inside = cv2.fillPoly(np.zeros(before.shape[:2], np.uint8), [eye], 1) > 0
    assert np.abs(after[inside].astype(int) - rough[inside]).mean() < 1
    assert smooth_skin(rough, points, 0.0) is rough


def test_light_from_one_side_is_taken_out() -> None:
    points = NORA.mesh.points
    sides = np.linspace(1.25, 0.75, NORA.portrait.shape[1], dtype=np.float32)[None, :, None]
    lit = np.clip(NORA.portrait * sides, 0, 255).astype(np.uint8)

    def lean(image: U8) -> float:
        cheeks = []
        for point in (205, 425):
            x, y = np.rint(points[point, :2]).astype(int)
            cheeks.append(image[y - 12 : y + 12, x - 12 : x + 12].mean())
        return float(cheeks[0] / cheeks[1])

    assert lean(lit) > 1.15
    assert abs(lean(with_bare_skin(lit, points, bearded=False)) - 1) < 0.08


def test_the_shadow_of_hair_on_a_temple_becomes_skin() -> None:
    (dana,) = (one for one in load_builtin() if one.name == "dana")
    bare = with_bare_skin(dana.portrait, dana.mesh.points, bearded=False)
    x, y = np.rint(dana.mesh.points[[298, 151], :2]).astype(int).T
    temple, forehead = (bare[r - 12 : r + 12, c - 12 : c + 12] for r, c in zip(y, x, strict=True))
    assert cv2.blur(temple, (7, 7)).min(axis=(0, 1)).mean() > 0.8 * forehead.mean()


def test_skin_that_is_painted_has_a_colour_of_the_face() -> None:
    (amina,) = (one for one in load_builtin() if one.name == "amina")
    bare = with_bare_skin(amina.portrait, amina.mesh.points, bearded=False)
    chin, cheek = (
        bare[y - 8 : y + 8, x - 8 : x + 8].mean(axis=(0, 1))
        for x, y in np.rint(amina.mesh.points[[199, 205], :2]).astype(int)
    )
    assert (chin > 0.35 * cheek)[1:].all()


@pytest.mark.parametrize("name", ["dana", "zoe", "bilal"])
def test_teeth_of_a_portrait_become_lips(name: str) -> None:
    (one,) = (one for one in load_builtin() if one.name == name)
    points = one.mesh.points
    shut = with_lips_shut(one.portrait, points)
    mouth, between = (
        cv2.fillPoly(np.zeros(shut.shape[:2], np.uint8), [np.rint(outline).astype(np.int32)], 1)
        for outline in (points[list(lm.OUTER_LIPS), :2], points[list(lm.INNER_LIPS), :2])
    )
    before, after = (image[between > 0].astype(float) for image in (one.portrait, shut))
    pale = [(part[:, 1] / np.maximum(part[:, 2], 1)).mean() for part in (before, after)]
    assert pale[0] > pale[1] + 0.08
    assert after.max() < np.percentile(before, 90)
    beside = cv2.dilate(mouth, np.ones((9, 9), np.uint8)) == 0
    np.testing.assert_array_equal(shut[beside], one.portrait[beside])


def test_shut_lips_stay_as_they_are() -> None:
    (one,) = (one for one in load_builtin() if one.name == "jin")
    assert with_lips_shut(one.portrait, one.mesh.points) is one.portrait
