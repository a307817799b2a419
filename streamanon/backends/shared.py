"""One loaded network for the threads of several streams.

Calls that arrive during a run wait for its end, and are then run together as one batch: batches
grow with the load, and no call waits for a batch to fill. A batch that fails is repeated call by
call, so that bad input affects only its own call.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Condition
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from streamanon.errors import ModelError
from streamanon.protocols import Backend

Arrays: TypeAlias = "Mapping[str, NDArray[np.generic]]"

MAX_ROWS = 16
"""Maximum number of rows of a batch."""


@dataclass(slots=True, eq=False)
class _Call:
    """Inputs from one thread, and its outputs or error."""

    inputs: Arrays
    outputs: dict[str, NDArray[np.generic]] | None = None
    error: Exception | None = None

    @property
    def rows(self) -> int:
        """Length of the first axis, which counts the rows of a batch; 0 for inputs without one."""
        counts = {array.shape[0] if array.ndim else 0 for array in self.inputs.values()}
        return counts.pop() if len(counts) == 1 else 0

    @property
    def kind(self) -> tuple[object, ...]:
        """Names, dtypes and row shapes: calls of the same kind can be batched."""
        arrays = sorted(self.inputs.items())
        return tuple((name, array.dtype, array.shape[1:]) for name, array in arrays)

    @property
    def done(self) -> bool:
        """Whether the outputs or an error are set."""
        return self.outputs is not None or self.error is not None


class SharedBackend:
    """Lets any number of threads use one network; implements the protocol ``Backend``."""

    def __init__(self, backend: Backend, *, batches: bool, lanes: int = 1) -> None:
        """Share a network.

        Args:
            backend: loaded network.
            batches: whether the first axis of every input and output is a batch axis of any length.
            lanes: number of simultaneous runs; more than 1 only if the runtime is thread-safe.
        """
        self._backend, self._batches = backend, batches
        self._free = lanes
        self.sizes: Counter[int] = Counter()
        self.busy_s = 0.0
        self._waiting: list[_Call] = []
        self._changed = Condition()

    def run(self, inputs: Arrays) -> dict[str, NDArray[np.generic]]:
        """Map named input arrays to named output arrays; called by any thread."""
        call = _Call(inputs)
        with self._changed:
            self._waiting.append(call)
            self._changed.wait_for(lambda: call.done or (self._free and call in self._waiting))
            group = [] if call.done else self._next(call)
            self._free -= bool(group)
        if group:
            start = time.monotonic()
            try:
                self._run_calls(group)
            finally:
                with self._changed:
                    self._free += 1
                    self.sizes[len(group)] += 1
                    self.busy_s += time.monotonic() - start
                    self._changed.notify_all()
        if call.error:
            raise call.error
        assert call.outputs is not None
        return call.outputs

    def _next(self, call: _Call) -> list[_Call]:
        """Remove a call, and those that can be batched with it, from the waiting list."""
        group, rows = [call], call.rows
        for other in self._waiting if self._batches and rows else ():
            fits = other.kind == call.kind and 0 < other.rows <= MAX_ROWS - rows
            if other is not call and fits:
                group.append(other)
                rows += other.rows
        self._waiting = [one for one in self._waiting if one not in group]
        return group

    def _run_calls(self, group: Sequence[_Call]) -> None:
        """Run the network for some calls; each has outputs or an error afterwards."""
        try:
            if len(group) > 1 and self._run_batch(group):
                return
            for call in group:
                try:
                    call.outputs = self._backend.run(call.inputs)
                except Exception as error:  # noqa: BLE001  raised again in the thread it concerns
                    call.error = error
        finally:
            for call in group:
                if not call.done:
                    call.error = ModelError("the network was interrupted: run it again")

    def _run_batch(self, group: Sequence[_Call]) -> bool:
        """Run some calls as one batch; return whether that worked."""
        names = group[0].inputs
        batch = {name: np.concatenate([call.inputs[name] for call in group]) for name in names}
        ends = np.cumsum([call.rows for call in group])
        try:
            results = self._backend.run(batch)
        except Exception:  # noqa: BLE001  repeated call by call
            return False
        if any(array.shape[:1] != (ends[-1],) for array in results.values()):
            return False
        for call, end in zip(group, ends, strict=True):
            rows = slice(end - call.rows, end)
            call.outputs = {name: array[rows] for name, array in results.items()}
        return True
