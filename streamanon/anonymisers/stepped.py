"""An anonymiser that changes its method while it runs: when asked to, and when time is short."""

from collections.abc import Callable
from dataclasses import replace
from logging import Logger
from threading import Lock

from streamanon.protocols import Anonymiser
from streamanon.types import FULL_QUALITY, Patch, Scene

CHEAPER = {"anonygan": ("warp", "mosaic"), "warp": ("mosaic",)}
"""What each method makes do with when there is too much to do, best first."""


class SteppedAnonymiser:
    """Hides faces by the method in force; another one takes over between two frames.

    Attributes:
        method: the name of the method that was asked for.
    """

    def __init__(self, make: Callable[[str], Anonymiser], method: str, log: Logger) -> None:
        """Create one.

        Args:
            make: returns a new anonymiser for the name of a method; it raises UsageError when there
                is none of that name.
            method: initial method.
            log: logger for changes of the method.
        """
        self._make, self._log = make, log
        self._lock = Lock()
        self.method = method
        self._by_level = self._made(method)
        self._level = FULL_QUALITY

    @property
    def levels(self) -> tuple[str, ...]:
        """What the present method can step down to, best first."""
        return tuple(self._by_level)

    @property
    def needs_mesh(self) -> bool:
        """True when the next scenes are of use only with mesh and identity."""
        return self._now()[0].needs_mesh

    def set_method(self, method: str) -> None:
        """Hide faces by another method from the next frame on.

        What it needs is loaded in the calling thread, meanwhile the present method goes on.

        Raises:
            UsageError: there is no such method.
        """
        by_level = self._made(method)
        with self._lock:
            self.method, self._by_level = method, by_level
            self._level = FULL_QUALITY
        self._log.info(f"faces are hidden by {method} from now on")

    def step_to(self, level: str) -> None:
        """Work at one of the levels from the next frame on; one there is not is passed over."""
        with self._lock:
            if level in self._by_level:
                self._level = level

    def replace(self, scene: Scene) -> list[Patch | None]:
        """Return one patch a subject; those of a cheaper method say why."""
        anonymiser, reason = self._now()
        patches = anonymiser.replace(scene)
        if not reason:
            return patches
        return [
            replace(patch, reason=patch.reason or reason) if patch else None for patch in patches
        ]

    def _now(self) -> tuple[Anonymiser, str]:
        """Return the anonymiser in force, and why it is not the method asked for, or ""."""
        with self._lock:
            stepped_down = self._level != FULL_QUALITY
            reason = f"too much to do: {self._level} instead" if stepped_down else ""
            return self._by_level[self._level], reason

    def _made(self, method: str) -> dict[str, Anonymiser]:
        """Return new anonymisers by level."""
        cheaper = {name: self._make(name) for name in CHEAPER.get(method, ())}
        return {FULL_QUALITY: self._make(method), **cheaper}
