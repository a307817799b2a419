"""Changing the method between two frames: on demand, and down and up a ladder."""

import threading

import pytest

from streamanon.anonymisers.plain import PLAIN, PlainAnonymiser
from streamanon.anonymisers.stepped import SteppedAnonymiser
from streamanon.anonymisers.warp import WarpAnonymiser
from streamanon.errors import UsageError
from streamanon.identities.gallery import load_builtin
from streamanon.protocols import Anonymiser
from streamanon.safety.compose import compose
from streamanon.types import Scene, Treatment
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
        ("anonygan", ("full", "warp", "mosaic")),
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
    assert not anonymiser.needs_mesh
    (down,) = compose(shot, anonymiser.replace(shot)).treated
    assert (down.treatment, down.reason) == (Treatment.REPLACED, "too much to do: mosaic instead")
    anonymiser.step_to("full")
    assert compose(shot, anonymiser.replace(shot)).treated == best.treated


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
