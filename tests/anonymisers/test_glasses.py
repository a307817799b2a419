"""New faces wear glasses where the old ones do."""

from dataclasses import replace

import numpy as np

from streamanon.anonymisers.glasses import AWAY_DEG, GlassesAnonymiser
from streamanon.anonymisers.plain import PlainAnonymiser
from streamanon.face import landmarks as lm
from streamanon.identities.gallery import load_builtin
from streamanon.types import F32, Mesh, Scene
from testkit import staged

ANN = load_builtin()[0]


def shown(
    *, glasses: bool, darkness: float = 0.67, index: int = 0, mesh: Mesh | None = None
) -> Scene:
    mesh = mesh or staged.mesh_of(staged.CALM)
    scene = staged.scene(staged.frame(staged.CALM), mesh, ANN, index)
    return replace(scene, subjects=(replace(scene.subjects[0], glasses=darkness * glasses),))


def darkened(anonymiser: GlassesAnonymiser, scene: Scene) -> F32:
    """Return (h, w) float32: by how many levels a patch is darker than without glasses."""
    (patch,), (plain,) = anonymiser.replace(scene), PlainAnonymiser("mosaic").replace(scene)
    assert patch
    assert plain
    assert (patch.x, patch.y) == (plain.x, plain.y)
    np.testing.assert_array_equal(patch.alpha, plain.alpha)
    return np.asarray((plain.image.astype(np.float32) - patch.image).mean(axis=2), np.float32)


def new() -> GlassesAnonymiser:
    return GlassesAnonymiser(PlainAnonymiser("mosaic"))


def test_glasses_are_drawn_on_the_eyes_of_those_who_wear_some() -> None:
    assert darkened(new(), shown(glasses=False)).max() == 0
    scene = shown(glasses=True)
    darker = darkened(new(), scene)
    (patch,) = PlainAnonymiser("mosaic").replace(scene)
    assert patch
    rows = np.flatnonzero(darker.max(axis=1)) + patch.y
    points = staged.mesh_of(staged.CALM).points
    assert rows.min() > points[lm.FOREHEAD, 1]
    assert rows.max() < points[lm.CHIN, 1]
    assert darker.max() > 10


def test_glasses_that_are_put_on_or_taken_off_fade() -> None:
    anonymiser = new()
    seen = [
        darkened(anonymiser, shown(glasses=index >= 5, index=index)).max() for index in range(60)
    ]
    assert seen[4] == 0
    assert 0 < seen[6] < 0.5 * seen[59]
    gone = [
        darkened(anonymiser, shown(glasses=False, index=index)).max() for index in (60, 61, 160)
    ]
    assert seen[59] > gone[0] > gone[1] > gone[2] == 0


def test_they_vanish_where_a_head_turns_away() -> None:
    calm = staged.mesh_of(staged.CALM)
    own = lm.head_pose(calm.points)[0]
    seen = [
        darkened(new(), shown(glasses=True, mesh=staged.turned(calm, own - degrees))).max()
        for degrees in (0.0, sum(AWAY_DEG) / 2, AWAY_DEG[1] + 5)
    ]
    assert seen[0] > seen[1] > seen[2] == 0


def test_faces_too_small_for_a_line_get_none() -> None:
    calm = staged.mesh_of(staged.CALM)
    small = replace(calm, points=0.08 * calm.points + np.float32(100))
    assert darkened(new(), shown(glasses=True, mesh=small)).max() == 0
