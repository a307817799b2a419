"""Covers that make no attempt to look like a face: mosaic, blur and solid."""

from collections.abc import Callable
from dataclasses import replace

from streamanon.safety.cover import blur, mosaic, solid
from streamanon.types import F32, Patch, Picture, Scene

PLAIN: dict[str, Callable[[Picture, F32], Patch | None]] = {
    "mosaic": mosaic,
    "blur": blur,
    "solid": solid,
}
"""The function that draws each method over a cover box."""


class PlainAnonymiser:
    """Draws the same kind of cover over every subject."""

    needs_mesh = False

    def __init__(self, method: str) -> None:
        """Create one for a method named in :data:`PLAIN`."""
        self._method, self._draw = method, PLAIN[method]

    def replace(self, scene: Scene) -> list[Patch | None]:
        """Return one patch per subject; None for a subject outside the picture."""
        patches = [self._draw(scene.frame.picture, s.track.cover) for s in scene.subjects]
        return [patch and replace(patch, method=self._method) for patch in patches]
