"""Faces of the portrait's shape, on real frames, with the real mesh network."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest

from streamanon import weights
from streamanon.anonymisers.reshaping import ReshapingAnonymiser
from streamanon.anonymisers.warp import WarpAnonymiser
from streamanon.backends.onnx_runtime import OnnxRuntimeBackend
from streamanon.detectors.mesh import Blendshapes, MeshFitter
from streamanon.face import landmarks as lm
from streamanon.face.shape import ShapeModel
from streamanon.identities.gallery import load_builtin
from streamanon.imaging.picture import whole_bgr
from streamanon.safety.compose import compose
from streamanon.types import Face, Patch, Scene, Subject, Track, Treatment
from testkit.networks import mesh_fitter
from testkit.staged import CALM, LAUGHING, clip_frames, fit, scene, turned

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamanon.protocols import Anonymiser
    from streamanon.types import F32, U8, Identity, Mesh


@cache
def fitter() -> MeshFitter:
    return mesh_fitter()


@cache
def frames() -> dict[int, U8]:
    return clip_frames((CALM, LAUGHING))


@cache
def mesh_at(index: int) -> Mesh:
    return fit(fitter(), frames()[index])


@cache
def identities() -> dict[str, Identity]:
    return {identity.name: identity for identity in load_builtin()}


@cache
def model() -> ShapeModel:
    with np.load(weights.path("face_shape.npz")) as stored:
        return ShapeModel.of(stored)


@cache
def blendshapes() -> Blendshapes:
    return Blendshapes(OnnxRuntimeBackend(weights.path("face_blendshapes.onnx")))


def reshaping(inside: Anonymiser) -> ReshapingAnonymiser:
    return ReshapingAnonymiser(inside, model(), blendshapes())


def neutral(mesh: Mesh) -> F32:
    return model().neutral(mesh.points, blendshapes()(mesh.points))


def gap(one: F32, two: F32) -> float:
    return float(np.sqrt(((one - two) ** 2).sum(axis=1).mean()))


@dataclass
class Watching:
    """An anonymiser that keeps what it was shown and draws a given picture."""

    draw: Callable[[Scene], list[Patch | None]]
    seen: list[Scene] = field(default_factory=list)
    needs_mesh: bool = True

    def replace(self, scene: Scene) -> list[Patch | None]:
        self.seen.append(scene)
        return self.draw(scene)


def _grey(scene: Scene) -> list[Patch | None]:
    patches: list[Patch | None] = []
    for subject in scene.subjects:
        assert subject.track.face.mesh is not None
        x0, y0, x1, y1 = lm.face_box_from_mesh(subject.track.face.mesh.points).astype(int).tolist()
        size = (y1 - y0 + 1, x1 - x0 + 1)
        patches.append(Patch(x0, y0, np.full((*size, 3), 128, np.uint8), np.ones(size, np.float32)))
    return patches


@pytest.mark.parametrize("name", ["hugo", "mei"])
def test_a_face_gets_the_portraits_shape_and_keeps_its_pose(name: str) -> None:
    image, mesh, identity = frames()[LAUGHING], mesh_at(LAUGHING), identities()[name]
    shot = scene(image, mesh, identity)
    anonymiser = reshaping(WarpAnonymiser())
    safe = compose(shot, anonymiser.replace(shot))
    assert [done.treatment for done in safe.treated] == [Treatment.REPLACED]
    again = fit(fitter(), whole_bgr(safe.picture))
    own, other, got = neutral(mesh), neutral(identity.mesh), neutral(again)
    assert gap(got, other) < 0.75 * gap(got, own)
    for before, after in zip(lm.head_pose(mesh.points), lm.head_pose(again.points), strict=True):
        assert after == pytest.approx(before, abs=4.0)


def test_the_other_anonymiser_sees_the_new_shape_and_the_frame_stays() -> None:
    image, mesh, identity = frames()[CALM], mesh_at(CALM), identities()["hugo"]
    inside = Watching(_grey)
    shot = scene(image, mesh, identity)
    reshaping(inside).replace(shot)
    (seen,) = inside.seen
    shown = seen.subjects[0].track.face.mesh
    assert shown is not None
    assert gap(shown.points, mesh.points) > 1
    assert (whole_bgr(shot.frame.picture) == image).all()
    assert (whole_bgr(seen.frame.picture) != image).any()


def test_what_is_known_of_a_person_settles() -> None:
    inside = Watching(_grey)
    anonymiser = reshaping(inside)
    numbers = range(CALM, CALM + 40)
    clip = clip_frames(numbers)
    identity = identities()["hugo"]
    shapes = []
    for index in numbers:
        shot = scene(clip[index], fit(fitter(), clip[index]), identity, index)
        anonymiser.replace(shot)
        shown = inside.seen[-1].subjects[0].track.face.mesh
        assert shown is not None
        shapes.append(neutral(shown))
    late = np.mean(shapes[-10:], axis=0)
    assert gap(shapes[-1], late) < 0.5 * gap(neutral(mesh_at(CALM)), late)


def test_two_people_close_together_keep_their_outlines() -> None:
    image, mesh, identity = frames()[CALM], mesh_at(CALM), identities()["hugo"]
    shot = scene(image, mesh, identity)
    box = lm.face_box_from_mesh(mesh.points)
    beside = np.array([box[2] + 2, box[1], box[2] + 100, box[3]], np.float32)
    neighbour = Subject(Track(2, Face(beside, 0.9), beside))
    inside = Watching(lambda scene: [*_grey(replace(scene, subjects=scene.subjects[:1])), None])
    reshaping(inside).replace(replace(shot, subjects=(*shot.subjects, neighbour)))
    shown = inside.seen[0].subjects[0].track.face.mesh
    assert shown is not None
    moved = np.abs(shown.points - mesh.points).max(axis=1)
    assert moved[list(lm.FACE_OVAL)].max() < 0.1 * moved.max()


def test_nothing_of_a_neighbour_is_brought_back() -> None:
    image, mesh, identity = frames()[CALM].copy(), mesh_at(CALM), identities()["hugo"]
    box = lm.face_box_from_mesh(mesh.points)
    beside = np.array([box[2] + 30, box[1], box[2] + 100, box[3]], np.float32)
    x0, y0, x1, y1 = beside.astype(int)
    image[y0:y1, x0:x1] = (255, 0, 255)
    shot = scene(image, mesh, identity)
    neighbour = Subject(Track(2, Face(beside, 0.9), beside))
    shot = replace(shot, subjects=(neighbour, *shot.subjects))
    patches = reshaping(
        Watching(lambda scene: [None, *_grey(replace(scene, subjects=scene.subjects[1:]))])
    ).replace(shot)
    black = Patch(
        x0, y0, np.zeros((y1 - y0, x1 - x0, 3), np.uint8), np.ones((y1 - y0, x1 - x0), np.float32)
    )
    shown = whole_bgr(compose(shot, [black, patches[1]]).picture).astype(int)
    assert not ((shown[:, :, 0] > 150) & (shown[:, :, 1] < 100) & (shown[:, :, 2] > 150)).any()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda patch: None,
        lambda patch: replace(patch, alpha=patch.alpha * np.float32(0.5)),
        lambda patch: replace(patch, alpha=np.zeros_like(patch.alpha)),
        lambda patch: replace(patch, alpha=patch.alpha * np.float32(np.nan)),
        lambda patch: replace(patch, x=patch.x + 120),
        lambda patch: replace(patch, x=patch.x + 4000),
        lambda patch: replace(patch, image=patch.image[:-3]),
    ],
)
def test_a_patch_that_does_not_hide_the_face_is_none(
    spoil: Callable[[Patch], Patch | None],
) -> None:
    image, mesh, identity = frames()[CALM], mesh_at(CALM), identities()["hugo"]
    shot = scene(image, mesh, identity)
    inside = Watching(lambda scene: [spoil(patch) for patch in _grey(scene) if patch])
    patches = reshaping(inside).replace(shot)
    assert patches == [None]


def test_a_wrong_number_of_patches_is_passed_on() -> None:
    shot = scene(frames()[CALM], mesh_at(CALM), identities()["hugo"])
    assert reshaping(Watching(lambda _: [])).replace(shot) == []


def test_faces_without_mesh_or_identity_are_left_to_the_other() -> None:
    image, mesh, identity = frames()[CALM], mesh_at(CALM), identities()["hugo"]
    shot = scene(image, mesh, identity)
    (subject,) = shot.subjects
    nameless = replace(subject, identity=None)
    blind = replace(
        subject, track=replace(subject.track, face=replace(subject.track.face, mesh=None))
    )
    broken = replace(mesh, points=np.full_like(mesh.points, np.nan))
    strange = scene(image, broken, identity).subjects[0]
    for one in (nameless, blind, strange):
        inside = Watching(lambda _: [None])
        assert reshaping(inside).replace(replace(shot, subjects=(one,))) == [None]
        assert inside.seen[0].subjects == (one,)


def test_a_turned_head_is_drawn_or_left_out() -> None:
    image, identity = frames()[CALM], identities()["hugo"]
    for degrees in (-35, 35, 80):
        shot = scene(image, turned(mesh_at(CALM), degrees), identity)
        safe = compose(shot, reshaping(WarpAnonymiser()).replace(shot))
        assert all(done.treatment is not Treatment.WHOLE_FRAME for done in safe.treated)


def test_an_outline_is_free_again_only_slowly() -> None:
    image, mesh, identity = frames()[CALM], mesh_at(CALM), identities()["hugo"]
    box = lm.face_box_from_mesh(mesh.points)
    beside = np.array([box[2] + 2, box[1], box[2] + 100, box[3]], np.float32)
    neighbour = Subject(Track(2, Face(beside, 0.9), beside))
    inside = Watching(
        lambda scene: [*_grey(replace(scene, subjects=scene.subjects[:1])), None][
            : len(scene.subjects)
        ]
    )
    anonymiser, chins = reshaping(inside), []
    for index in range(20):
        shot = scene(image, mesh, identity, index)
        if index == 1:
            shot = replace(shot, subjects=(*shot.subjects, neighbour))
        anonymiser.replace(shot)
        shown = inside.seen[-1].subjects[0].track.face.mesh
        assert shown is not None
        chins.append(float(np.linalg.norm((shown.points - mesh.points)[lm.CHIN])))
    assert chins[1] < 0.1 * chins[0]
    assert 0.1 * chins[0] < chins[6] < 0.7 * chins[0]
    assert chins[-1] == pytest.approx(chins[0], rel=0.05)


def test_no_neighbour_is_moved_into_the_new_face() -> None:
    image, mesh, identity = frames()[CALM], mesh_at(CALM), identities()["hugo"]
    shot = scene(image, mesh, identity)
    away = np.array([-170, 0, 0], np.float32)
    other = scene(image, replace(mesh, points=(mesh.points + away).astype(np.float32)), identity)
    second = replace(other.subjects[0], track=replace(other.subjects[0].track, id=2))
    inside = Watching(_grey)
    patches = reshaping(inside).replace(replace(shot, subjects=(*shot.subjects, second)))
    first = inside.seen[0].subjects[0].track.face.mesh
    assert first is not None
    x0, y0, x1, y1 = lm.face_box_from_mesh(first.points).astype(int)
    late = patches[1]
    assert late is not None
    height, width = late.alpha.shape
    shown = np.zeros(image.shape[:2], np.float32)
    top, left = max(late.y, 0), max(late.x, 0)
    part = late.alpha[top - late.y :, left - late.x :][
        : image.shape[0] - top, : image.shape[1] - left
    ]
    shown[top : top + part.shape[0], left : left + part.shape[1]] = part
    mine = inside.seen[0].subjects[1].track.face.mesh
    assert mine is not None
    edge = int(lm.face_box_from_mesh(mine.points)[2]) + 2
    assert not shown[y0:y1, max(x0, edge) : x1].any()
    assert height > 0
    assert width > 0


def test_a_cover_fades_into_the_face_that_takes_its_place() -> None:
    shown = reshaping(WarpAnonymiser())
    shots = [scene(frames()[CALM], mesh_at(CALM), identities()["hugo"], at) for at in range(12)]
    face = shots[0].subjects[0]
    hidden = replace(face, track=replace(face.track, face=replace(face.track.face, mesh=None)))
    assert shown.replace(replace(shots[0], subjects=(hidden,))) == [None]
    cover = whole_bgr(compose(shots[0], [None]).picture).astype(int)
    x0, y0, x1, y1 = lm.face_box_from_mesh(mesh_at(CALM).points).astype(int)
    gaps = []
    for shot in shots[1:]:
        safe = compose(shot, shown.replace(shot))
        assert safe.treated[0].treatment is Treatment.REPLACED
        gaps.append(np.abs(whole_bgr(safe.picture) - cover)[y0:y1, x0:x1].mean())
    assert gaps[0] < 0.4 * gaps[-1]
    assert max(two - one for one, two in pairwise(gaps)) < 0.35 * gaps[-1]
    assert gaps[6] == pytest.approx(gaps[-1], rel=0.1)
