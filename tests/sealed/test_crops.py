"""Whose pixels are whose, and that crops give them back."""

import numpy as np
import pytest

from streamanon.imaging.picture import blank_picture, copy_picture
from streamanon.sealed.crops import (
    Place,
    changed_blocks,
    cut_out,
    owners,
    packed_mask,
    paste_back,
    place_around,
    unpacked_mask,
)
from streamanon.types import ColourSpace, Picture, Plane

COLOURS = [
    ColourSpace("bt709"),
    ColourSpace("bt709", depth=10, chroma_shift=(1, 0)),
    ColourSpace("bt2020", depth=12, chroma_shift=(0, 0)),
    ColourSpace("bt709", chroma_shift=(0, 1)),
    ColourSpace("rgb", full_range=True, depth=16, chroma_shift=(0, 0)),
]


def _noise(size: tuple[int, int], colour: ColourSpace) -> Picture:
    random = np.random.default_rng(3)
    planes: list[Plane] = []
    for plane in blank_picture(size, colour).planes:
        made = random.integers(0, 1 << colour.depth, plane.shape)
        np.copyto(plane, made, casting="unsafe")
        planes.append(plane)
    return Picture(tuple(planes), colour)


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("size", [(64, 48), (70, 50), (17, 33)])
def test_one_changed_sample_of_any_plane_is_found(
    size: tuple[int, int], colour: ColourSpace
) -> None:
    raw = _noise(size, colour)
    for number in range(3):
        safe = copy_picture(raw)
        safe.planes[number][-1, -1] ^= 1
        found = changed_blocks(raw, safe)
        assert found.sum() == 1
        assert found[-1, -1]
    assert not changed_blocks(raw, copy_picture(raw)).any()


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("size", [(64, 48), (70, 50), (17, 33)])
def test_what_is_cut_out_goes_back_and_nothing_else(
    size: tuple[int, int], colour: ColourSpace
) -> None:
    raw, other = _noise(size, colour), blank_picture(size, colour, grey=7)
    changed = np.zeros(changed_blocks(raw, raw).shape, np.bool_)
    changed[-1, -1] = changed[0, 0] = True
    place = place_around(changed)
    mask = place.cut(changed)
    paste_back(other, place, mask, cut_out(raw, place, mask))
    assert np.array_equal(changed_blocks(other, blank_picture(size, colour, grey=7)), changed)
    left = copy_picture(other)
    paste_back(left, place, mask, cut_out(raw, place, mask))
    assert not changed_blocks(left, other).any()
    assert changed_blocks(raw, other).sum() == changed.size - 2


def test_a_crop_holds_nothing_of_blocks_that_are_not_its_own() -> None:
    raw = _noise((64, 64), COLOURS[0])
    mask = np.zeros((4, 4), np.bool_)
    mask[1, 2] = True
    luma, *chroma = cut_out(raw, Place(0, 0, 4, 4), mask)
    luma[16:32, 32:48] = 128
    assert (luma == 128).all()
    assert all((np.delete(plane, np.s_[8:16], axis=0) == 128).all() for plane in chroma)


def test_neighbours_share_what_was_changed_and_nobody_gets_the_other_ones_middle() -> None:
    covers = [np.array(box, np.float32) for box in ((0, 0, 96, 96), (80, 16, 144, 80))]
    changed = np.ones((8, 10), np.bool_)
    changed[7] = False
    whose = owners(changed, covers)
    assert whose[3, 3] == 0
    assert whose[2, 7] == 1
    assert (whose[7] == -1).all()
    assert ((whose >= 0) == changed).all()


def test_a_crop_follows_and_says_when_it_is_too_small() -> None:
    mask = np.zeros((30, 40), np.bool_)
    mask[5:10, 6:12] = True
    place = place_around(mask)
    assert place.holds(mask)
    far = np.roll(mask, (15, 20), axis=(0, 1))
    assert not place.holds(far)
    moved = place.moved_to(far)
    assert moved
    assert moved.holds(far)
    assert place.moved_to(np.ones((30, 40), np.bool_)) is None


def test_masks_survive_packing() -> None:
    mask = np.random.default_rng(1).random((7, 13)) > 0.5
    assert np.array_equal(unpacked_mask(packed_mask(mask), (7, 13)), mask)
