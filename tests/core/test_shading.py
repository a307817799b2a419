"""Making a portrait belong to its surroundings."""

import numpy as np

from streamanon.core.shading import COMPLEXION_LIMITS, complexion


def flat(*bgr: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.full((16, 16, 3), bgr, np.uint8)


def test_what_was_made_takes_the_skin_colour_of_the_frame() -> None:
    source, made = flat(60, 80, 120), flat(120, 100, 110)
    skin = np.ones((16, 16), np.uint8)
    source[:4], made[:4], skin[:4] = 255, 0, 0  # what is no skin counts for nothing
    factors = complexion(source, made, skin)
    assert np.abs(made[8, 8] * factors - source[8, 8]).max() < 2


def test_it_goes_only_so_far() -> None:
    skin = np.ones((16, 16), np.uint8)
    assert (complexion(flat(255, 255, 255), flat(0, 0, 0), skin) == COMPLEXION_LIMITS[1]).all()
    assert (complexion(flat(0, 0, 0), flat(255, 255, 255), skin) == COMPLEXION_LIMITS[0]).all()
    nowhere = np.zeros((16, 16), np.uint8)
    assert (complexion(flat(10, 20, 30), flat(90, 90, 90), nowhere) == 1).all()
