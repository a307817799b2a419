"""What a plain cover keeps of what it covers: a few means, however small or cut off the face is."""

import numpy as np
import pytest

from streamanon.imaging.picture import as_picture
from streamanon.safety.cover import FACE_CELLS, MIN_CELL_PX, blur, faded_into, mosaic, whole_frame
from streamanon.types import F32, U8, Patch, Picture


def noise(width: int, height: int) -> Picture:
    return as_picture(np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8))


def box(x0: float, y0: float, x1: float, y1: float) -> F32:
    return np.array([x0, y0, x1, y1], np.float32)


def cells(image: U8) -> tuple[int, int]:
    """Count cells across and down: places where the colour changes."""
    changes = [(np.diff(image.astype(int), axis=axis) != 0).any(axis=2) for axis in (1, 0)]
    return 1 + int(changes[0].any(axis=0).sum()), 1 + int(changes[1].any(axis=1).sum())


@pytest.mark.parametrize("side", [5, 9, 12, 16, 31, 32, 64, 300])
def test_no_cell_is_smaller_than_some_pixels(side: int) -> None:
    picture = noise(400, 400)
    patch = mosaic(picture, box(20, 20, 20 + side, 20 + side))
    assert patch is not None
    most = max(1, min(side // MIN_CELL_PX, 2 * FACE_CELLS - 1))
    assert max(cells(patch.image)) <= most
    soft = blur(picture, box(20, 20, 20 + side, 20 + side))
    assert soft is not None
    there = np.stack(picture.planes, axis=2)[20 : 20 + side, 20 : 20 + side]
    for hidden in (patch.image, soft.image):
        assert (hidden == there).all(axis=2).mean() < 0.1


@pytest.mark.parametrize("seen", [20, 60, 120, 200])
def test_a_face_cut_off_by_the_edge_has_cells_as_large_as_a_whole_one(seen: int) -> None:
    picture = noise(400, 400)
    whole, part = (
        mosaic(picture, box(100, 100, 300, 300)),
        mosaic(picture, box(400 - seen, 100, 600 - seen, 300)),
    )
    assert whole is not None
    assert part is not None
    assert cells(whole.image) == (FACE_CELLS, FACE_CELLS)
    across, down = cells(part.image)
    assert across <= max(1, seen * FACE_CELLS // 200)
    assert down == FACE_CELLS


def test_outside_the_picture_there_is_nothing_to_cover() -> None:
    assert mosaic(noise(64, 64), box(70, 0, 90, 20)) is None


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (640, 360)])
def test_a_whole_frame_keeps_a_few_cells(size: tuple[int, int]) -> None:
    patch = whole_frame(noise(*size))
    assert patch.image.shape == (size[1], size[0], 3)
    assert (patch.alpha == 1).all()
    assert min(cells(patch.image)) <= 10


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_what_fades_into_its_cover_is_nowhere_less_opaque(share: float) -> None:
    rng = np.random.default_rng(1)
    alpha = rng.random((30, 20)).astype(np.float32)
    patch = Patch(14, 6, rng.integers(0, 256, (30, 20, 3), np.uint8), alpha)
    cover = mosaic(noise(100, 100), box(10, 10, 40, 44))
    assert cover is not None
    faded = faded_into(patch, cover, share)
    assert (faded.x, faded.y, faded.alpha.shape) == (10, 6, (38, 30))
    there = faded.alpha[0:30, 4:24]
    assert (there >= alpha - 1e-6).all()
    under = faded.alpha[4:]
    assert under.min() >= share - 1e-6
    if share == 1:
        assert (faded.image[4:] == cover.image).all()
    if share == 0:
        seen = alpha > 0
        assert (faded.image[0:30, 4:24][seen] == patch.image[seen]).all()
