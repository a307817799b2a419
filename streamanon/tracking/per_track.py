"""Keeps a value for each track in view."""

from typing import Generic, TypeVar

from streamanon.types import Scene

FORGET_S = 1.0
"""How long the value of a track that is not in view is kept."""

T = TypeVar("T")


class PerTrack(Generic[T]):
    """One value for each track, kept while the track is in view and a little longer."""

    def __init__(self) -> None:
        self._kept: dict[int, T] = {}
        self._seen_s: dict[int, float] = {}

    def __contains__(self, track_id: int) -> bool:
        return track_id in self._kept

    def __getitem__(self, track_id: int) -> T:
        return self._kept[track_id]

    def __setitem__(self, track_id: int, value: T) -> None:
        self._kept[track_id] = value

    def forget(self, scene: Scene) -> None:
        """Drop the values of tracks that have not been in view for long."""
        time_s = scene.frame.time_s
        self._seen_s |= {subject.track.id: time_s for subject in scene.subjects}
        self._seen_s = {
            track_id: seen_s
            for track_id, seen_s in self._seen_s.items()
            if abs(time_s - seen_s) < FORGET_S
        }
        self._kept = {
            track_id: value for track_id, value in self._kept.items() if track_id in self._seen_s
        }
