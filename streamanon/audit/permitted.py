"""What a run left as it was because the user said so, out of its file of boxes."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from streamanon.audit.judge import FaceComparison
from streamanon.errors import UsageError
from streamanon.imaging.boxes import iou
from streamanon.types import Treatment

_SAME_FACE = 0.3
"""Intersection over union from which the face of the audit is the one that was shown."""


class PermittedFaces:
    """Frames and faces that a run left as they are, with a permit."""

    def __init__(self, path: Path, original_sha256: str | None) -> None:
        """Read what ``streamanon run --boxes`` wrote of the input with this hash.

        Raises:
            UsageError: it cannot be read, or tells of other files.
        """
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            entries = [one for one in document["files"] if one["input_sha256"] == original_sha256]
            self._frames = {frame["frame"]: frame for entry in entries for frame in entry["frames"]}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UsageError(f"{path} cannot be read: wanted what run --boxes wrote") from error
        if not entries:
            raise UsageError(f"boxes {path} are of another file than ORIGINAL: name its own")

    def allows(self, index: int, comparison: FaceComparison) -> bool:
        """Tell whether a face of a frame was left as it is on purpose."""
        frame: dict[str, Any] = self._frames.get(index, {})
        if frame.get("treatment") == Treatment.SHOWN.value:
            return True
        return any(
            face["treatment"] == Treatment.SHOWN.value
            and iou(np.array(face["box"], np.float32), comparison.box) >= _SAME_FACE
            for face in frame.get("faces", ())
        )
