"""One pass over the frames of a clip and of its anonymised version."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.judges.expression import observe_at
from benchmarks.video.face_series import FaceSeries, FaceSeriesBuilder
from benchmarks.video.warping import WarpingError
from streamanon.audit.pairs import pairs
from streamanon.audit.result import AuditResult
from streamanon.imaging.picture import whole_bgr
from streamanon.sources.video import VideoSource

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.video.panel import Panel
    from benchmarks.video.source import Source


@dataclass(frozen=True)
class Comparison:
    """The observations of an anonymised clip.

    Attributes:
        result: result of the leak audit.
        face: series of the place of the followed face.
        warping: the flow-warped error there.
    """

    result: AuditResult
    face: FaceSeries
    warping: WarpingError


def compare_frames(
    clip: Path, output: Path, source: Source, panel: Panel, advance: Callable[[], None]
) -> Comparison:
    """Compare every frame of a clip with its anonymised version.

    Args:
        clip: the original.
        output: the same frames after anonymisation.
        source: observations of the original.
        panel: the judges.
        advance: function to call after every frame.
    """
    result, warping = AuditResult(1 / source.rate), WarpingError()
    builder = FaceSeriesBuilder(panel.recognisers)
    meshes = [mesh if np.isfinite(mesh[0, 0]) else None for mesh in source.face.points]
    with closing(VideoSource(clip)) as first, closing(VideoSource(output)) as second:
        for (before, after), faces, mesh in zip(
            pairs(first, second), source.faces, meshes, strict=True
        ):
            comparisons = panel.judge.compare(before.picture, after.picture, faces)
            result.add(before.time_s, comparisons)
            warping.add(before.picture, after.picture, mesh)
            image = whole_bgr(after.picture)
            builder.add(image, None if mesh is None else observe_at(image, mesh), mesh)
            advance()
    return Comparison(result, builder.build(), warping)
