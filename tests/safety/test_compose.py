"""Whatever an anonymiser hands over, no face pixel may survive."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from streamanon.identities.gallery import load_builtin
from streamanon.imaging.picture import as_picture, whole_bgr
from streamanon.safety.compose import compose
from streamanon.types import (
    F32,
    Face,
    Frame,
    Mesh,
    Occluder,
    Patch,
    Picture,
    Scene,
    Subject,
    Track,
    Treatment,
)

MAGENTA = (255, 0, 255)
BOX = (40, 30, 80, 80)


def scene(*, cover: tuple[float, ...] = BOX, distrust: str = "") -> Scene:
    """A grey picture with a magenta face in BOX."""
    image = np.full((120, 160, 3), 90, np.uint8)
    image[BOX[1] : BOX[3], BOX[0] : BOX[2]] = MAGENTA
    image[BOX[1] : BOX[3] : 2, BOX[0] : BOX[2] : 2] = (10, 200, 10)
    face = Face(np.array(BOX, np.float32), 0.9)
    track = Track(7, face, np.array(cover, np.float32))
    return Scene(Frame(3, as_picture(image), 3, Fraction(1, 25)), (Subject(track),), distrust)


def patch(alpha: float = 1.0, size: tuple[int, int] = (50, 40)) -> Patch:
    return Patch(
        BOX[0], BOX[1], np.full((*size, 3), 128, np.uint8), np.full(size, alpha, np.float32)
    )


def magenta_pixels(picture: Picture) -> int:
    return int((np.abs(whole_bgr(picture).astype(int) - MAGENTA).max(axis=2) < 12).sum())


def test_a_good_patch_replaces_the_face_and_nothing_else() -> None:
    safe = compose(scene(), [patch()])
    shown = whole_bgr(safe.picture)
    assert (shown[BOX[1] : BOX[3], BOX[0] : BOX[2]] == 128).all()
    shown[BOX[1] : BOX[3], BOX[0] : BOX[2]] = 90
    assert (shown == 90).all()
    assert [(done.track_id, done.treatment) for done in safe.treated] == [(7, Treatment.REPLACED)]


def with_nan(good: Patch) -> Patch:
    good.alpha[5, 5] = np.nan
    return good


@pytest.mark.parametrize(
    ("patches", "why"),
    [
        ([None], "too unclear for a mesh"),
        ([], "0 patches for 1 subjects"),
        ([patch(alpha=0.0)], "show through"),
        ([patch(alpha=0.6)], "show through"),
        ([with_nan(patch())], "not finite"),
        ([patch(size=(20, 20))], "whole face"),
        ([replace(patch(), image=np.zeros((9, 9, 3), np.uint8))], "fit"),
        ([replace(patch(), x=0, y=0)], "whole face"),
    ],
)  # fmt: skip
def test_a_bad_patch_becomes_a_cover(patches: list[Patch | None], why: str) -> None:
    safe = compose(scene(), patches)
    assert magenta_pixels(safe.picture) == 0
    assert safe.treated[0].treatment is Treatment.COVERED
    assert why in safe.treated[0].reason


@pytest.mark.parametrize(
    "broken",
    [
        {"distrust": "detector failed: boom"},
        {"cover": (np.nan, 0, 10, 10)},
        {"cover": (50, 50, 50, 50)},
    ],
)
def test_a_face_in_an_unknown_place_covers_the_whole_frame(broken: dict[str, object]) -> None:
    raw = scene(**broken)  # type: ignore[arg-type]
    safe = compose(raw, [patch()])
    assert magenta_pixels(safe.picture) == 0
    assert {done.treatment for done in safe.treated} == {Treatment.WHOLE_FRAME}
    assert len(np.unique(whole_bgr(safe.picture).reshape(-1, 3), axis=0)) < 200
    assert magenta_pixels(raw.frame.picture) > 0


def test_the_raw_frame_is_not_written_to() -> None:
    raw = scene()
    before = [plane.copy() for plane in raw.frame.picture.planes]
    compose(raw, [None])
    for old, new in zip(before, raw.frame.picture.planes, strict=True):
        assert (old == new).all()


def test_a_patch_that_is_not_the_best_says_why() -> None:
    safe = compose(scene(), [replace(patch(), reason="second best")])
    (done,) = safe.treated
    assert (done.treatment, done.reason) == (Treatment.REPLACED, "second best")


def everywhere(value: float, size: tuple[int, int] = (50, 40)) -> F32:
    return np.full(size, value, np.float32)


def with_mesh() -> Scene:
    """The same scene, with a mesh that fills the box."""
    shot = scene()
    points = load_builtin()[0].mesh.points.copy()
    points -= points.min(axis=0)
    points[:, :2] *= (np.array(BOX[2:]) - BOX[:2] - 1) / points[:, :2].max(axis=0)
    points[:, :2] += BOX[:2]
    (subject,) = shot.subjects
    face = replace(subject.track.face, mesh=Mesh(points, 1.0))
    return replace(shot, subjects=(replace(subject, track=replace(subject.track, face=face)),))


@pytest.mark.parametrize(
    "occluder",
    [
        Occluder(everywhere(1), everywhere(0)),
        Occluder(everywhere(0), everywhere(1)),
        Occluder(everywhere(1), everywhere(np.nan)),
        Occluder(everywhere(np.inf), everywhere(1)),
        Occluder(everywhere(1), everywhere(1, (20, 20))),
        Occluder(everywhere(1), everywhere(1)),
    ],
)
def test_neither_one_cue_alone_nor_a_face_that_is_hidden_altogether_shows_anything(
    occluder: Occluder,
) -> None:
    safe = compose(with_mesh(), [replace(patch(), occluder=occluder)])
    assert magenta_pixels(safe.picture) == 0
    assert safe.treated[0].treatment is Treatment.REPLACED


def test_what_both_cues_see_in_front_stays_as_it_is() -> None:
    seen, confirmed = everywhere(0), everywhere(0)
    seen[:, :14], confirmed[30:] = 1, 1
    raw = with_mesh()
    safe = compose(raw, [replace(patch(), occluder=Occluder(seen, confirmed))])
    shown, source = whole_bgr(safe.picture), whole_bgr(raw.frame.picture)
    changed = (shown != source).any(axis=2)[BOX[1] : BOX[3], BOX[0] : BOX[2]]
    assert not changed[30:, :14].any()
    changed[30:, :14] = True
    assert changed.all()
