"""A runtime that gives way to a better one between two runs, and steps in again when that fails."""

from __future__ import annotations

import logging
import subprocess
import threading
import time
from typing import TYPE_CHECKING

from streamanon.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from streamanon.backends.choice import Runtime

RUNS = 5
"""Runs to time a runtime by; one more goes before them, in which it prepares itself."""

log = logging.getLogger("streamanon")


class SwappedBackend:
    """A runtime that can be relied on, and perhaps a better one that may fail, on a card."""

    def __init__(self, safe: Runtime, better: Runtime | None = None) -> None:
        self._safe, self._now = safe, better or safe
        self._next: Runtime | None = None

    @property
    def runtime(self) -> str:
        """What runs the network now."""
        return self._now.runtime

    def offer(self, better: Runtime) -> None:
        """Have the next run, and those that follow, done by another runtime; from any thread."""
        self._next = better

    def run(self, inputs: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
        """Map named input arrays to named output arrays.

        Raises:
            ModelError: the runtime that can be relied on failed.
        """
        if self._next:
            self._now, self._next = self._next, None
            log.info("faces are painted by %s from now on", self.runtime)
        if self._now is not self._safe:
            try:
                return self._now.run(inputs)
            except ModelError as error:
                failed, self._now = self.runtime, self._safe
                log.warning("%s failed (%s): %s takes over", failed, error, self.runtime)
        return self._safe.run(inputs)


class Upgrade(threading.Thread):
    """Builds a better runtime in a process of its own, and offers it when it is ready.

    A build goes on when this process ends before it, so that the next one finds it done.
    """

    def __init__(
        self,
        backend: SwappedBackend,
        command: Sequence[str],
        load: Callable[[], Runtime],
        inputs: Mapping[str, NDArray[np.generic]],
        to_beat_s: float,
    ) -> None:
        """Prepare it; ``start`` begins.

        Args:
            backend: that the runtime is for.
            command: builds what is loaded then.
            load: loads it.
            inputs: to time it with, and to have everything prepared in it.
            to_beat_s: the least time a run takes now.
        """
        super().__init__(name="upgrade", daemon=True)
        self._backend, self._command, self._load = backend, command, load
        self._inputs, self._to_beat_s = inputs, to_beat_s

    def run(self) -> None:
        """Build, load, compare, offer; whatever fails is told."""
        log.info("an engine is being built; faces are painted by %s so far", self._backend.runtime)
        try:
            self._offer()
        except ModelError as error:
            log.warning("no engine: %s", error)

    def _offer(self) -> None:
        """Offer what is built, if it is faster.

        Raises:
            ModelError: it cannot be built, loaded or run.
        """
        start = time.monotonic()
        build = subprocess.run(
            self._command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            start_new_session=True,
            text=True,
            check=False,
        )
        if build.returncode:
            said = build.stderr.strip().splitlines() or [f"its build ended: {build.returncode}"]
            raise ModelError(said[-1])
        built_s = time.monotonic() - start
        better = self._load()
        took_s = least_time(better, self._inputs)
        log.info("the engine was built in %.0f s, a run takes %.2f ms", built_s, took_s * 1000)
        if took_s < self._to_beat_s:
            self._backend.offer(better)
        else:
            log.info("it is not used: what runs now takes %.2f ms", self._to_beat_s * 1000)


def least_time(backend: Runtime, inputs: Mapping[str, NDArray[np.generic]]) -> float:
    """Return the least time a run takes, in seconds."""
    backend.run(inputs)
    taken_s = []
    for _ in range(RUNS):
        start = time.perf_counter()
        backend.run(inputs)
        taken_s.append(time.perf_counter() - start)
    return min(taken_s)
