"""Networks that are prepared for some numbers of rows: others are filled up to the next of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from streamanon.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import DTypeLike, NDArray

BATCHES = (1, 4, 16)
"""Numbers of faces a network on a card is prepared for."""

Arrays: TypeAlias = "dict[str, NDArray[np.generic]]"


def rows_of(
    inputs: Mapping[str, NDArray[np.generic]],
    wanted: Mapping[str, tuple[tuple[int, ...], DTypeLike]],
    what: str,
) -> int:
    """Return how many rows there are; refuse what would be read as something else.

    Args:
        inputs: as given.
        wanted: shape of a row and type, by name of the input.
        what: is to be run, for messages.

    Raises:
        ModelError: an input has the wrong name, type or shape, or there are no rows.
    """
    failed = f"{what} could not be run"
    if set(inputs) != set(wanted):
        raise ModelError(f"{failed}: got inputs {sorted(inputs)}, wanted {sorted(wanted)}")
    first = next(iter(inputs.values()))
    count = len(first) if first.ndim else 0
    for name, array in inputs.items():
        row, kind = wanted[name][0], np.dtype(wanted[name][1])
        if count == 0 or array.shape != (count, *row) or array.dtype != kind:
            raise ModelError(
                f"{failed}: {name} is {array.shape} {array.dtype}, wanted "
                f"{(max(count, 1), *row)} {kind}"
            )
    return count


def in_parts(
    inputs: Mapping[str, NDArray[np.generic]],
    count: int,
    run: Callable[[int, Arrays, int], Arrays],
) -> Arrays:
    """Return the answers for any number of rows, no more than the largest batch at once.

    Args:
        inputs: one row or more.
        count: of rows.
        run: given the batch to take, some rows and their number, returns their answers.
    """
    answers = []
    for at in range(0, count, BATCHES[-1]):
        rows = min(BATCHES[-1], count - at)
        part = {name: array[at : at + rows] for name, array in inputs.items()}
        answers.append(run(min(size for size in BATCHES if size >= rows), part, rows))
    if len(answers) == 1:
        return answers[0]
    return {name: np.concatenate([one[name] for one in answers]) for name in answers[0]}
