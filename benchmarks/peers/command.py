"""``python -m benchmarks peers``: other anonymisers and ours on the same clips, in the same rounds.

Results: ``rows``, one for each clip and contestant: fps of whole processes, their ``ratio`` to each
other row of the clip, what the output kept of the clip, and what two judges found of its faces;
``peers``, what ran; ``published``, the systems that were not run, and why.
"""

import shutil
import sys
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import track

from benchmarks import ROOT, record
from benchmarks import options as shared
from benchmarks.peers.adapter import Peer
from benchmarks.peers.deface import Deface
from benchmarks.peers.ours import Ours
from benchmarks.peers.outcome import integrity, leaks
from benchmarks.speed.account import measured
from benchmarks.speed.clips import write_start
from benchmarks.speed.figures import cost, disturbance, ratio, rounded
from benchmarks.speed.rounds import Run, interleaved, session
from streamanon.errors import UsageError
from streamanon.pipeline.document import sha256

PEERS: dict[str, Callable[[], Peer]] = {"streamanon": Ours, "deface": Deface}
FLOOR = "decode+encode"
PUBLISHED = Path(__file__).with_name("published.toml")
QUICK_FRAMES, QUICK_HEIGHT = 12, 360


@dataclass(frozen=True)
class Request:
    """The options of the command."""

    clips: Sequence[Path]
    height: int
    frames: int
    rounds: int
    quick: bool
    out: Path | None
    cache: Path

    @property
    def folder(self) -> Path:
        """Folder of the results; a quick run replaces published ones only with --out."""
        return record.destination(self.out, self.cache, quick=self.quick)

    @cached_property
    def session(self) -> Path:
        """Folder of clips, outputs and runs until the results are written."""
        return session(self.cache, "peers", [self.settings(), sorted(PEERS)]).resolve()

    def settings(self) -> dict[str, Any]:
        """Return the settings that are stored with the results."""
        return {
            "clips": {clip.name: sha256(clip) for clip in self.clips},
            "height": self.height,
            "frames": self.frames,
            "rounds": self.rounds,
            "warm_up": "none: each run is a whole process, its start counts",
        }


@click.command(short_help="Other anonymisers on the same clips.")
@click.option(
    "--clip",
    "clips",
    multiple=True,
    type=click.Path(path_type=Path),
    default=(ROOT / "examples" / "demo.mp4",),
    help="Clip to anonymise; may be given several times (default: the bundled clip).",
)
@click.option(
    "--height", default=720, show_default=True, help="Height that clips are scaled to, px."
)
@click.option(
    "--frames", default=240, show_default=True, help="Frames of each clip, from its start."
)
@click.option("--rounds", default=3, show_default=True, help="Number of timed rounds.")
@click.option("--quick", is_flag=True, help="A few frames of small clips, once.")
@shared.cache
@shared.out
def command(**options: Any) -> None:
    """Measure speed, leaks and what is kept of a file, side by side with deface.

    A peer's packages come from PyPI, at its first run, into an environment of its own.
    """
    request = Request(**options)
    if request.quick:
        request = replace(request, frames=QUICK_FRAMES, height=QUICK_HEIGHT, rounds=1)
    for clip in request.clips:
        if not clip.is_file():
            raise UsageError(f"clip {clip} does not exist: check the name")
    if min(request.frames, request.rounds, request.height // 16) < 1:
        raise UsageError("frames, rounds and height must be 1, 1 and 16 or more")
    peers = {name: build() for name, build in PEERS.items()}
    about = {}
    for name, peer in peers.items():
        click.echo(f"making {name} ready", err=True)
        about[name] = peer.prepare(request.cache / "environments")
    rows = [row for clip in request.clips for row in measure(request, clip, peers)]
    published = tomllib.loads(PUBLISHED.read_text())["system"]
    results = {"rows": rows, "peers": about, "published": published}
    path = record.save("peers", results, settings=request.settings(), folder=request.folder)
    shutil.rmtree(request.session)
    click.echo(f"{path}: {len(rows)} rows")
    if warning := disturbance(rows):
        click.echo(warning, err=True)


def measure(request: Request, clip: Path, peers: dict[str, Peer]) -> list[dict[str, Any]]:
    """Return the rows of one clip; the floor changes nothing: the control of the judges."""
    folder = request.session / (sha256(clip) or clip.stem)[:12]
    folder.mkdir(parents=True, exist_ok=True)
    start = folder / "clip.mp4"
    frames = write_start(clip, start, request.height, request.frames)
    outputs = {FLOOR: folder / "0.mp4"}
    floor = [sys.executable, "-m", "benchmarks.speed.floors", FLOOR, str(start)]
    contestants = {FLOOR: partial(_run, [*floor, str(outputs[FLOOR])], frames)}
    for peer in peers.values():
        for row in peer.rows:
            outputs[row] = folder / f"{len(outputs)}.mp4"
            contestants[row] = partial(_run, peer.command(row, start, outputs[row]), frames)
    runs = interleaved(contestants, request.rounds, folder / "runs")
    console = Console(stderr=True)
    return [
        {
            "clip": clip.name,
            "name": name,
            **_speed(name, runs),
            **integrity(start, outputs[name]),
            "leaks": leaks(start, outputs[name]),
        }
        for name in track(runs, f"judging {clip.name}", console=console)
    ]


def _run(command: list[str], frames: int) -> Run:
    return Run(measured(command), {"frames": frames})


def _speed(name: str, runs: dict[str, list[Run]]) -> dict[str, Any]:
    """Return the cost of a contestant, and its speed relative to each other one."""
    own = runs[name]
    ratios = {other: ratio(own, theirs) for other, theirs in runs.items() if other != name}
    found: dict[str, Any] = rounded({**cost(own), "ratio": ratios})
    return found
