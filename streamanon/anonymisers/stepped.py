"""An anonymiser that changes its method while it runs: when asked to, and when time is short."""

from __future__ import annotations

from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING

import cv2
import numpy as np

from streamanon.types import FULL_QUALITY, MOSAIC, SPARING, Patch

if TYPE_CHECKING:
    from collections.abc import Callable
    from logging import Logger

    from streamanon.protocols import Anonymiser
    from streamanon.types import Scene

CHEAPER = {"anonygan": (SPARING, "warp", MOSAIC), "warp": (MOSAIC,)}
"""What each method makes do with when there is too much to do, best first."""

FADE_S = 0.4
"""Time in which one method fades into another, when quality steps up or down."""

_REASONS = {
    FULL_QUALITY: "",
    SPARING: "too much to do: the network is asked less often",
    "warp": "too much to do: warp instead",
    MOSAIC: "too much to do: mosaic instead",
}


@dataclass(slots=True)
class _Fade:
    """The end of an anonymiser that another one takes over from."""

    old: Anonymiser
    start_s: float | None = None

    def share(self, time_s: float) -> float:
        """Return the share of the new anonymiser, 0..1; it begins with the first frame."""
        self.start_s = time_s if self.start_s is None else self.start_s
        return min((time_s - self.start_s) / FADE_S, 1.0)


class SteppedAnonymiser:
    """Hides faces by the method in force; another one takes over between two frames."""

    def __init__(self, make: Callable[[str], Anonymiser], method: str, log: Logger) -> None:
        """Create one of a method; ``make`` returns anonymisers by name, or raises a UsageError."""
        self._make, self._log = make, log
        self._lock = Lock()
        self.method = method
        self._by_level = self._made(method)
        self._level = FULL_QUALITY
        self._fade: _Fade | None = None

    @property
    def levels(self) -> tuple[str, ...]:
        """What the present method can step down to, best first."""
        return tuple(self._by_level)

    @property
    def needs_mesh(self) -> bool:
        """True when the next scenes are of use only with mesh and identity."""
        with self._lock:
            fading = self._fade is not None and self._fade.old.needs_mesh
            return fading or self._by_level[self._level].needs_mesh

    def set_method(self, method: str) -> None:
        """Hide faces by another method from the next frame on.

        What it needs is loaded in the calling thread, meanwhile the present method goes on.

        Raises:
            UsageError: there is no such method.
        """
        by_level = self._made(method)
        with self._lock:
            self.method, self._by_level = method, by_level
            self._level, self._fade = FULL_QUALITY, None
        self._log.info(f"faces are hidden by {method} from now on")

    def step_to(self, level: str) -> None:
        """Work at one of the levels from the next frame on; one there is not is passed over."""
        with self._lock:
            if level not in self._by_level or level == self._level:
                return
            old, new = self._by_level[self._level], self._by_level[level]
            self._level = level
            if old is not new:
                self._fade = _Fade(old)

    def replace(self, scene: Scene) -> list[Patch | None]:
        """Return one patch a subject; those of a cheaper level say why."""
        with self._lock:
            level, anonymiser, fade = self._level, self._by_level[self._level], self._fade
        patches = anonymiser.replace(replace(scene, sparing=level == SPARING))
        share = fade.share(scene.frame.time_s) if fade else 1.0
        if fade and 0 <= share < 1:
            before = fade.old.replace(scene)
            patches = [_mixed(*pair, share) for pair in zip(before, patches, strict=True)]
        elif fade:
            with self._lock:
                self._fade = None if self._fade is fade else self._fade
        reason = _REASONS[level]
        return [
            replace(patch, reason=patch.reason or reason) if patch else None for patch in patches
        ]

    def _made(self, method: str) -> dict[str, Anonymiser]:
        """Return new anonymisers by level."""
        full = self._make(method)
        cheaper = {
            level: full if level == SPARING else self._make(level)
            for level in CHEAPER.get(method, ())
        }
        return {FULL_QUALITY: full, **cheaper}


def _mixed(old: Patch | None, new: Patch | None, share: float) -> Patch | None:
    """Return a patch between two of one face, as opaque as both are where both are opaque.

    Args:
        old: patch of the anonymiser that fades out; the new one is returned where it has none.
        new: patch of the other; None leaves the face to the cover.
        share: weight of the new one, 0..1.
    """
    if old is None or new is None:
        return new
    x0, y0 = min(old.x, new.x), min(old.y, new.y)
    x1 = max(old.x + old.alpha.shape[1], new.x + new.alpha.shape[1])
    y1 = max(old.y + old.alpha.shape[0], new.y + new.alpha.shape[0])
    colour = np.zeros((y1 - y0, x1 - x0, 3), np.float32)
    alpha = np.zeros((y1 - y0, x1 - x0), np.float32)
    for patch, weight in ((old, 1 - share), (new, share)):
        height, width = patch.alpha.shape
        here = np.s_[patch.y - y0 : patch.y - y0 + height, patch.x - x0 : patch.x - x0 + width]
        opacity = patch.alpha * np.float32(weight)
        colour[here] += patch.image * opacity[:, :, None]
        alpha[here] += opacity
    colour /= np.maximum(alpha, 1e-3)[:, :, None]
    image = np.asarray(cv2.convertScaleAbs(colour), np.uint8)
    return replace(new, x=x0, y=y0, image=image, alpha=np.minimum(alpha, 1.0), occluder=None)
