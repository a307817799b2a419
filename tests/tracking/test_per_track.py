"""What is known of people is kept while they are in view, and a little longer."""

from fractions import Fraction

import numpy as np
import pytest

from streamanon.tracking.per_track import FORGET_S, PerTrack
from streamanon.types import ColourSpace, Face, Frame, Picture, Scene, Subject, Track

PICTURE = Picture((np.zeros((4, 4), np.uint8),) * 3, ColourSpace("rgb", chroma_shift=(0, 0)))
BOX = np.array([0, 0, 4, 4], np.float32)


def at(time_s: float, *track_ids: int) -> Scene:
    frame = Frame(0, PICTURE, round(time_s * 1000), Fraction(1, 1000))
    return Scene(frame, tuple(Subject(Track(number, Face(BOX, 1.0), BOX)) for number in track_ids))


def test_a_track_out_of_view_is_forgotten_after_a_while() -> None:
    kept: PerTrack[str] = PerTrack()
    kept[1], kept[2] = "ann", "bob"
    kept.forget(at(0, 1, 2))
    kept.forget(at(0.9 * FORGET_S, 1))
    assert (kept[1], kept[2]) == ("ann", "bob")
    kept.forget(at(1.1 * FORGET_S, 1))
    assert kept[1] == "ann"
    assert 2 not in kept
    with pytest.raises(KeyError):
        kept[2]


def test_a_jump_in_time_forgets_who_is_not_there() -> None:
    kept: PerTrack[int] = PerTrack()
    kept[1] = 5
    kept.forget(at(100, 1))
    kept.forget(at(0))
    assert 1 not in kept
