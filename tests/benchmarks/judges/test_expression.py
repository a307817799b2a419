"""What a face does, on photographs with known expressions, and the measures by hand."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from benchmarks.judges import expression
from benchmarks.judges.expression import Observation, observe, observe_at
from benchmarks.judges.self_check import KnownFace, check_observer
from streamanon.types import U8
from testkit.photos import read_photo, turned


def seen(image: U8) -> Observation:
    found = observe(image)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def neutral() -> Observation:
    return seen(read_photo("london_001_neutral"))


@pytest.fixture(scope="module")
def smiling() -> Observation:
    return seen(read_photo("london_001_smiling"))


def test_a_smile_is_seen(neutral: Observation, smiling: Observation) -> None:
    smile = [44, 45]  # mouthSmileLeft, mouthSmileRight
    assert smiling.blendshapes[smile].min() > neutral.blendshapes[smile].max() + 0.3
    assert not expression.mouth_open(smiling)  # with closed lips
    assert expression.mouth_open(seen(read_photo("london_002_smiling")))  # with bared teeth
    assert not expression.eyes_closed(smiling)


def test_an_open_mouth_is_one_whose_lips_are_apart(neutral: Observation) -> None:
    points = neutral.points.copy()
    points[14, 1] += 0.1 * np.ptp(points[[78, 308], 0])
    assert not expression.mouth_open(replace(neutral, points=points))
    points[14, 1] += 0.1 * np.ptp(points[[78, 308], 0])
    assert expression.mouth_open(replace(neutral, points=points))


def test_no_face_is_seen_where_there_is_none() -> None:
    assert observe(np.full((200, 200, 3), 90, np.uint8)) is None


def test_the_subject_is_the_large_face_nearest_the_centre() -> None:
    face = cv2.resize(read_photo("london_001_neutral"), (256, 256), interpolation=cv2.INTER_AREA)
    small = cv2.resize(face, (96, 96), interpolation=cv2.INTER_AREA)
    scene = np.full((256, 800, 3), 128, np.uint8)
    scene[:, :256] = face
    scene[:, 290:546] = face
    scene[20:116, 600:696] = small
    found = seen(np.asarray(scene, np.uint8))
    assert 290 < found.points[:, 0].mean() < 546


def test_a_face_is_seen_again_where_it_was(neutral: Observation) -> None:
    again = observe_at(read_photo("london_001_neutral"), neutral.points[:, :2])
    assert again is not None
    assert expression.landmark_error(neutral.points, again.points) < 0.01
    assert observe_at(np.full((512, 512, 3), 90, np.uint8), neutral.points) is None


def test_the_papers_error_is_twice_the_one_over_the_eyes_distance_for_level_eyes() -> None:
    source = np.zeros((478, 3), np.float32)
    source[263] = (100, 0, 0)  # outer eye corners 100 px apart, level
    result = source + np.array([4, 4, 9], np.float32)
    # Each coordinate is off by 4 px; the mean over x and y of (100, 0) is 50.
    assert expression.landmark_error_paper(source, result) == pytest.approx(0.08)
    assert expression.landmark_error(source, result) == pytest.approx(np.sqrt(32) / 100)


def test_the_papers_error_depends_on_how_the_head_leans() -> None:
    source = np.zeros((478, 3), np.float32)
    source[263] = (100 / np.sqrt(2), 100 / np.sqrt(2), 0)
    result = source + np.array([4, 4, 0], np.float32)
    assert expression.landmark_error_paper(source, result) == pytest.approx(4 * np.sqrt(2) / 100)


def test_the_same_picture_has_no_error(neutral: Observation) -> None:
    assert expression.landmark_error_paper(neutral.points, neutral.points) == 0
    assert expression.landmark_error(neutral.points, neutral.points) == 0
    assert expression.pose_error(neutral, neutral) == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("angle", [-20.0, 10.0])
def test_a_turned_picture_is_off_by_its_angle(neutral: Observation, angle: float) -> None:
    image, _ = turned(read_photo("london_001_neutral"), neutral.points, angle)
    error = expression.pose_error(neutral, seen(image))
    assert error == pytest.approx(abs(angle), abs=2.5)


def test_pose_error_is_one_angle_whatever_the_axes(neutral: Observation) -> None:
    level = replace(neutral, yaw=0.0, pitch=0.0, roll=0.0)
    turned = [replace(level, yaw=30.0), replace(level, pitch=30.0), replace(level, roll=30.0)]
    assert [expression.pose_error(level, one) for one in turned] == pytest.approx([30] * 3)
    both = replace(level, yaw=30.0, pitch=30.0)
    assert 30 < expression.pose_error(level, both) < 60


def test_closed_eyes_and_open_mouths_are_read_from_their_coefficients(neutral: Observation) -> None:
    shapes = neutral.blendshapes.copy()
    shapes[9:11] = 0.7
    assert expression.eyes_closed(replace(neutral, blendshapes=shapes))
    shapes[9] = 0.1  # a wink
    assert not expression.eyes_closed(replace(neutral, blendshapes=shapes))


def test_agreement_and_recall() -> None:
    found = expression.agreement([1, 1, 0, 0, 0], [1, 0, 0, 0, 1])
    assert (found.agreement, found.recall, found.n, found.positives) == (0.6, 0.5, 5, 2)
    assert expression.agreement([0, 0], [0, 1]).recall is None
    with pytest.raises(ValueError, match="cannot compare"):
        expression.agreement([], [])


def test_correlation_counts_what_moves_in_the_source() -> None:
    time = np.linspace(0, 10, 50)
    source, result = np.zeros((50, 52)), np.zeros((50, 52))
    source[:, 9], result[:, 9] = np.sin(time), 0.3 * np.sin(time) + 0.1  # follows, weaker
    source[:, 25], result[:, 25] = np.cos(time), -np.cos(time)  # does the opposite
    source[:, 44] = np.sin(2 * time)  # the result stands still
    source[:, 3], result[:, 3] = 1e-3 * np.sin(time), np.cos(time)  # the source does
    assert np.allclose(expression.blendshape_correlations(source, result), [1, -1, 0])
    assert expression.blendshape_correlations(source * 0, result).size == 0


def test_the_observer_is_alive() -> None:
    assert check_observer(observe).as_json() == {"alive": True, "reason": ""}


def test_an_observer_that_sees_no_face_is_dead() -> None:
    assert check_observer(lambda _: None).reason.startswith("sees 0 of ")


def test_landmarks_that_never_move_are_dead(faces: tuple[KnownFace, ...]) -> None:
    frozen = seen(faces[0].image)
    assert "move with it in 0 of" in check_observer(lambda _: frozen).reason


def test_an_expression_that_never_changes_is_dead() -> None:
    def frozen(image: U8) -> Observation | None:
        found = observe(image)
        return found and replace(found, blendshapes=np.zeros(52, np.float32))

    assert check_observer(frozen).reason == "sees the same expression in every face"


def test_what_follows_is_correlated_and_what_stands_still_says_nothing() -> None:
    time = np.linspace(0, 6, 60)
    moves = np.sin(time)
    assert expression.following(moves, 0.3 * moves + 1) == pytest.approx(1)
    assert expression.following(moves, np.zeros(60)) == 0
    assert expression.following(np.ones(60), moves) is None
    assert expression.following(np.stack([moves, np.ones(60)]), np.stack([-moves, moves])) == (
        pytest.approx(-1)
    )


def test_a_head_that_looks_turned_by_the_same_all_along_moves_as_the_source_does(
    neutral: Observation,
) -> None:
    before = [replace(neutral, yaw=yaw, pitch=0.0, roll=0.0) for yaw in (-4.0, 0.0, 4.0)]
    after = [replace(one, yaw=one.yaw + 5) for one in before]
    error, motion = expression.pose_errors(before, after)
    assert error == pytest.approx(5, abs=1e-4)
    assert motion == pytest.approx(0, abs=1e-4)
    _, damped = expression.pose_errors(before, [replace(one, yaw=one.yaw / 2) for one in before])
    assert damped == pytest.approx([2, 0, 2], abs=1e-4)


def test_gaze_and_mouth_are_read_off_the_mesh(neutral: Observation) -> None:
    meshes = np.stack([neutral.points] * 2)
    width = np.linalg.norm(meshes[0, 133, :2] - meshes[0, 33, :2])
    meshes[1, 468:473, :2] += 0.2 * (meshes[0, 133, :2] - meshes[0, 33, :2])
    seen = expression.gaze(meshes)
    assert seen.shape == (2, 2, 2)
    assert seen[0, 1, 0] - seen[0, 0, 0] == pytest.approx(0.2, abs=1e-3)
    assert np.abs(seen[1, 1] - seen[1, 0]).max() < 1e-6
    meshes[1, 14, 1] += width
    gaps = expression.mouth_gap(meshes)
    assert gaps[1] > gaps[0] + 0.3
