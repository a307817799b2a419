"""Where faces were and what was done to them, as a JSON file that grows with the frames.

It describes real people: its owner alone may read it. It holds no pixels, embeddings or paths.
"""

import json
from pathlib import Path
from typing import Any

from streamanon.atomic_write import OWNER_ONLY, AtomicFile
from streamanon.errors import MediaError
from streamanon.face import landmarks as lm
from streamanon.types import Face, MediaInfo, SafeFrame, Scene

LANDMARKS = ("right eye", "left eye", "nose", "right mouth corner", "left mouth corner")


class BoxFile:
    """The file of one call; appears when it is complete."""

    def __init__(self, path: Path) -> None:
        self._path, self._first_file, self._first_frame = path, True, True
        try:
            self._file = AtomicFile(path, mode=OWNER_ONLY)
            self._out = self._file.path.open("w", encoding="utf-8")
        except OSError as error:
            raise self._failure(error) from error
        self._write(f'{{"landmarks": {json.dumps(LANDMARKS)}, "files": [')

    def begin(self, sha256: str | None, info: MediaInfo) -> None:
        """Begin the entry of an input file."""
        comma = "" if self._first_file else ","
        self._first_file, self._first_frame = False, True
        head = {"input_sha256": sha256, "width": info.width, "height": info.height}
        self._write(f'{comma}\n{json.dumps(head)[:-1]}, "frames": [')

    def add(self, scene: Scene, safe: SafeFrame) -> None:
        """Add a frame, if it shows a face, is covered whole, or is left as it is."""
        done = {one.track_id: one for one in safe.treated}
        if not done:
            return
        faces = [
            {
                "track": subject.track.id,
                **_geometry(subject.track.face),
                "treatment": done[subject.track.id].treatment.value,
                "reason": done[subject.track.id].reason,
                "identity": done[subject.track.id].identity,
            }
            for subject in scene.subjects
            if subject.track.id in done
        ]
        entry: dict[str, Any] = {"frame": safe.index, "time_s": round(scene.frame.time_s, 4)}
        if whole := done.get(None):
            entry |= {"treatment": whole.treatment.value, "reason": whole.reason}
        comma = "" if self._first_frame else ","
        self._first_frame = False
        self._write(f"{comma}\n {json.dumps(entry | {'faces': faces})}")

    def end(self, *, complete: bool) -> None:
        """End the entry of an input file; tell whether its output was published."""
        self._write(f'], "complete": {json.dumps(complete)}}}')

    def close(self, *, complete: bool) -> None:
        """Publish the file if complete, else delete it."""
        try:
            if complete:
                self._write("]}\n")
            self._out.close()
            if complete:
                self._file.publish()
        except OSError as error:
            raise self._failure(error) from error
        finally:
            self._file.discard()

    def _write(self, text: str) -> None:
        try:
            self._out.write(text)
        except OSError as error:
            raise self._failure(error) from error

    def _failure(self, error: OSError) -> MediaError:
        return MediaError(f"{self._path} cannot be written: {error.strerror}")


def _geometry(face: Face) -> dict[str, Any]:
    """Return the box and the five points of a face in px, rounded."""
    points = lm.five_points(face.mesh.points) if face.mesh else face.points
    return {
        "box": [round(float(edge), 1) for edge in face.box],
        "landmarks": None if points is None else [[round(float(v), 1) for v in p] for p in points],
    }
