"""The people of clips by the windows of their blendshape curves; then one row a method."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.judges.expression import observe_at
from benchmarks.judges.recognisers import recogniser
from benchmarks.motion.features import FEATURES, describe, nearest, vectors, windows
from benchmarks.record import commit
from benchmarks.stills.figures import figure
from benchmarks.video.clips import first_frames
from benchmarks.video.face_series import FaceFollower, FaceSeriesBuilder
from benchmarks.video.outputs import NONE, produce
from streamanon.errors import UsageError
from streamanon.imaging.picture import whole_bgr
from streamanon.sources.video import VideoSource

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from benchmarks.motion.features import Description
    from benchmarks.video.clips import Clip
    from streamanon.types import F32

    StartProgress = Callable[[str, int], Callable[[], None]]

LEAST_WINDOWS = 2
"""Windows somebody must be seen in: one to look for, and one to be found."""


@dataclass(frozen=True, eq=False)
class _Person:
    """Somebody in a clip of their own.

    Attributes:
        clip: the clip.
        rate: frames a second of the clip.
        points: (n, 478, 3) float32 mesh in px; NaN where the face is not seen.
        windows: features of each window; None where the face is hardly seen.
    """

    clip: Clip
    rate: float
    points: F32
    windows: list[Description | None]

    @property
    def seen(self) -> list[int]:
        """Numbers of the windows in which the face is seen."""
        return [at for at, one in enumerate(self.windows) if one]


class Suite:
    """The originals, and then one row a method."""

    def __init__(
        self, paths: Sequence[Path], frames: int, folder: Path, begin: StartProgress
    ) -> None:
        """Look at the originals.

        Args:
            paths: clips, each of another person.
            frames: number of frames to look at from the start of each clip.
            folder: where parts and outputs of clips are kept.
            begin: starts a bar of progress, of a text and a total.

        Raises:
            UsageError: fewer than two people are seen for long enough.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._begin = folder, begin
        looked_at = [self._person(first_frames(path, frames, folder)) for path in paths]
        self._people = [one for one in looked_at if len(one.seen) >= LEAST_WINDOWS]
        if len(self._people) < 2:
            raise UsageError(
                "fewer than two people are seen for two windows: use longer clips of more people"
            )
        self.left_out = [one.clip.name for one in looked_at if one not in self._people]

    @property
    def windows(self) -> dict[str, int]:
        """Number of windows of each person, by clip."""
        return {one.clip.name: len(one.seen) for one in self._people}

    def row(self, method: str, seed: int) -> dict[str, Any]:
        """Measure one method.

        Args:
            method: one of :data:`benchmarks.video.outputs.METHODS`.
            seed: seed of the product's choice of identities.
        """
        originals: list[Description] = []
        results: list[Description | None] = []
        for person in self._people:
            after = person.windows if method == NONE else self._after(method, person, seed)
            originals += [one for one in person.windows if one]
            results += [after[at] for at in person.seen]
        return {
            "commit": commit(),
            "seed": seed,
            "seen": sum(one is not None for one in results),
            "known": {
                features: {
                    moment: self._known(originals, results, features, same_moment=moment == "same")
                    for moment in ("other", "same")
                }
                for features in FEATURES
            },
        }

    def _known(
        self,
        originals: Sequence[Description],
        results: Sequence[Description | None],
        features: str,
        *,
        same_moment: bool,
    ) -> dict[str, Any]:
        """Return how often the most similar original is the right person's, over people.

        A window in which the result shows no face is not known.
        """
        whose = np.repeat(np.arange(len(self._people)), list(self.windows.values()))
        shown = [at for at, one in enumerate(results) if one]
        hits = np.zeros(len(originals))
        if shown:
            probes = vectors([one for one in results if one], features)
            gallery = vectors(originals, features)
            found = nearest(probes, gallery, shown, same_moment=same_moment)
            hits[shown] = whose[found] == whose[shown]
        return figure([[hits[whose == person].mean() for person in np.unique(whose)]])

    def _person(self, clip: Clip) -> _Person:
        """Follow the person of a clip."""
        follower, builder = FaceFollower(recogniser("mobilefacenet")), FaceSeriesBuilder(())
        advance = self._begin(f"{clip.name}: original", clip.frames)
        with closing(VideoSource(clip.path)) as source:
            for frame in source:
                image = whole_bgr(frame.picture)
                builder.add(image, follower.locate(image), None)
                advance()
            rate = float(source.info.rate)
        series = builder.build()
        return _Person(clip, rate, series.points, _described(series.blendshapes, rate))

    def _after(self, method: str, person: _Person, seed: int) -> list[Description | None]:
        """Return what is known of the windows of somebody's clip after a method."""
        output = produce(method, person.clip, self._folder, seed=seed)
        builder = FaceSeriesBuilder(())
        advance = self._begin(f"{person.clip.name}: {method}", person.clip.frames)
        with closing(VideoSource(output.path)) as source:
            for frame, mesh in zip(source, person.points, strict=True):
                image = whole_bgr(frame.picture)
                seen = observe_at(image, mesh) if np.isfinite(mesh[0, 0]) else None
                builder.add(image, seen, None)
                advance()
        return _described(builder.build().blendshapes, person.rate)


def _described(curves: F32, rate: float) -> list[Description | None]:
    return [None if one is None else describe(one) for one in windows(curves, rate)]
