"""Changing the method between two frames: on demand, and down and up a ladder."""

import threading
from dataclasses import replace

import numpy as np
import pytest

from streamanon.anonymisers.plain import PLAIN, PlainAnonymiser
from streamanon.anonymisers.stepped import SteppedAnonymiser
from streamanon.anonymisers.warp import WarpAnonymiser
from streamanon.errors import UsageError
from streamanon.identities.gallery import load_builtin
from streamanon.imaging.picture import whole_bgr
from streamanon.protocols import Anonymiser
from streamanon.safety.compose import compose
from streamanon.types import U8, Patch, Scene, Treatment
from testkit.logs import log_into
from testkit.staged import CALM, frame, mesh_of, scene


def make(method: str) -> Anonymiser:
    if method in PLAIN:
        return PlainAnonymiser(method)
    if method in ("warp", "anonygan"):  # the ladder is what is tested here, not the network
        return WarpAnonymiser()
    raise UsageError(f"unknown method {method!r}")


@pytest.fixture(scope="module")
def shot() -> Scene:
    return scene(frame(CALM), mesh_of(CALM), load_builtin()[0])


def stepped(method: str) -> tuple[SteppedAnonymiser, list[str]]:
    said: list[str] = []
    return SteppedAnonymiser(make, method, log_into(said)), said


@pytest.mark.parametrize(
    ("method", "levels"),
    [
        ("anonygan", ("full", "sparing", "warp", "mosaic")),
        ("warp", ("full", "mosaic")),
        ("mosaic", ("full",)),
        ("blur", ("full",)),
    ],
)
def test_each_method_has_its_ladder(method: str, levels: tuple[str, ...]) -> None:
    assert stepped(method)[0].levels == levels


def test_a_step_down_takes_effect_at_the_next_frame_and_is_owned_up_to(shot: Scene) -> None:
    anonymiser, _ = stepped("warp")
    best = compose(shot, anonymiser.replace(shot))
    assert anonymiser.needs_mesh
    anonymiser.step_to("mosaic")
    (down,) = compose(shot, anonymiser.replace(shot)).treated
    assert (down.treatment, down.reason) == (Treatment.REPLACED, "too much to do: mosaic instead")
    assert down.method == "mosaic"
    anonymiser.step_to("full")
    assert compose(shot, anonymiser.replace(shot)).treated == best.treated


def _at(shot: Scene, time_s: float) -> Scene:
    ticks = round(time_s / shot.frame.time_base)
    return replace(shot, frame=replace(shot.frame, pts=ticks))


def test_one_method_fades_into_the_other_and_hides_the_face_meanwhile(shot: Scene) -> None:
    anonymiser, _ = stepped("warp")

    def shown(at_s: float) -> U8:
        now = _at(shot, at_s)
        safe = compose(now, anonymiser.replace(now))
        assert safe.treated[0].treatment is Treatment.REPLACED
        return whole_bgr(safe.picture)

    face = shown(0).astype(int)
    anonymiser.step_to("mosaic")
    assert anonymiser.needs_mesh
    assert np.abs(shown(1) - face).mean() < 0.5
    fading = [shown(1 + 0.04 * step) for step in range(1, 10)]
    mosaic = shown(2)
    assert not anonymiser.needs_mesh
    away = [np.abs(picture - face).mean() for picture in fading]
    assert away == sorted(away)
    assert np.abs(fading[4] - (face + mosaic) / 2).mean() < 0.1 * np.abs(mosaic - face).mean()


def test_a_fade_that_would_uncover_a_face_is_refused(shot: Scene) -> None:
    """The method that fades out left the eyes open: the face is covered until it has gone."""

    class Holes(PlainAnonymiser):
        def replace(self, scene: Scene) -> list[Patch | None]:
            return [p and replace(p, alpha=p.alpha * 0) for p in super().replace(scene)]

    made = {"warp": Holes("mosaic"), "mosaic": PlainAnonymiser("mosaic")}
    anonymiser = SteppedAnonymiser(made.__getitem__, "warp", log_into([]))
    anonymiser.step_to("mosaic")
    for at_s, treatment in ((0, "covered"), (0.2, "covered"), (0.5, "replaced")):
        now = _at(shot, at_s)
        (done,) = compose(now, anonymiser.replace(now)).treated
        assert done.treatment.value == treatment


def test_the_sparing_level_is_the_same_method_asked_less_often(shot: Scene) -> None:
    asked: list[bool] = []

    class Listener(PlainAnonymiser):
        def replace(self, scene: Scene) -> list[Patch | None]:
            asked.append(scene.sparing)
            return super().replace(scene)

    anonymiser = SteppedAnonymiser(lambda _: Listener("solid"), "anonygan", log_into([]))
    for level in ("full", "sparing", "full"):
        anonymiser.step_to(level)
        (done,) = compose(shot, anonymiser.replace(shot)).treated
        assert ("less often" in done.reason) == (level == "sparing")
    assert asked == [False, True, False]


def test_another_method_takes_over_at_its_best_and_says_so(shot: Scene) -> None:
    anonymiser, said = stepped("warp")
    anonymiser.step_to("mosaic")
    anonymiser.set_method("solid")
    assert (anonymiser.method, said) == ("solid", ["faces are hidden by solid from now on"])
    anonymiser.step_to("mosaic")  # late news for the ladder of the method before
    (done,) = compose(shot, anonymiser.replace(shot)).treated
    assert (done.treatment, done.reason) == (Treatment.REPLACED, "")


def test_an_unknown_method_changes_nothing(shot: Scene) -> None:
    anonymiser, said = stepped("warp")
    with pytest.raises(UsageError, match="unknown method 'magic'"):
        anonymiser.set_method("magic")
    assert (anonymiser.method, said) == ("warp", [])
    assert anonymiser.replace(shot)[0]


def test_changes_from_other_threads_never_leave_a_face_without(shot: Scene) -> None:
    anonymiser, _ = stepped("warp")
    over = threading.Event()

    def change() -> None:
        while not over.is_set():
            for method in ("mosaic", "anonygan", "solid", "warp"):
                anonymiser.set_method(method)
                for level in anonymiser.levels:
                    anonymiser.step_to(level)

    thread = threading.Thread(target=change)
    thread.start()
    try:
        treated = [compose(shot, anonymiser.replace(shot)).treated for _ in range(60)]
    finally:
        over.set()
        thread.join(5)
    assert all(done.treatment is Treatment.REPLACED for (done,) in treated)
