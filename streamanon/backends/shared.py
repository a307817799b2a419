"""One loaded network for the threads of several streams.

Whoever comes while the network is at work waits, and all who wait are answered together, in one
run: batches form by themselves, the larger the more there is to do, and nobody waits for a batch to
fill. A run that fails is repeated for each alone, so that bad input harms nobody else.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from threading import Condition
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from streamanon.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from streamanon.protocols import Backend

Arrays: TypeAlias = "Mapping[str, NDArray[np.generic]]"

MOST_ROWS = 16
"""Rows of a batch, at most."""


@dataclass(slots=True, eq=False)
class _Call:
    """What one thread wants to know, and the answer."""

    inputs: Arrays
    answer: dict[str, NDArray[np.generic]] | None = None
    error: Exception | None = None

    @property
    def rows(self) -> int:
        """Length of the first axis, which counts the rows of a batch; 0 for inputs without one."""
        counts = {array.shape[0] if array.ndim else 0 for array in self.inputs.values()}
        return counts.pop() if len(counts) == 1 else 0

    @property
    def kind(self) -> tuple[object, ...]:
        """What calls must have in common to be answered together."""
        arrays = sorted(self.inputs.items())
        return tuple((name, array.dtype, array.shape[1:]) for name, array in arrays)

    @property
    def done(self) -> bool:
        """Whether there is an answer, or will never be one."""
        return self.answer is not None or self.error is not None


class SharedBackend:
    """Lets any number of threads use one network; implements the protocol ``Backend``.

    Attributes:
        sizes: calls answered together, and how often so many were.
        busy_s: how long the network was at work; of several lanes, the sum.
    """

    def __init__(self, backend: Backend, *, batches: bool, lanes: int = 1) -> None:
        """Share a network.

        Args:
            backend: the network.
            batches: whether the first axis of every input and output counts independent rows, as
                many as one likes.
            lanes: runs that may go on at once; more than 1 only where the runtime allows it.
        """
        self._backend, self._batches = backend, batches
        self._free = lanes
        self.sizes: Counter[int] = Counter()
        self.busy_s = 0.0
        self._waiting: list[_Call] = []
        self._changed = Condition()

    def run(self, inputs: Arrays) -> dict[str, NDArray[np.generic]]:
        """Map named input arrays to named output arrays; called by any thread.

        Raises:
            ModelError: an input has the wrong name, type or shape.
        """
        call = _Call(inputs)
        with self._changed:
            self._waiting.append(call)
            self._changed.wait_for(lambda: call.done or (self._free and call in self._waiting))
            group = [] if call.done else self._next(call)
            self._free -= bool(group)
        if group:
            start = time.monotonic()
            try:
                self._answer(group)
            finally:
                with self._changed:
                    self._free += 1
                    self.sizes[len(group)] += 1
                    self.busy_s += time.monotonic() - start
                    self._changed.notify_all()
        if call.error:
            raise call.error
        assert call.answer is not None
        return call.answer

    def _next(self, call: _Call) -> list[_Call]:
        """Take a call, and those that can be answered with it, off the list of who waits."""
        group, rows = [call], call.rows
        for other in self._waiting if self._batches and rows else ():
            fits = other.kind == call.kind and 0 < other.rows <= MOST_ROWS - rows
            if other is not call and fits:
                group.append(other)
                rows += other.rows
        self._waiting = [one for one in self._waiting if one not in group]
        return group

    def _answer(self, group: Sequence[_Call]) -> None:
        """Run the network for some calls; each has an answer or an error afterwards."""
        try:
            if len(group) > 1 and self._answer_together(group):
                return
            for call in group:
                try:
                    call.answer = self._backend.run(call.inputs)
                except Exception as error:  # noqa: BLE001  raised again in the thread it concerns
                    call.error = error
        finally:
            for call in group:
                if not call.done:
                    call.error = ModelError("the network was interrupted: run it again")

    def _answer_together(self, group: Sequence[_Call]) -> bool:
        """Answer some calls in one run; tell whether that worked."""
        names = group[0].inputs
        batch = {name: np.concatenate([call.inputs[name] for call in group]) for name in names}
        ends = np.cumsum([call.rows for call in group])
        try:
            answer = self._backend.run(batch)
        except Exception:  # noqa: BLE001  tried again one by one, to find out whom it concerns
            return False
        if any(array.shape[:1] != (ends[-1],) for array in answer.values()):
            return False
        for call, end in zip(group, ends, strict=True):
            rows = slice(end - call.rows, end)
            call.answer = {name: array[rows] for name, array in answer.items()}
        return True
