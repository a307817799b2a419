"""What is in one frame only stands out; what moves, fades or flickers does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from streamanon.identities.gallery import load_builtin
from streamanon.imaging.picture import as_picture
from streamanon.tracking.transients import stands_out
from streamanon.types import ColourSpace, Picture
from testkit.staged import clip_frames

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamanon.types import U8

SCENE = clip_frames([0])[0]
GALLERY = load_builtin()


def _with_face(image: U8, number: int, side: int, x: int, y: int) -> U8:
    portrait = GALLERY[number].portrait
    height, width = portrait.shape[:2]
    face = portrait[height // 5 : -height // 5, width // 5 : -width // 5]
    image = image.copy()
    image[y : y + side, x : x + side] = cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA)
    return image


def _out(images: Sequence[U8], *known: list[float]) -> bool:
    before, now, after = (as_picture(np.ascontiguousarray(one)) for one in images)
    return stands_out(before, now, after, [np.array(box, np.float32) for box in known])


@pytest.mark.parametrize("side", [24, 32, 96])
@pytest.mark.parametrize("number", range(0, 26, 5))
def test_a_face_in_one_frame_stands_out_unless_it_is_known(number: int, side: int) -> None:
    x, y = 37 + 61 * number % 500, 11 + 37 * number % 250
    shown = _with_face(SCENE, number, side, x, y)
    assert _out([SCENE, shown, SCENE])
    assert not _out([SCENE, shown, SCENE], [x - 8, y - 8, x + side + 8, y + side + 8])
    assert _out([SCENE, shown, SCENE], [x + side, y, x + 2 * side, y + side])


def test_a_face_that_is_missing_in_one_frame_stands_out_too() -> None:
    shown = _with_face(SCENE, 3, 64, 20, 30)
    assert _out([shown, SCENE, shown])


def test_a_face_that_stays_does_not_stand_out() -> None:
    shown = _with_face(SCENE, 3, 64, 20, 30)
    assert not _out([SCENE, shown, shown])
    assert not _out([shown, shown, SCENE])


def test_what_moves_steadily_fades_or_is_noisy_does_not_stand_out() -> None:
    wide = np.asarray(cv2.GaussianBlur(SCENE, (0, 0), 3), np.uint8)
    assert not _out([np.roll(wide, 4 * step, axis=1)[:, 20:-20] for step in range(3)])
    assert not _out([(SCENE * share).astype(np.uint8) for share in (1.0, 0.8, 0.6)])
    random = np.random.default_rng(0)
    noisy = [np.clip(SCENE + random.normal(0, 12, SCENE.shape), 0, 255) for _ in range(3)]
    assert not _out([one.astype(np.uint8) for one in noisy])


def test_a_flash_stands_out() -> None:
    assert _out([SCENE, np.minimum(SCENE, np.uint8(200)) + np.uint8(40), SCENE])


def test_deep_pictures_are_compared_alike() -> None:
    deep = ColourSpace("bt709", depth=10)
    flat = np.full((360, 640), 400, np.uint16)
    chroma = np.full((180, 320), 512, np.uint16)
    spot = flat.copy()
    spot[100:140, 200:240] += 80  # 20 levels of 8 bits
    faint = flat.copy()
    faint[100:140, 200:240] += 20
    calm, loud, soft = (Picture((luma, chroma, chroma), deep) for luma in (flat, spot, faint))
    assert stands_out(calm, loud, calm, [])
    assert not stands_out(calm, soft, calm, [])
