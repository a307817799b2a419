"""Fixed batch sizes: batches of other sizes are padded to the next one. Checks of inputs."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

from streamanon.errors import ModelError

BATCHES = (1, 4, 16)
"""Batch sizes for which a network on a GPU is prepared."""

Arrays: TypeAlias = "dict[str, NDArray[np.generic]]"


def check_inputs(
    inputs: Mapping[str, NDArray[np.generic]],
    wanted: Mapping[str, tuple[tuple[int, ...], DTypeLike]],
    what: str,
) -> None:
    """Check names, dtypes and shapes of inputs; -1 in a shape is any length but 0.

    Raises:
        ModelError: An input of the network, called ``what``, is not as wanted.
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


def checked_rows(
    inputs: Mapping[str, NDArray[np.generic]],
    wanted: Mapping[str, tuple[tuple[int, ...], DTypeLike]],
    what: str,
) -> int:
    """Check inputs, of which a row has a shape and dtype, and return the number of rows.

    Raises:
        ModelError: An input of the network, called ``what``, is not as wanted, or has no rows.
    """
    check_inputs(inputs, {name: ((-1, *row), kind) for name, (row, kind) in wanted.items()}, what)
    counts = {name: len(array) for name, array in inputs.items()}
    if len(set(counts.values())) > 1:
        raise ModelError(f"{what} could not be run: rows are {counts}, wanted as many of each")
    return next(iter(counts.values()))


def run_in_batches(
    inputs: Mapping[str, NDArray[np.generic]], count: int, run: Callable[[int, Arrays, int], Arrays]
) -> Arrays:
    """Return the outputs for any number of rows, run in batches of at most the largest size.

    ``run`` takes a batch size, some rows, and their number.
    """
    outputs = []
    for at in range(0, count, BATCHES[-1]):
        rows = min(BATCHES[-1], count - at)
        part = {name: array[at : at + rows] for name, array in inputs.items()}
        outputs.append(run(min(size for size in BATCHES if size >= rows), part, rows))
    if len(outputs) == 1:
        return outputs[0]
    return {name: np.concatenate([one[name] for one in outputs]) for name in outputs[0]}
