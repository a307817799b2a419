"""What the judge says of faces that were left, hidden, half hidden and replaced."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from streamanon.audit.judge import RECOGNISED, UNCHANGED, FaceComparison, Judge
from streamanon.audit.run import load_judge
from streamanon.imaging.picture import as_picture, blend_bgr, copy_picture
from streamanon.imaging.structure import kept_structure
from streamanon.safety.cover import blur, mosaic, solid
from streamanon.types import F32, U8, Face, Patch, Picture
from testkit.photos import read_photo

NAMES = ["london_001_neutral", "london_002_smiling", "portrait_man"]


def picture(name: str, side: int = 512) -> Picture:
    return as_picture(read_photo(name, side))


def pixels(of: Picture) -> U8:
    return np.asarray(np.dstack(of.planes), np.uint8)


def compressed(of: Picture, quality: int) -> Picture:
    _, data = cv2.imencode(".jpg", pixels(of), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return as_picture(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8))


def covered(of: Picture, patch: Patch | None) -> Picture:
    assert patch is not None
    result = copy_picture(of)
    height, width = patch.alpha.shape
    box = (patch.x, patch.y, patch.x + width, patch.y + height)
    blend_bgr(result, box, patch.image, patch.alpha)
    return result


@pytest.fixture(scope="module")
def judge() -> Judge:
    return load_judge()


def only(judge: Judge, before: Picture, after: Picture) -> FaceComparison:
    (comparison,) = judge.compare(before, after)
    return comparison


@pytest.mark.parametrize("side", [128, 512])
@pytest.mark.parametrize("name", NAMES)
def test_a_face_left_alone_is_unchanged_and_recognised(judge: Judge, name: str, side: int) -> None:
    before = picture(name, side)
    comparison = only(judge, before, before)
    assert comparison.kept == pytest.approx(1.0)
    assert comparison.cosine == pytest.approx(1.0, abs=1e-3)
    assert comparison.unchanged
    assert comparison.recognised


@pytest.mark.parametrize("name", NAMES)
def test_compression_does_not_hide_a_face(judge: Judge, name: str) -> None:
    before = picture(name, 256)
    comparison = only(judge, before, compressed(before, 30))
    assert comparison.unchanged
    assert comparison.recognised


def test_dimming_and_noise_do_not_hide_a_face(judge: Judge) -> None:
    before = picture("london_001_neutral", 256)
    noise = np.random.default_rng(0).normal(0, 12, (256, 256, 3))
    dim = np.clip(pixels(before) * 0.7 + 20 + noise, 0, 255).astype(np.uint8)
    assert only(judge, before, as_picture(dim)).leaks


@pytest.mark.parametrize("cover", [mosaic, blur, solid])
@pytest.mark.parametrize("name", NAMES)
def test_a_cover_hides_a_face(
    judge: Judge, name: str, cover: Callable[[Picture, F32], Patch | None]
) -> None:
    before = picture(name)
    comparison = only(judge, before, before)
    grown = comparison.box + np.array([-20, -20, 20, 20], np.float32)
    hidden = only(judge, before, compressed(covered(before, cover(before, grown)), 80))
    assert hidden.kept < UNCHANGED / 2
    assert hidden.cosine is not None
    assert hidden.cosine < RECOGNISED / 2
    assert not hidden.leaks


def test_a_mosaic_as_large_as_the_frame_hides_a_face(judge: Judge) -> None:
    before = picture("london_001_neutral")
    whole = mosaic(before, np.array([0, 0, 512, 512], np.float32), cells=16)
    assert not only(judge, before, covered(before, whole)).leaks


def test_half_a_face_left_is_a_leak(judge: Judge) -> None:
    before = picture("london_001_neutral")
    box = only(judge, before, before).box
    nose = float(0.45 * box[1] + 0.55 * box[3])
    lower = np.array([box[0] - 20, nose, box[2] + 20, box[3] + 30], np.float32)
    assert only(judge, before, covered(before, solid(before, lower))).unchanged


def test_another_person_in_the_place_is_no_leak(judge: Judge) -> None:
    before, after = picture("london_001_neutral"), picture("london_002_neutral")
    comparison = only(judge, before, after)
    assert not comparison.leaks
    assert comparison.cosine is not None
    assert comparison.cosine < RECOGNISED


def test_a_face_moved_a_little_is_recognised(judge: Judge) -> None:
    before = picture("london_001_neutral")
    comparison = only(judge, before, as_picture(np.roll(pixels(before), (9, 7), axis=(0, 1))))
    assert not comparison.unchanged
    assert comparison.recognised


def test_a_face_that_shows_too_little_is_not_given_to_the_recogniser(judge: Judge) -> None:
    vague = cv2.GaussianBlur(pixels(picture("london_001_neutral", 256)), (0, 0), 6)
    shown = as_picture(np.asarray(vague, np.uint8))
    comparisons = judge.compare(shown, shown)
    assert comparisons
    assert all(comparison.cosine is None and comparison.unchanged for comparison in comparisons)


def test_what_is_no_face_from_near_by_is_none(
    judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = picture("london_001_neutral")
    detect = judge._detector.detect
    wall = Face(np.array([10, 400, 60, 470], np.float32), 0.5, np.full((5, 2), 30, np.float32))

    def imaginative(seen: Picture) -> list[Face]:
        return [*detect(seen), wall] if seen is before else detect(seen)

    monkeypatch.setattr(judge._detector, "detect", imaginative)
    assert len(judge._detector.detect(before)) == 2
    assert only(judge, before, before).box[0] > 100


def test_flat_areas_have_no_structure_to_keep() -> None:
    before = picture("london_001_neutral")
    box = np.array([150, 150, 360, 400], np.float32)
    assert abs(kept_structure(before, as_picture(np.full((512, 512, 3), 90, np.uint8)), box)) < 0.01
