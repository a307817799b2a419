import numpy as np
import pytest

from streamanon.imaging.orientation import Orientation, from_display_matrix, from_exif

STORED = np.arange(6, dtype=np.uint8).reshape(2, 3)
ONE = 1 << 16


def test_every_exif_code_is_another_orientation_and_can_be_undone() -> None:
    seen = set()
    for code in range(1, 9):
        orientation = from_exif(code)
        upright = orientation.upright(STORED)
        assert np.array_equal(orientation.stored(upright), STORED)
        assert (upright.shape == (3, 2)) is orientation.sideways
        seen.add(upright.tobytes() + bytes(upright.shape))
    assert len(seen) == 8


@pytest.mark.parametrize(
    ("code", "top_row"),
    # where EXIF puts the 0th row and the 0th column of the stored picture
    [
        (1, [0, 1, 2]),
        (2, [2, 1, 0]),
        (3, [5, 4, 3]),
        (4, [3, 4, 5]),
        (5, [0, 3]),
        (6, [3, 0]),
        (7, [5, 2]),
        (8, [2, 5]),
    ],
)
def test_exif_codes_put_the_right_pixels_on_top(code: int, top_row: list[int]) -> None:
    assert from_exif(code).upright(STORED)[0].tolist() == top_row


def test_display_matrix_moves_points_as_the_orientation_moves_pixels() -> None:
    """Check against the matrix applied to pixel centres, for all eight matrices."""
    seen = set()
    for linear in (
        [1, 0, 0, 1],
        [-1, 0, 0, 1],
        [1, 0, 0, -1],
        [-1, 0, 0, -1],
        [0, 1, 1, 0],
        [0, 1, -1, 0],
        [0, -1, 1, 0],
        [0, -1, -1, 0],
    ):
        a, b, c, d = linear
        matrix = [a * ONE, b * ONE, 0, c * ONE, d * ONE, 0, 0, 0, 1 << 30]
        rows, columns = np.indices(STORED.shape)
        x, y = a * columns + c * rows, b * columns + d * rows
        x, y = x - x.min(), y - y.min()
        expected = np.zeros((y.max() + 1, x.max() + 1), np.uint8)
        expected[y, x] = STORED
        orientation = from_display_matrix(matrix)
        assert np.array_equal(orientation.upright(STORED), expected)
        seen.add(orientation)
    assert len(seen) == 8


def test_no_matrix_is_upright() -> None:
    assert from_display_matrix(None) == Orientation()
