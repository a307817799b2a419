"""A runtime that gives way to a better one between two runs, and is its fallback."""

import logging
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from streamanon.backends.trial import Runtime, best_times
from streamanon.errors import ModelError

log = logging.getLogger("streamanon")


class FallbackBackend:
    """A reliable runtime on the CPU, and possibly a better one on a GPU that may fail."""

    def __init__(self, reliable: Runtime, better: Runtime | None = None) -> None:
        self._reliable, self._now = reliable, better or reliable
        self._next: Runtime | None = None

    @property
    def runtime(self) -> str:
        """The runtime in use."""
        return self._now.runtime

    def offer(self, better: Runtime) -> None:
        """Use another runtime from the next run on; called by any thread."""
        self._next = better

    def run(self, inputs: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
        """Map named input arrays to named output arrays; fails where the reliable runtime does."""
        if self._next:
            self._now, self._next = self._next, None
            log.info("faces are painted by %s from now on", self.runtime)
        if self._now is not self._reliable:
            try:
                return self._now.run(inputs)
            except ModelError as error:
                failed, self._now = self.runtime, self._reliable
                log.warning("%s failed (%s): %s takes over", failed, error, self.runtime)
        return self._reliable.run(inputs)


class Upgrade(threading.Thread):
    """Builds a better runtime in a process of its own, and offers it when it is ready.

    A build continues if this process ends first, so that the next run finds the engine.
    """

    def __init__(
        self,
        backend: FallbackBackend,
        command: Sequence[str],
        load: Callable[[], Runtime],
        inputs: Mapping[str, NDArray[np.generic]],
        to_beat_s: float,
    ) -> None:
        """Create the thread; ``start`` starts the build.

        Args:
            backend: backend to offer the runtime to.
            command: command that builds the engine.
            load: loads the engine.
            inputs: inputs to time the engine with, which is also its warm-up.
            to_beat_s: shortest time of a run of the runtime in use.
        """
        super().__init__(name="upgrade", daemon=True)
        self._backend, self._command, self._load = backend, command, load
        self._inputs, self._to_beat_s = inputs, to_beat_s

    def run(self) -> None:
        """Build, load, compare and offer; failures are logged."""
        log.info("an engine is being built; faces are painted by %s so far", self._backend.runtime)
        try:
            self._offer()
        except ModelError as error:
            log.warning("no engine: %s", error)

    def _offer(self) -> None:
        """Build and load the engine, and offer it if it is faster."""
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
            lines = build.stderr.strip().splitlines() or [f"its build ended: {build.returncode}"]
            raise ModelError(lines[-1])
        built_s = time.monotonic() - start
        better = self._load()
        taken_s = best_times([better], self._inputs)[0]
        log.info("the engine was built in %.0f s, a run takes %.2f ms", built_s, taken_s * 1000)
        if taken_s < self._to_beat_s:
            self._backend.offer(better)
        else:
            log.info("it is not used: what runs now takes %.2f ms", self._to_beat_s * 1000)
