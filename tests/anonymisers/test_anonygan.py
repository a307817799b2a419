"""AnonyGAN on real frames, with the networks that ship."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from streamanon import weights
from streamanon.anonymisers import anonygan
from streamanon.anonymisers.anonygan import CHECK_EVERY, AnonyganAnonymiser
from streamanon.anonymisers.network import Arrays, FaceNetwork, check_cards
from streamanon.anonymisers.warp import WarpAnonymiser
from streamanon.backends.onnx_runtime import OnnxRuntimeBackend
from streamanon.errors import ModelError
from streamanon.face import landmarks as lm
from streamanon.face.drawing import FaceRegion
from streamanon.face.network_input import AlignedFace, ConditionWarp, network_inputs
from streamanon.face.warp import saturated
from streamanon.identities.gallery import load_builtin
from streamanon.imaging.picture import as_picture, whole_bgr
from streamanon.safety.compose import compose
from streamanon.tracking.identity_assigner import skin_lab
from streamanon.types import U8, Patch, Scene, Subject, Treatment
from streamanon.weights.card import read_card
from testkit.networks import mesh_fitter
from testkit.staged import CALM, LAUGHING, frame, mesh_of, scene, turned

ANN, BOB = (one for one in load_builtin() if one.name in ("amara", "amos"))


@cache
def network_file(name: str) -> OnnxRuntimeBackend:
    return OnnxRuntimeBackend(weights.path(name))


def staged(index: int, at: int = 0, degrees: float = 0.0) -> Scene:
    """A frame of the clip as frame ``at`` of a stream, its head turned by some degrees more."""
    mesh = mesh_of(index)
    return scene(frame(index), turned(mesh, degrees) if degrees else mesh, ANN, at)


class Disturbed:
    """The real network, its answers changed while a test wants it; counts what it is asked."""

    def __init__(self, name: str = "anonygan.onnx") -> None:
        self._backend = network_file(name)
        self.change: Callable[[Arrays], Arrays] | None = None
        self.faces: list[int] = []

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> Arrays:
        answer = self._backend.run(inputs)
        self.faces.append(len(next(iter(inputs.values()))))
        return self.change(answer) if self.change else answer


class Cast:
    """An anonymiser and the networks it uses."""

    def __init__(self) -> None:
        self.live, self.condition = Disturbed(), Disturbed("anonygan_condition.onnx")
        self.network = FaceNetwork(self.live, self.condition)
        self.anonymiser = AnonyganAnonymiser(self.network, mesh_fitter(), WarpAnonymiser())

    def play(self, *scenes: Scene) -> list[Patch | None]:
        """Return the patch of the first subject of each scene."""
        return [self.anonymiser.replace(scene)[0] for scene in scenes]


def inputs(index: int, network: FaceNetwork) -> Arrays:
    """What the network is shown of a frame."""
    known = network.prepare(ANN)
    face = AlignedFace.of(as_picture(frame(index)), mesh_of(index).points)
    return network_inputs(face, known.aligned, ConditionWarp.of(face, known.aligned)) | known.arrays


def test_the_pixels_of_the_face_never_enter_the_network() -> None:
    network = Cast().network
    shown = inputs(LAUGHING, network)
    live = network_file("anonygan.onnx")
    batch = {name: array[None] for name, array in shown.items()}
    answer = live.run(batch)
    hole = shown["maps"][:, :, 0] > 0
    noise = np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8)
    for where, same in ((hole, True), (~hole, False)):
        painted = np.where(where[:, :, None], noise, shown["context"])[None]
        other = live.run(batch | {"context": painted})
        assert all(np.array_equal(answer[name], other[name]) for name in answer) is same


@pytest.mark.parametrize(("name", "tint"), [("dim", (0.5, 0.45, 0.4)), ("grey", None)])
def test_the_face_has_the_skin_colour_of_the_one_it_hides(
    name: str, tint: tuple[float, float, float] | None
) -> None:
    image = frame(CALM)
    dull = saturated(image, 0.15) if tint is None else (image * np.array(tint)).astype(np.uint8)
    shot = scene(np.asarray(dull, np.uint8), mesh_of(CALM), ANN)
    safe = compose(shot, Cast().play(shot))
    assert (safe.treated[0].method, safe.treated[0].reason) == ("anonygan", ""), name
    wanted, given = (
        skin_lab(picture, mesh_of(CALM)) for picture in (shot.frame.picture, safe.picture)
    )
    assert wanted is not None
    assert given is not None
    lightness, *colour = np.abs(wanted - given)
    assert lightness < 14, (name, wanted, given)
    assert max(colour) < 6, (name, wanted, given)


def test_eyes_and_mouth_are_the_portraits_however_they_are_painted() -> None:
    def black(answer: Arrays) -> Arrays:
        return answer | {
            "face": np.zeros_like(answer["face"]),
            "attention": np.full_like(answer["attention"], 120),
        }

    cast = Cast()
    maps = inputs(LAUGHING, cast.network)["maps"]
    cast.live.change = black
    patch = cast.play(staged(LAUGHING))[0]
    assert patch is not None
    look = cast.anonymiser._states[staged(LAUGHING).subjects[0].track.id]
    assert look.smoothed is not None
    openings = cv2.erode(np.maximum(maps[:, :, 1], maps[:, :, 2]), np.ones((5, 5), np.uint8)) > 0
    assert openings.sum() > 40
    assert look.smoothed.attention[openings].min() > 0.85
    assert look.smoothed.attention[40, 64] == pytest.approx(120 / 255, abs=0.01)


def test_nothing_of_the_open_mouth_or_the_eyes_is_the_sources() -> None:
    mesh, image = mesh_of(LAUGHING), frame(LAUGHING).copy()
    for outline in (lm.INNER_LIPS, lm.RIGHT_EYE, lm.LEFT_EYE):
        hull = cv2.convexHull(mesh.points[list(outline), :2].astype(np.int32))
        cv2.fillConvexPoly(image, hull, (255, 0, 255))
    plain, magenta = staged(LAUGHING), scene(image, mesh, ANN)
    before, after = (
        whole_bgr(compose(shot, Cast().play(shot)).picture).astype(int) for shot in (plain, magenta)
    )
    shown = (after[:, :, 0] - after[:, :, 1] > 60) & (after[:, :, 2] - after[:, :, 1] > 60)
    assert not shown.any()
    assert np.abs(after - before).mean() < 1.0  # focus and grain follow the frame


def test_a_batch_gives_what_each_face_gives_alone() -> None:
    network = Cast().network
    faces = [inputs(index, network) for index in (CALM, LAUGHING, CALM)]
    for together, face in zip(network.generate(faces), faces, strict=True):
        (alone,) = network.generate([face])
        assert np.abs(together.face.astype(int) - alone.face).max() <= 1
        assert np.abs(together.attention - alone.attention).max() <= 1.01 / 255
        assert np.allclose(together.gain, alone.gain, atol=1e-4)


def test_all_faces_of_a_frame_go_through_the_network_together() -> None:
    cast = Cast()
    one = staged(CALM)
    second = replace(one.subjects[0].track, id=2)
    both = replace(one, subjects=(*one.subjects, Subject(second, BOB)))
    first, other = cast.anonymiser.replace(both)
    assert cast.live.faces == [2]
    assert first is not None
    assert other is not None
    (alone,) = Cast().play(one)
    assert alone is not None
    assert np.array_equal(first.alpha, alone.alpha)
    assert np.abs(first.image.astype(int) - alone.image).mean() < 1.5  # noise
    assert np.abs(first.image.astype(int) - other.image).mean() > 5


def test_an_identity_is_looked_at_once() -> None:
    cast = Cast()
    one = staged(CALM)
    for track_id, at in ((1, 0), (1, 50), (2, 52)):
        track = replace(one.subjects[0].track, id=track_id)
        shot = replace(staged(CALM, at), subjects=(Subject(track, ANN),))
        assert cast.play(shot) != [None]
    assert cast.condition.faces == [1]
    assert cast.live.faces == [1, 1, 1]


def test_the_network_is_asked_again_when_a_face_moves_in_itself_or_after_a_moment() -> None:
    cast, mesh = Cast(), mesh_of(CALM)
    elsewhere = replace(mesh, points=mesh.points * np.float32(0.97) + np.float32(5))
    lips = mesh.points.copy()
    lips[list(lm.LOWER_INNER_LIP), 1] += 0.06 * lm.inter_ocular_px(mesh.points)
    moments = [
        (0, mesh, True),
        (1, mesh, False),
        (2, elsewhere, False),
        (3, replace(mesh, points=lips), True),
        (4, replace(mesh, points=lips), False),
        (8, replace(mesh, points=lips), True),
    ]
    for at, shown, asked in moments:
        cast.live.faces.clear()
        assert cast.play(scene(frame(CALM), shown, ANN, at)) != [None]
        assert cast.live.faces == [1] * asked, at
    for at, shown, asked in ((9, mesh, False), (14, mesh, False), (22, mesh, True)):
        cast.live.faces.clear()
        cast.play(replace(scene(frame(CALM), shown, ANN, at), sparing=True))
        assert cast.live.faces == [1] * asked, at


@pytest.mark.parametrize(("times", "most"), [(1.07, 0.6), (1.5, 1.1)])
def test_light_follows_slowly_and_jumps_at_once(times: float, most: float) -> None:
    cast = Cast()
    first, second = cast.play(staged(CALM, 0), staged(CALM, 5))
    brighter = np.minimum(frame(CALM).astype(np.float32) * times, 255).astype(np.uint8)
    third, *_, last = cast.play(
        *(scene(brighter, mesh_of(CALM), ANN, at) for at in (10, 20, 30, 40, 50, 60))
    )
    levels = []
    for patch in (first, second, third, last):
        assert patch is not None
        half = patch.alpha.shape[1] // 2
        left = patch.alpha[:, : half - 10] > 0.99
        levels.append(float(patch.image[:, : half - 10][left].mean()))
    assert levels[1] == pytest.approx(levels[0], abs=0.5)
    assert levels[3] - levels[1] > 0.6 * (times - 1) * levels[1]
    share = (levels[2] - levels[1]) / (levels[3] - levels[1])
    assert most - 0.3 < share < most


def flat_attention(level: int) -> Callable[[Arrays], Arrays]:
    return lambda answer: answer | {"attention": np.full_like(answer["attention"], level)}


def only(face: U8) -> Callable[[Arrays], Arrays]:
    """Hardly anything but this is painted."""
    return lambda answer: (
        flat_attention(80)(answer) | {"face": face[None], "gain": np.full_like(answer["gain"], -20)}
    )


NOISE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8).repeat(2, 0).repeat(2, 1)
HIGHER_UP = np.roll(AlignedFace.of(as_picture(BOB.portrait), BOB.mesh.points).image, -16, axis=0)


def not_finite(answer: Arrays) -> Arrays:
    gain = answer["gain"].copy()
    gain[0, 1, 2, 3] = np.nan
    return answer | {"gain": gain}


def broken(_: Arrays) -> Arrays:
    raise ModelError("anonygan.onnx could not be run: out of memory")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (flat_attention(20), "leaves too little of the portrait"),
        (only(NOISE), "what the network painted"),
        (only(HIGHER_UP), "has its features out of place"),
        (not_finite, "numbers that are not finite"),
        (broken, "the network failed: anonygan.onnx could not be run"),
    ],
)
def test_a_result_that_cannot_be_trusted_is_replaced_by_the_portrait_alone(
    change: Callable[[Arrays], Arrays], why: str
) -> None:
    cast = Cast()
    cast.live.change = change
    shot = staged(CALM)
    (patch,) = cast.play(shot)
    (warped,) = WarpAnonymiser().replace(shot)
    assert patch is not None
    assert warped is not None
    assert why in patch.reason
    assert patch.method == warped.method == "warp"
    assert np.array_equal(patch.alpha, warped.alpha)
    assert np.abs(patch.image.astype(int) - warped.image).mean() < 2
    (done,) = compose(shot, [patch]).treated
    assert (done.treatment, done.reason) == (Treatment.REPLACED, patch.reason)


def test_the_network_is_asked_again_after_a_while() -> None:
    cast = Cast()
    cast.live.change = only(NOISE)
    patches = cast.play(*(staged(CALM, at) for at in range(3)))
    assert all(patch is not None and patch.reason for patch in patches)
    assert cast.live.faces == [1]
    cast.live.change = None
    later = cast.play(*(staged(CALM, at) for at in range(3, CHECK_EVERY + 2)))
    reasons = [patch.reason if patch else "none" for patch in later]
    assert reasons[-2:] == ["", ""]
    assert all(reasons[:-2])


def test_a_result_that_goes_wrong_later_is_noticed() -> None:
    cast = Cast()
    assert [patch.reason for patch in cast.play(staged(CALM)) if patch] == [""]
    cast.live.change = only(NOISE)
    patches = cast.play(*(staged(CALM, at) for at in range(10, 10 * CHECK_EVERY + 20, 10)))
    assert any(patch is not None and patch.reason for patch in patches)


def test_a_head_turned_beyond_the_training_wears_the_portrait_alone() -> None:
    cast = Cast()
    near, limit = anonygan.POSES.yaw_deg
    poses = {degrees: staged(CALM, degrees, degrees) for degrees in range(10, 60, 2)}
    yaws = {
        degrees: abs(lm.head_pose(shot.subjects[0].track.face.mesh.points)[0])
        for degrees, shot in poses.items()
        if shot.subjects[0].track.face.mesh is not None
    }
    straight = next(shot for degrees, shot in poses.items() if yaws[degrees] < near)
    beyond = next(shot for degrees, shot in poses.items() if limit < yaws[degrees] < 43)
    between = next(shot for degrees, shot in poses.items() if near < yaws[degrees] < limit)
    shown = cast.play(straight, between, beyond, between, straight)
    turned_away = [bool(patch and "turned farther" in patch.reason) for patch in shown]
    assert turned_away == [False, False, True, True, False]
    assert all(patch is not None for patch in shown)


def test_what_cannot_be_replaced_is_handed_back() -> None:
    whole, mesh = staged(CALM), mesh_of(CALM)
    subject = whole.subjects[0]
    tiny = replace(mesh, points=mesh.points * np.float32(0.1))
    bad = replace(mesh, points=np.full_like(mesh.points, np.nan))
    away = replace(mesh, points=mesh.points + np.array([5000, 0, 0], np.float32))
    for other in (None, tiny, bad, away, turned(mesh, 70)):
        track = replace(subject.track, face=replace(subject.track.face, mesh=other))
        assert Cast().play(replace(whole, subjects=(Subject(track, ANN),))) == [None]
    assert Cast().play(replace(whole, subjects=(Subject(subject.track),))) == [None]
    assert Cast().anonymiser.replace(replace(whole, subjects=())) == []


def test_networks_that_do_not_belong_together_are_refused() -> None:
    live, condition = (
        read_card(weights.path(name)) for name in ("anonygan.onnx", "anonygan_condition.onnx")
    )
    check_cards(live, condition)
    with pytest.raises(ModelError, match="not trained together"):
        check_cards(live, condition | {"checkpoint_sha256": "0"})
    other = live["convention"] | {"eyes_down_px": 50.0}
    with pytest.raises(ModelError, match=r"anonygan was trained with eyes_down_px 50\.0, this"):
        check_cards(live | {"convention": other}, condition)


def test_lids_and_lips_are_never_painted_by_the_network() -> None:
    """What it paints there is blurred, and on shut lids a dark smear."""
    network = Cast().network
    points = mesh_of(CALM).points
    face = AlignedFace.of(as_picture(frame(CALM)), points)
    known = network.prepare(ANN)
    warp = ConditionWarp.of(face, known.aligned)
    region = FaceRegion.of(as_picture(frame(CALM)), warp.space)
    assert region is not None
    state = anonygan._TrackState(ANN.name)
    prepared = anonygan._PreparedFace(face, known, warp, region, state, 0.0)
    (output,) = network.generate([prepared.inputs])
    hidden = replace(output, attention=np.zeros_like(output.attention))
    kept = prepared.with_features(hidden).attention
    for outline in (lm.RIGHT_EYE, lm.LEFT_LID_CREASE, lm.OUTER_LIPS):
        x, y = face.points[list(outline), :2].mean(axis=0)
        assert kept[round(y), round(x)] > 0.7
    assert kept[round(float(face.points[lm.CHIN, 1])), 64] < 0.1
