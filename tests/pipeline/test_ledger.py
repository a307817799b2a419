"""The ledger: spans of tracks, steps down, and a true count of what was left uncovered."""

from fractions import Fraction

import numpy as np

from streamanon.imaging.picture import blank_picture
from streamanon.pipeline.ledger import Ledger
from streamanon.pipeline.report import Times
from streamanon.types import (
    ColourSpace,
    Face,
    Frame,
    SafeFrame,
    Scene,
    Subject,
    Track,
    Treated,
    Treatment,
)

PICTURE = blank_picture((4, 4), ColourSpace("bt709"))
BOX = np.array([0, 0, 4, 4], np.float32)


def _scene(index: int, *track_ids: int, distrust: str = "", damaged: bool = False) -> Scene:
    frame = Frame(index, PICTURE, index, Fraction(1, 25), damaged)
    subjects = tuple(Subject(Track(number, Face(BOX, 1.0), BOX)) for number in track_ids)
    return Scene(frame, subjects, distrust)


def _safe(index: int, *treated: Treated) -> SafeFrame:
    return SafeFrame(index, PICTURE, index, Fraction(1, 25), treated)


REPLACED = Treated(1, Treatment.REPLACED, identity="ann")
COVERED = Treated(1, Treatment.COVERED, "no mesh")


def test_a_track_knows_its_span_and_identities() -> None:
    ledger = Ledger()
    ledger.record(_scene(3, 1), _safe(3, REPLACED), examined=True)
    ledger.record(_scene(4, 1), _safe(4, COVERED), examined=True)
    ledger.record(_scene(5), _safe(5), examined=True)
    track = ledger.tracks[1]
    assert (track.first, track.last, track.replaced, track.covered) == (3, 4, 1, 1)
    assert track.identities == ["ann"]
    assert (ledger.frames, ledger.with_faces, ledger.uncovered) == (3, 2, 0)


def test_steps_down_are_run_length_encoded() -> None:
    ledger = Ledger()
    for index, treated in enumerate([COVERED, COVERED, REPLACED, COVERED]):
        ledger.record(_scene(index, 1), _safe(index, treated), examined=True)
    spans = [(step.first, step.last, step.track_id, step.reason) for step in ledger.steps_down]
    assert spans == [(0, 1, 1, "no mesh"), (3, 3, 1, "no mesh")]


def test_a_subject_without_treatment_is_uncovered() -> None:
    ledger = Ledger()
    ledger.record(_scene(0, 1, 2), _safe(0, REPLACED), examined=True)
    assert ledger.uncovered == 1


def test_faces_are_counted_by_method_and_a_mosaic_is_no_new_face() -> None:
    ledger = Ledger()
    mosaic = Treated(2, Treatment.REPLACED, "too much to do: mosaic instead", method="mosaic")
    drawn = Treated(1, Treatment.REPLACED, identity="ann", method="anonygan")
    ledger.record(_scene(0, 1, 2), _safe(0, drawn, mosaic), examined=True)
    ledger.record(_scene(1, 1), _safe(1, COVERED), examined=True)
    whole = (Treated(None, Treatment.WHOLE_FRAME), Treated(1, Treatment.WHOLE_FRAME))
    ledger.record(_scene(2, 1, distrust="damaged"), _safe(2, *whole), examined=True)
    assert ledger.methods == {"anonygan": 1, "mosaic": 1, "covered": 1, "whole-frame": 1}


def test_an_untrusted_or_damaged_frame_that_is_not_covered_whole_is_uncovered() -> None:
    ledger = Ledger()
    ledger.record(_scene(0, distrust="scene cut"), _safe(0), examined=True)
    ledger.record(_scene(1, damaged=True), _safe(1), examined=True)
    assert (ledger.uncovered, ledger.damaged) == (2, 1)


def test_a_frame_trusted_without_a_look_is_uncovered_unless_it_is_covered_whole() -> None:
    ledger = Ledger()
    ledger.record(_scene(0, 1), _safe(0, REPLACED), examined=False)
    assert ledger.uncovered == 1
    whole = Treated(None, Treatment.WHOLE_FRAME, "a cover that is not finite")
    ledger.record(_scene(1), _safe(1, whole), examined=False)
    assert ledger.uncovered == 1


def test_a_frame_covered_whole_hides_everybody() -> None:
    ledger = Ledger()
    whole = Treated(None, Treatment.WHOLE_FRAME, "scene cut")
    ledger.record(_scene(0, 1, distrust="scene cut"), _safe(0, whole), examined=True)
    assert (ledger.uncovered, ledger.whole_frames) == (0, 1)


def test_a_replacement_that_is_not_the_best_is_a_step_down_and_a_replacement() -> None:
    ledger = Ledger()
    second = Treated(1, Treatment.REPLACED, "portrait alone", "ann")
    for index, treated in enumerate([REPLACED, second, second, REPLACED]):
        ledger.record(_scene(index, 1), _safe(index, treated), examined=True)
    (step,) = ledger.steps_down
    assert (step.first, step.last, step.treatment) == (1, 2, "replaced")
    assert (ledger.tracks[1].replaced, ledger.tracks[1].covered) == (4, 0)


def test_books_of_a_stream_without_end_keep_the_newest_and_count_all() -> None:
    ledger = Ledger(keep=10)
    visitor = Treated(1, Treatment.COVERED, "no mesh")
    for index in range(500):
        stranger = Treated(index + 2, Treatment.REPLACED, identity="ann")
        ledger.record(_scene(index, 1, index + 2), _safe(index, visitor, stranger), examined=True)
        ledger.record(
            _scene(index, 1), _safe(index, Treated(1, Treatment.COVERED, f"{index}")), examined=True
        )
    assert 10 <= len(ledger.tracks) <= 20
    assert 10 <= len(ledger.steps_down) <= 20
    assert ledger.tracks[1].covered == 1000  # still there, so never forgotten
    assert ledger.tracks[501].last == 499
    assert (ledger.people, ledger.replaced, ledger.covered) == (501, 500, 1000)
    assert (ledger.frames, ledger.uncovered) == (1000, 0)


def test_times_of_a_stream_without_end_keep_the_newest_and_add_up_all() -> None:
    times, all_times = Times(keep=10), Times()
    for number in range(1000):
        times.append(number)
        all_times.append(number)
    assert len(all_times) == 1000
    assert 10 <= len(times) < 20
    assert list(times[-10:]) == list(range(990, 1000))
    assert times.total_s == all_times.total_s == sum(all_times)
    assert times.percentiles_ms()["p50_ms"] > 990_000
