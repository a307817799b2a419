import numpy as np
import pytest

from streamanon.face import landmarks as lm
from streamanon.identities.gallery import load_builtin
from streamanon.types import F32, U8
from training.gallery import (
    AGES,
    RECIPES,
    Recipe,
    morphed,
    read_ages,
    read_recipes,
    with_irises_alike,
    with_warm_stubble,
)
from training.portrait import FACE_PX, SIDE_PX, Portrait, upright


@pytest.fixture(scope="module")
def faces() -> dict[str, Portrait]:
    wanted = {"nora", "zoe"}
    return {
        one.name: upright(one.portrait, one.mesh.points)
        for one in load_builtin()
        if one.name in wanted
    }


def test_every_recipe_mixes_portraits_of_one_apparent_sex() -> None:
    recipes = read_recipes(RECIPES)
    known = read_ages(AGES).keys()
    assert len({recipe.name for recipe in recipes}) == len(recipes) >= 150
    for recipe in recipes:
        assert len(set(recipe.portraits)) == len(recipe.portraits) >= 2
        assert set(recipe.portraits) <= known
        assert len({portrait.split("_")[0] for portrait in recipe.portraits}) == 1


def test_the_gallery_that_ships_is_that_of_the_recipes() -> None:
    ages = read_ages(AGES)
    years = {recipe.name: recipe.age(ages) for recipe in read_recipes(RECIPES)}
    assert {one.name: one.years for one in load_builtin()} == pytest.approx(years, abs=0.01)


def test_a_portrait_is_turned_upright_and_scaled(faces: dict[str, Portrait]) -> None:
    points = faces["nora"].points
    height = np.linalg.norm(points[lm.CHIN] - points[lm.FOREHEAD])
    assert height == pytest.approx(FACE_PX, abs=0.5)
    eyes = points[[lm.LEFT_EYE_OUTER, lm.LEFT_EYE_INNER]].mean(axis=0)
    eyes -= points[[lm.RIGHT_EYE_OUTER, lm.RIGHT_EYE_INNER]].mean(axis=0)
    assert eyes[1] == pytest.approx(0, abs=0.5)
    assert faces["nora"].image.shape == (SIDE_PX, SIDE_PX, 3)


def test_a_mirror_image_keeps_the_order_of_points(faces: dict[str, Portrait]) -> None:
    face = faces["nora"]
    mirrored = face.mirrored()
    assert mirrored.points[lm.RIGHT_EYE_OUTER, 0] < mirrored.points[lm.LEFT_EYE_OUTER, 0]
    again = mirrored.mirrored()
    assert np.allclose(again.points, face.points)
    assert np.array_equal(again.image, face.image)


def test_a_face_moved_onto_its_own_points_stays(faces: dict[str, Portrait]) -> None:
    face = faces["nora"]
    moved = face.moved_to(face.points)
    assert np.abs(moved.image - face.image)[20:-20, 20:-20].max() < 1


def test_light_from_one_side_is_evened_out(faces: dict[str, Portrait]) -> None:
    ramp = np.linspace(0.6, 1.4, SIDE_PX, dtype=np.float32)[None, :, None]
    lit = [Portrait(np.clip(face.image * ramp, 0, 255), face.points) for face in faces.values()]
    image = morphed(lit, Recipe("x", ("a", "b"), blended=False)).astype(np.float32)
    points = np.mean([face.points for face in lit], axis=0)

    def slope(picture: F32, at: F32) -> float:
        right, left = (picture[tuple(np.rint(at[cheek, ::-1]).astype(int))] for cheek in (50, 280))
        return float(left.mean() / right.mean())

    assert slope(lit[0].image, lit[0].points) > 1.2
    assert slope(image, points) == pytest.approx(1, abs=0.1)


def test_proportions_are_mixed_and_detail_is_that_of_the_first(faces: dict[str, Portrait]) -> None:
    pair = list(faces.values())
    first = morphed(pair, Recipe("x", ("a", "b"), blended=False))
    second = morphed(pair[::-1], Recipe("x", ("b", "a"), blended=False))
    assert first.shape == (SIDE_PX, SIDE_PX, 3)
    assert first.dtype == np.uint8
    face = pair[0].inside(-0.2, 2)[..., 0] > 0.5
    assert np.abs(first.astype(int) - second).mean(axis=2)[face].mean() > 2


def test_faces_are_made_symmetric() -> None:
    off = [
        np.abs(placed - Portrait.mirror_points(placed)).mean()
        for placed in (upright(one.portrait, one.mesh.points).points for one in load_builtin())
    ]
    assert np.median(off) < 0.008 * FACE_PX


def test_irises_become_alike() -> None:
    one = next(one for one in load_builtin() if one.name == "nora")
    image, points = one.portrait.copy(), one.mesh.points
    rings = [points[list(ring), :2] for ring in (lm.RIGHT_IRIS, lm.LEFT_IRIS)]

    def colours(image: U8) -> list[F32]:
        found = []
        for ring in rings:
            (x0, y0), (x1, y1) = np.rint([ring.min(axis=0) + 3, ring.max(axis=0) - 3]).astype(int)
            found.append(image[y0:y1, x0:x1].reshape(-1, 3).mean(axis=0))
        return found

    (x0, y0), (x1, y1) = np.rint([rings[0].min(axis=0) - 2, rings[0].max(axis=0) + 2]).astype(int)
    image[y0:y1, x0:x1] = np.clip(image[y0:y1, x0:x1] * [1.5, 1, 0.7], 0, 255)
    before, after = colours(image), colours(with_irises_alike(image, points))
    assert np.abs(after[0] - after[1]).max() < 0.4 * np.abs(before[0] - before[1]).max()


def test_blue_stubble_gets_the_hue_of_the_skin() -> None:
    one = next(one for one in load_builtin() if one.name == "nora")
    points, image = one.mesh.points, one.portrait.copy()
    x, y = np.rint(points[199, :2]).astype(int)
    chin = np.s_[y - 12 : y + 12, x - 25 : x + 25]
    image[chin] = np.clip(image[chin] * [1.25, 1, 0.85], 0, 255)

    def blueness(image: U8) -> float:
        blue, _, red = image[chin].reshape(-1, 3).mean(axis=0)
        return float(blue - red)

    skin, blue, warm = (
        blueness(i) for i in (one.portrait, image, with_warm_stubble(image, points))
    )
    assert skin < warm < blue - 0.4 * (blue - skin)
    changed = np.abs(with_warm_stubble(one.portrait, points).astype(int) - one.portrait)
    assert changed[: int(points[2, 1]) - 40].max() <= 2
