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


def fitting(
    inputs: Mapping[str, NDArray[np.generic]],
    wanted: Mapping[str, tuple[tuple[int, ...], DTypeLike]],
    what: str,
) -> None:
    """Refuse what would be read as something else.

    Args:
        inputs: as given.
        wanted: shape, with -1 for any length but 0, and type, by name of the input.
        what: is to be run, for messages.

    Raises:
        ModelError: an input has the wrong name, type or shape.
    """
    failed = f"{what} could not be run"
    if set(inputs) != set(wanted):
        raise ModelError(f"{failed}: got inputs {sorted(inputs)}, wanted {sorted(wanted)}")
    for name, array in inputs.items():
        shape, kind = wanted[name][0], np.dtype(wanted[name][1])
        alike = len(shape) == array.ndim and all(
            got and want in (-1, got) for want, got in zip(shape, array.shape, strict=True)
        )
        if not alike or array.dtype != kind:
            raise ModelError(
                f"{failed}: {name} is {array.shape} {array.dtype}, wanted {shape} {kind}"
            )


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
    fitting(inputs, {name: ((-1, *row), kind) for name, (row, kind) in wanted.items()}, what)
    counts = {name: len(array) for name, array in inputs.items()}
    if len(set(counts.values())) > 1:
        raise ModelError(f"{what} could not be run: rows are {counts}, wanted as many of each")
    return next(iter(counts.values()))


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
