"""Rows of faces for a network that paints them, and how far two sets of answers are apart."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, "NDArray[Any]"]


def repeated(faces: Arrays, count: int) -> Arrays:
    """Return any number of rows out of four."""
    return {name: np.stack([array[n % 4] for n in range(count)]) for name, array in faces.items()}


def misfits(faces: Arrays) -> list[Arrays]:
    """Return rows that a network for faces cannot be run on."""
    return [
        {},
        {name: array[:0] for name, array in faces.items()},
        faces | {"points": faces["points"][:, :10]},
        faces | {"points": faces["points"].astype(np.float64)},
        faces | {"points": faces["points"][:1]},
    ]


def worst(made: Arrays, wanted: Arrays) -> dict[str, float]:
    """Return the largest difference of each output, in levels of 255."""
    scale = {name: 1 if array.dtype == np.uint8 else 255 for name, array in wanted.items()}
    assert {name: made[name].shape for name in made} == {n: a.shape for n, a in wanted.items()}
    assert {name: made[name].dtype for name in made} == {n: a.dtype for n, a in wanted.items()}
    return {
        name: float(scale[name] * np.abs(made[name].astype(float) - array).max())
        for name, array in wanted.items()
    }
