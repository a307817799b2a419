"""The steps of the suite: clips, their observations, outputs of methods, figures."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks import record
from benchmarks.stills.cache import digest, version_of_judges
from benchmarks.video import outputs
from benchmarks.video.clips import first_frames, still_with_noise
from benchmarks.video.comparison import compare_frames
from benchmarks.video.figures import parts
from benchmarks.video.flicker import flicker
from benchmarks.video.integrity import kept
from benchmarks.video.source import Source, examine
from streamanon.atomic_write import write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.judges.self_check import SelfCheck
    from benchmarks.video.clips import Clip
    from benchmarks.video.panel import Panel

    StartProgress = Callable[[str, int], Callable[[], None]]
    """Takes a task and its number of frames; returns the function to call after each."""

_ROOT = Path(__file__).parents[2]
_CODE = ("benchmarks/video/*.py", "streamanon/audit/*.py")


@dataclass(frozen=True)
class Limits:
    """How much of each clip is measured.

    Attributes:
        frames: number of frames of a clip, from its start.
        still_frames: length of the still clip with noise.
        seed: seed of the product's choice of identities.
    """

    frames: int = 300
    still_frames: int = 48
    seed: int = 0


class Suite:
    """Measures methods on clips; everything costly is kept in a folder and made once."""

    def __init__(self, panel: Panel, limits: Limits, folder: Path, progress: StartProgress) -> None:
        self._panel = panel
        self._limits = limits
        self._folder = folder
        self._progress = progress
        self._self_checks: dict[str, SelfCheck] = panel.self_checks()
        folder.mkdir(parents=True, exist_ok=True)

    def judges(self) -> dict[str, Any]:
        """Return the judges and their self-checks."""
        training = {one.name: one.used_in_training for one in self._panel.recognisers}
        return {
            name: {**checks.as_json(), "used_in_training": training.get(name, False)}
            for name, checks in self._self_checks.items()
        }

    def clip(self, path: Path) -> Clip:
        """Return the part of a video that is measured."""
        return first_frames(path, self._limits.frames, self._folder)

    def source(self, clip: Clip) -> Source:
        """Return what is seen in a clip.

        Raises:
            UsageError: it shows no face.
        """
        path = self._folder / f"{clip.name}-source-{digest(clip.digest, _version())}.npz"
        if not path.exists():
            advance = self._progress(f"{clip.name}: original", clip.frames)
            examine(clip, self._panel, advance).save(path)
        return Source.load(path)

    def row(self, method: str, clip: Clip, source: Source) -> dict[str, Any]:
        """Return the figures of a method on a clip."""
        output = outputs.produce(method, clip, self._folder, seed=self._limits.seed)
        seen = np.flatnonzero(source.face.seen)
        middle = int(seen[len(seen) // 2])
        still = still_with_noise(clip, middle, self._limits.still_frames, self._folder)
        stilled = outputs.produce(method, still, self._folder, seed=self._limits.seed)
        made = (clip.digest, output.digest, still.digest, stilled.digest)
        key = digest(*made, json.dumps(self.judges()), _version())
        path = self._folder / f"{clip.name}-{method}-figures-{key}.json"
        if not path.exists():
            advance = self._progress(f"{clip.name}: {method}", clip.frames)
            comparison = compare_frames(clip.path, output.path, source, self._panel, advance)
            flickers = flicker(still.path, stilled.path, source.face.points[middle])
            figures = {
                **parts(source, comparison, self._self_checks),
                "flicker": {"alive": True, **flickers}
                if flickers
                else {"alive": False, "reason": "the face is too small, or nothing changes"},
                "integrity": {"alive": True, **kept(clip.path, output.path)},
                "product": {"alive": True, **output.faces},
                "commit": record.commit(),
            }
            write_atomically(path, json.dumps(figures).encode())
        found: dict[str, Any] = json.loads(path.read_text())
        return found


@cache
def _version() -> str:
    """Return a name for the code and networks that judge clips."""
    files = [path for pattern in _CODE for path in sorted(_ROOT.glob(pattern))]
    return digest(version_of_judges(), *(path.read_bytes() for path in files))
