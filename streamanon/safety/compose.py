"""From raw frames to safe frames: the only module that builds a SafeFrame.

Every subject of a scene is hidden here, by its patch if the patch can be trusted and by a mosaic if
not. A scene that is not trusted is covered whole. Sinks accept nothing but safe frames.
"""

from collections.abc import Sequence

import numpy as np

from streamanon.imaging.picture import blend_bgr, clip_box, copy_picture
from streamanon.safety.cover import mosaic, whole_frame
from streamanon.safety.placeholder import draw_placeholder
from streamanon.safety.policy import fault_of_cover, fault_of_patch, opened, why_missing
from streamanon.types import (
    MediaInfo,
    Patch,
    Picture,
    SafeFrame,
    Scene,
    Subject,
    Treated,
    Treatment,
)


def compose(scene: Scene, patches: Sequence[Patch | None], reason: str = "") -> SafeFrame:
    """Hide every subject of a scene but those with a permit.

    Args:
        scene: raw frame and its subjects.
        patches: a patch for each subject, in order; None asks for the cover. A list of another
            length is ignored.
        reason: why patches are missing, for the report; "" when not known.
    """
    frame = scene.frame
    picture = copy_picture(frame.picture)
    if frame.permit:
        shown = Treated(None, Treatment.SHOWN, frame.permit.reason)
        return SafeFrame(frame.index, picture, frame.pts, frame.time_base, (shown,), frame.duration)
    fault = scene.distrust or next(filter(None, map(fault_of_cover, scene.subjects)), "")
    if fault:
        paste(picture, whole_frame(frame.picture))
        treated = [Treated(None, Treatment.WHOLE_FRAME, fault)]
        treated += [Treated(s.track.id, Treatment.WHOLE_FRAME, fault) for s in scene.subjects]
    else:
        treated = _hide_subjects(picture, scene, patches, reason)
    for box in scene.covers:
        cover = mosaic(frame.picture, box, cells=1)
        if cover is not None:
            paste(picture, cover)
    return SafeFrame(
        frame.index, picture, frame.pts, frame.time_base, tuple(treated), frame.duration
    )


def _hide_subjects(
    picture: Picture, scene: Scene, patches: Sequence[Patch | None], reason: str
) -> list[Treated]:
    """Paste what hides each subject into a writable picture; return what was done."""
    raw = scene.frame.picture
    if len(patches) != len(scene.subjects):
        reason = reason or f"{len(patches)} patches for {len(scene.subjects)} subjects"
        patches = [None] * len(scene.subjects)
    treated = [
        _treatment(subject, patch, raw, reason)
        for subject, patch in zip(scene.subjects, patches, strict=True)
    ]
    # Covers first: where two people overlap, a new face may lie on a mosaic, never under one.
    for subject, done in zip(scene.subjects, treated, strict=True):
        if done.treatment is Treatment.COVERED:
            cover = mosaic(raw, subject.track.cover)
            if cover is not None:  # not outside the picture
                paste(picture, cover)
    for subject, patch, done in zip(scene.subjects, patches, treated, strict=True):
        if done.treatment is Treatment.REPLACED and patch is not None:
            paste(picture, opened(patch, subject))
    return treated


def placeholder_frame(info: MediaInfo, lines: Sequence[str], index: int, pts: int) -> SafeFrame:
    """Return a frame that shows text on a plain background, and nothing of any other frame.

    Args:
        info: stream it is shown in; gives size, colour and time base.
        lines: ASCII text, the headline first.
        index: index of the frame before it.
        pts: presentation time in ticks of the stream's time base.
    """
    picture = draw_placeholder((info.width, info.height), info.colour, lines)
    return SafeFrame(index, picture, pts, info.time_base)


def _treatment(subject: Subject, patch: Patch | None, picture: Picture, reason: str) -> Treated:
    """Decide how one subject is hidden, or that it is shown."""
    if subject.permit:
        return Treated(subject.track.id, Treatment.SHOWN, subject.permit.reason)
    if patch is None:
        return Treated(subject.track.id, Treatment.COVERED, reason or why_missing(subject))
    fault = fault_of_patch(patch, subject, picture)
    if fault:
        return Treated(subject.track.id, Treatment.COVERED, fault)
    name = subject.identity.name if subject.identity else ""
    return Treated(subject.track.id, Treatment.REPLACED, patch.reason, name, patch.method)


def paste(picture: Picture, patch: Patch) -> None:
    """Blend a patch into a writable picture; parts outside the picture are ignored."""
    height, width = patch.alpha.shape
    inside = (
        max(0, patch.x),
        max(0, patch.y),
        min(picture.width, patch.x + width),
        min(picture.height, patch.y + height),
    )
    if inside[0] >= inside[2] or inside[1] >= inside[3]:
        return
    x0, y0, x1, y1 = box = clip_box(picture, inside)
    there = (
        slice(inside[1] - patch.y, inside[3] - patch.y),
        slice(inside[0] - patch.x, inside[2] - patch.x),
    )
    image, alpha = patch.image[there], patch.alpha[there]
    if box != inside:  # the patch does not fill whole chroma samples
        here = (slice(inside[1] - y0, inside[3] - y0), slice(inside[0] - x0, inside[2] - x0))
        image = np.zeros((y1 - y0, x1 - x0, 3), np.uint8)
        alpha = np.zeros((y1 - y0, x1 - x0), np.float32)
        image[here], alpha[here] = patch.image[there], patch.alpha[there]
    blend_bgr(picture, box, image, alpha)
