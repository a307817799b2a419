import numpy as np
import pytest

from streamanon.tracking.tracker import Tracker, seen_cover, with_margin
from streamanon.types import F32, Face, Track

RATE = 25
SIZE_PX = 80.0


def _face(x: float, y: float = 200.0, size: float = SIZE_PX, score: float = 0.9) -> Face:
    half = size / 2
    return Face(np.array([x - half, y - half, x + half, y + half], np.float32), score)


def _contains(cover: F32, box: F32) -> bool:
    return bool((cover[:2] <= box[:2]).all() and (cover[2:] >= box[2:]).all())


def _run(tracker: Tracker, *frames: list[Face], start: int = 0) -> list[list[Track]]:
    return [tracker.update(faces, (start + i) / RATE) for i, faces in enumerate(frames)]


def test_a_face_is_covered_from_its_first_frame() -> None:
    for score in (0.31, 0.99):
        face = _face(300, score=score)
        (track,) = Tracker(640, 360).update([face], 0.0)
        assert track.unseen_s == 0.0
        assert (track.cover[:2] < face.box[:2]).all()
        assert (track.cover[2:] > face.box[2:]).all()


def test_a_face_keeps_its_id_while_it_moves_and_grows() -> None:
    tracker = Tracker(640, 360)
    frames = [[_face(100 + 12 * i, 150 + 3 * i, SIZE_PX * 1.03**i)] for i in range(30)]
    for faces, tracks in zip(frames, _run(tracker, *frames), strict=True):
        assert [track.id for track in tracks] == [1]
        assert _contains(tracks[0].cover, faces[0].box)


def test_two_who_pass_each_other_keep_their_ids() -> None:
    tracker = Tracker(640, 360)
    frames = [[_face(100 + 10 * i, 150), _face(500 - 10 * i, 200)] for i in range(40)]
    last = _run(tracker, *frames)[-1]
    assert [round(float(track.face.box[0])) for track in last] == [450, 70]
    assert [track.id for track in last] == [1, 2]


def test_the_order_of_the_detector_does_not_matter() -> None:
    tracker = Tracker(640, 360)
    for i in range(10):
        faces = [_face(200), _face(300), _face(400)]
        tracks = tracker.update(faces[i % 3 :] + faces[: i % 3], i / RATE)
        assert {t.id: float(t.face.box[0]) for t in tracks} == {1: 160.0, 2: 260.0, 3: 360.0}


@pytest.mark.parametrize("step_px", [0.0, 6.0, 15.0])
def test_a_missed_face_stays_under_a_cover_that_grows(step_px: float) -> None:
    tracker = Tracker(1280, 720)
    seen = [[_face(300 + step_px * i)] for i in range(20)]
    _run(tracker, *seen)
    areas = []
    for i, (track,) in enumerate(_run(tracker, *([[]] * 8), start=20)):
        assert track.face.mesh is None
        assert track.unseen_s == pytest.approx((i + 1) / RATE)
        assert _contains(track.cover, _face(300 + step_px * (20 + i)).box)
        areas.append(float(np.prod(track.cover[2:] - track.cover[:2])))
    assert (np.diff(areas) > 0).all()


def test_a_found_face_is_the_one_that_was_lost() -> None:
    tracker = Tracker(640, 360)
    _run(tracker, *[[_face(200 + 5 * i)] for i in range(20)], *([[]] * 10))
    (track,) = tracker.update([_face(350)], 30 / RATE)
    assert (track.id, track.unseen_s) == (1, 0.0)


@pytest.mark.parametrize(
    ("score", "frames", "x", "limit_s"),
    [(0.9, 20, 300, 1.0), (0.9, 3, 300, 0.5), (0.9, 20, 635, 0.5), (0.4, 20, 300, 0.2)],
)
def test_a_lost_track_ends(score: float, frames: int, x: float, limit_s: float) -> None:
    tracker = Tracker(640, 360)
    _run(tracker, *[[_face(x - 2.0 * (frames - i), score=score)] for i in range(frames)])
    counts = [len(t) for t in _run(tracker, *([[]] * 40), start=frames)]
    lasted_s = counts.index(0) / RATE
    assert limit_s - 0.05 <= lasted_s <= limit_s + 0.05
    assert not any(counts[counts.index(0) :])
    assert not tracker.ids


def test_a_face_lost_near_the_edge_is_covered_up_to_the_edge() -> None:
    tracker = Tracker(640, 360)
    _run(tracker, *[[_face(120 - 4 * i)] for i in range(15)])
    (track,) = tracker.update([], 15 / RATE)
    assert track.cover[0] <= 0


