"""Hides the people of a scene and records it in the ledger."""

from dataclasses import replace

from streamanon.errors import named_error_line
from streamanon.pipeline.ledger import Ledger
from streamanon.protocols import Anonymiser, Seal
from streamanon.safety.compose import compose
from streamanon.tracking.observer import ObserverStats
from streamanon.types import Patch, SafeFrame, Scene


def hide(
    scene: Scene,
    anonymiser: Anonymiser,
    stats: ObserverStats,
    ledger: Ledger,
    seal: Seal | None = None,
) -> SafeFrame:
    """Hide everyone in a scene, and record it; if the anonymiser fails, every subject is covered.

    The stats of its observer tell whether the frame was examined. ``seal`` keeps what is replaced.
    """
    patches, reason = _patches(scene, anonymiser)
    safe = compose(scene, patches, reason)
    ledger.record(scene, safe, examined=stats.was_examined(safe.index))
    if seal:
        seal.add(scene, safe)
    return safe


def _patches(scene: Scene, anonymiser: Anonymiser) -> tuple[list[Patch | None], str]:
    """Return a patch for each subject, or no patch and the reason."""
    none: list[Patch | None] = [None] * len(scene.subjects)
    hidden = tuple(subject for subject in scene.subjects if not subject.permit)
    if scene.distrust or not hidden:
        return none, ""
    try:
        made = anonymiser.replace(replace(scene, subjects=hidden))
    except Exception as error:  # noqa: BLE001  covered, counted and reported, never raw
        return none, f"the anonymiser failed: {named_error_line(error)}"
    if len(made) != len(hidden):
        return none, f"{len(made)} patches for {len(hidden)} subjects"
    patches = iter(made)
    return [None if subject.permit else next(patches) for subject in scene.subjects], ""
