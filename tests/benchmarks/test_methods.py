"""What each method does to a still."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.lfw import Lfw
from benchmarks.methods import PRODUCT, Anonymised, label, method
from streamanon import anonymise
from streamanon.config import Config
from streamanon.errors import UsageError
from streamanon.identities.portrait import read_image
from streamanon.types import U8

NAME = "lfw/someone/someone_0001.png"


@pytest.fixture(scope="module")
def still(small_lfw: Path) -> U8:
    lfw = Lfw(small_lfw)
    return lfw.image(lfw.pairs(7)[0].second)


def _changed(before: U8, after: Anonymised) -> U8:
    """Return where a method changed a still, as (h, w) of 0 and 1."""
    assert after.image.shape == before.shape
    assert after.image.dtype == np.uint8
    return np.asarray((after.image != before).any(axis=2), np.uint8)


def test_none_changes_nothing(still: U8) -> None:
    done = method("none")(NAME, still)
    assert not _changed(still, done).any()
    assert (done.replaced, done.covered) == (0, 0)


ROOM = 100
"""Pixels beside the still: a face that gets another shape moves what is around it, too."""


@pytest.mark.parametrize("name", ["blur101", "pixelation10", *PRODUCT])
def test_every_other_method_changes_the_face_and_not_the_rest(name: str, still: U8) -> None:
    wide = np.asarray(cv2.copyMakeBorder(still, 0, 0, ROOM, ROOM, cv2.BORDER_REPLICATE), np.uint8)
    before = wide.copy()
    done = method(name)(NAME, wide)
    changed = _changed(wide, done)
    assert np.array_equal(wide, before)
    assert changed[80:120, ROOM + 80 : ROOM + 120].mean() > 0.9
    assert not changed[:, :8].any()
    assert (done.replaced, done.covered) == (1, 0)


def test_blur_leaves_no_detail_and_pixelation_only_blocks(still: U8) -> None:
    def detail(image: U8) -> float:
        return float(np.abs(cv2.Laplacian(image[70:130, 70:130], cv2.CV_32F)).mean())

    assert detail(method("blur101")(NAME, still).image) < 0.1 * detail(still)
    blocks = method("pixelation10")(NAME, still).image[70:130, 70:130]
    assert 36 <= len(np.unique(blocks.reshape(-1, 3), axis=0)) <= 64


def test_a_still_goes_the_way_of_a_file(still: U8, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "in.png"), still)
    anonymise(tmp_path / "in.png", tmp_path / "out.png", Config(method="warp", seed=3))
    out = read_image(tmp_path / "out.png")
    assert np.array_equal(method("warp", seed=3)(NAME, still).image, out)


def test_a_still_owes_nothing_to_those_before(small_lfw: Path, still: U8) -> None:
    lfw, warp = Lfw(small_lfw), method("warp")
    first = warp(NAME, still)
    for pair in lfw.pairs(8, 3):
        warp(pair.second, lfw.image(pair.second))
    assert np.array_equal(warp(NAME, still).image, first.image)


def test_a_still_without_a_face_stays_as_it_is() -> None:
    grey = np.full((194, 194, 3), 128, np.uint8)
    for name in ("blur101", "mosaic", "warp"):
        done = method(name)(NAME, grey)
        assert np.array_equal(done.image, grey)
        assert (done.replaced, done.covered) == (0, 0)


@pytest.mark.parametrize("below", ["lfw/someone", "someone"])
def test_pictures_of_another_system_are_found_by_name(
    still: U8, tmp_path: Path, below: str
) -> None:
    (tmp_path / below).mkdir(parents=True)
    cv2.imwrite(str(tmp_path / below / "someone_0001.png"), still // 2)
    done = method(f"folder:{tmp_path}")(NAME, still)
    assert np.array_equal(done.image, still // 2)
    assert (done.replaced, done.covered) == (None, None)
    assert label(f"folder:{tmp_path}") == f"folder:{tmp_path.name}"


def test_what_cannot_be_used_is_refused(still: U8, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown method 'magic': choose one of none, blur101"):
        method("magic")
    with pytest.raises(UsageError, match="no folder"):
        method(f"folder:{tmp_path / 'none'}")
    other = method(f"folder:{tmp_path}")
    with pytest.raises(UsageError, match="holds no lfw/someone/someone_0001"):
        other(NAME, still)
    (tmp_path / "someone").mkdir()
    cv2.imwrite(str(tmp_path / "someone" / "someone_0001.png"), still[:-4])
    with pytest.raises(UsageError, match="194 x 190 px, its original 194 x 194 px"):
        other(NAME, still)