def test_ids_are_never_used_again() -> None:
    tracker = Tracker(640, 360)
    (first,) = tracker.update([_face(300)], 0.0)
    tracker.reset(640, 360)
    assert not tracker.ids
    (second,) = tracker.update([_face(300)], 0.04)
    tracker.update([], 9.0)
    (third,) = tracker.update([_face(300)], 9.04)
    assert [first.id, second.id, third.id] == [1, 2, 3]


def test_a_track_that_parts_goes_on_where_it_was_with_a_new_id() -> None:
    tracker = Tracker(640, 360)
    _run(tracker, *([_face(100 + 12 * i)] for i in range(5)))
    assert tracker.part(1) == 2
    ((track,),) = _run(tracker, [_face(160)], start=5)
    assert track.id == 2
    ((lost,),) = _run(tracker, [], start=6)
    assert lost.face.box[0] > track.face.box[0]


def test_a_sight_by_other_means_ends_the_coasting() -> None:
    tracker = Tracker(640, 360)
    _run(tracker, *[[_face(200 + 5 * i)] for i in range(10)])
    (coasting,) = tracker.update([], 10 / RATE)
    assert coasting.unseen_s > 0
    assert tracker.observe(1, _face(250), 10 / RATE).unseen_s == 0.0
    (still,) = tracker.update([], 11 / RATE)
    assert still.unseen_s == pytest.approx(1 / RATE)


def test_a_face_far_away_or_of_another_size_is_someone_else() -> None:
    tracker = Tracker(640, 360)
    tracker.update([_face(100)], 0.0)
    assert {t.id for t in tracker.update([_face(300)], 0.04)} == {1, 2}
    tracker = Tracker(640, 360)
    tracker.update([_face(100)], 0.0)
    assert {t.id for t in tracker.update([_face(100, size=20)], 0.04)} == {1, 2}


def test_what_only_may_be_a_face_moves_no_certain_one_and_starts_no_track_under_its_cover() -> None:
    tracker = Tracker(640, 360)
    tracker.update([_face(200)], 0.0)
    (lost,) = tracker.update([_face(205, score=0.2)], 0.04)
    assert lost.unseen_s > 0
    lost, doubtful = tracker.update([_face(250, score=0.2)], 0.08)
    assert (lost.id, doubtful.id) == (1, 2)
    assert lost.unseen_s > 0


def test_it_starts_one_under_a_cover_that_may_end() -> None:
    tracker = Tracker(640, 360)
    tracker.update([_face(200)], 0.0)
    for step in range(1, 6):
        assert len(tracker.update([_face(205, score=0.2)], step / RATE)) == 1
    lost, doubtful = tracker.update([_face(205, score=0.2)], 6 / RATE)
    assert (lost.id, doubtful.id) == (1, 2)
    tracker = Tracker(640, 360)
    tracker.update([_face(200, size=120, score=0.5)], 0.0)
    assert len(tracker.update([_face(200, size=50, score=0.2)], 0.04)) == 2, "a doubtful one"


def test_a_face_that_shows_again_is_the_certain_one_and_not_a_part_of_it() -> None:
    tracker = Tracker(640, 360)
    tracker.update([_face(200)], 0.0)
    tracker.update([_face(250, score=0.2)], 0.04)
    again = tracker.update([_face(240)], 0.08)
    assert [track.id for track in again if track.unseen_s == 0] == [1]


def test_only_a_face_that_the_edge_cuts_off_is_covered_generously() -> None:
    whole = np.array([2, 100, 72, 190], np.float32)
    sliver = np.array([2, 100, 32, 190], np.float32)
    np.testing.assert_array_equal(seen_cover(whole, 640, 360), with_margin(whole))
    assert (seen_cover(sliver, 640, 360)[1::2] != with_margin(sliver)[1::2]).all()
    assert _contains(seen_cover(sliver, 640, 360), with_margin(sliver))
    large = np.array([2, 60, 130, 300], np.float32)
    assert seen_cover(large, 360, 360)[2] < 200  # it reaches to the edge that cuts the face off
    assert seen_cover(np.array([230, 60, 358, 300], np.float32), 360, 360)[0] > 160
    assert seen_cover(large[[1, 0, 3, 2]], 360, 360)[3] < 200
    inside = sliver + np.float32(100)
    np.testing.assert_array_equal(seen_cover(inside, 640, 360), with_margin(inside))
