"""``python -m benchmarks live``: streams under load and under fault.

Results: ``rows``, each of a ``kind``: "latency" (:mod:`benchmarks.live.load`),
"memory" (the same on small pictures, which leaves room for a long run, and at full quality
however busy the machine is), "faults" (:class:`benchmarks.live.faults.FaultResult`).
Results of parts that are not asked for are kept.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import click

from benchmarks import ROOT, record
from benchmarks import options as shared
from benchmarks.live.clips import scene, write_numbered, write_painted_pair
from benchmarks.live.faults import FAULTS, FaultTestbed, small_disk
from benchmarks.live.load import WARM_UP_S, Load
from streamanon.errors import UsageError
from streamanon.pipeline.document import sha256

PARTS = ("latency", "memory", "faults")
RATE = 30
HEIGHT, SMALL_HEIGHT = 720, 180
_FRAMES = 240


@dataclass(frozen=True)
class Request:
    """The options of the command."""

    parts: Sequence[str]
    methods: Sequence[str]
    streams: Sequence[int]
    minutes: float
    quick: bool
    out: Path | None
    clip: Path

    @property
    def folder(self) -> Path:
        """Folder of the results; a quick run replaces published ones only with --out."""
        return record.destination(self.out, shared.CACHE, quick=self.quick)

    @property
    def seconds(self) -> float:
        """Length of each measurement."""
        return 10.0 if self.quick else 60 * self.minutes

    def settings(self, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Return the settings that are stored with the results."""
        runtimes = {name for row in rows for name in row.get("runtimes", {}).values()}
        return {
            "clip": self.clip.name,
            "clip_sha256": sha256(self.clip),
            "minutes": round(self.seconds / 60, 2),
            "rate": RATE,
            "height": HEIGHT,
            "faces": 1,
            "warm_up": f"the first {WARM_UP_S:g} s of each run",
            "captured_to_written": "from a frame leaving the source to the outputs having taken it",
            "glass_to_glass": "from a camera sending a frame to a player having decoded it: two "
            "servers, decoding, encoding and the player included; the camera's encoder is not",
            "memory": f"{SMALL_HEIGHT}p at real pace, held at full quality (frames are dropped "
            "instead)",
            "provider": "; ".join(sorted(runtimes)) or "nothing: no networks ran",
        }


@click.command(short_help="Live streams under load and under fault.")
@click.option(
    "--part",
    "parts",
    multiple=True,
    type=click.Choice(PARTS),
    default=PARTS,
    help="What to measure (default: everything).",
)
@click.option("--method", "methods", multiple=True, default=("warp", "anonygan"), show_default=True)
@click.option(
    "--streams", multiple=True, type=click.IntRange(1), default=(1, 2, 3, 4), show_default=True
)
@click.option(
    "--minutes",
    default=5.0,
    show_default=True,
    help="Length of each measurement; a fifth of it with several streams.",
)
@click.option(
    "--quick",
    is_flag=True,
    help="One stream, ten seconds, short faults, to check that everything works.",
)
@shared.out
@click.option(
    "--clip",
    type=click.Path(path_type=Path),
    default=ROOT / "examples" / "demo.mp4",
    help="Footage of one person (default: the bundled clip).",
)
def command(**options: Any) -> None:
    """Measure latency, frame rate, drops and memory of live streams, and cause faults on purpose.

    Cameras push numbered frames to a server, the product reads them there and pushes them to
    another, players read them back. Everything runs on this machine and adds to its load.
    """
    request = Request(**options)
    if request.quick:
        request = replace(request, streams=(1,), methods=request.methods[:1])
    if not request.clip.is_file():
        raise UsageError(f"clip {request.clip} does not exist: check the name")
    rows = [*_kept(request)]
    measured = {"latency": _latency, "memory": _memory, "faults": _faults}
    with tempfile.TemporaryDirectory() as name:
        for part in request.parts:
            for row in measured[part](request, Path(name)):
                rows.append({"commit": record.commit(), **row})
                _say(rows[-1])
                path = record.save(
                    "live",
                    {"rows": rows},
                    settings=request.settings(rows),
                    folder=request.folder,
                )
    click.echo(f"{path}: {len(rows)} rows")


def _kept(request: Request) -> Iterator[dict[str, Any]]:
    """Yield the rows of the parts that are not measured now."""
    if not (request.folder / "live.json").is_file():
        return
    for row in record.load("live", request.folder)["results"]["rows"]:
        if row["kind"] not in request.parts:
            yield row


def _latency(request: Request, folder: Path) -> Iterator[dict[str, Any]]:
    clip = folder / "scene.ts"
    write_numbered(clip, scene(request.clip, HEIGHT, 1, _FRAMES), RATE)
    for method in request.methods:
        for streams in request.streams:
            seconds = request.seconds if streams == 1 else request.seconds / 5
            load = Load(clip, streams, method, seconds)
            yield {"kind": "latency", **load.measure()}


def _memory(request: Request, folder: Path) -> Iterator[dict[str, Any]]:
    clip = folder / "small.ts"
    write_numbered(clip, scene(request.clip, SMALL_HEIGHT, 1, _FRAMES), RATE)
    for method in request.methods:
        yield {"kind": "memory", **Load(clip, 1, method, request.seconds, pinned=True).measure()}


def _faults(request: Request, folder: Path) -> Iterator[dict[str, Any]]:
    clips = write_painted_pair(folder, request.clip, 48)
    for fault in FAULTS:
        with ExitStack() as stack:
            recording = None
            if fault.needs_recording:
                try:
                    recording = stack.enter_context(small_disk(folder / "disk"))
                except UsageError as error:
                    click.echo(f"skipped: {fault.name}: {error}", err=True)
                    continue
            testbed = stack.enter_context(
                FaultTestbed(clips, recording, raw=request.folder / "raw")
            )
            result = testbed.cause(
                fault, fault.outages_s if request.quick else fault.long_outages_s
            )
        judged = {"logged": result.was_logged(fault), "cut": fault.disconnects_viewers}
        yield {"kind": "faults", **judged, **asdict(result)}


def _say(row: dict[str, Any]) -> None:
    if row["kind"] == "faults":
        worst = max(row["recovered_s"])
        click.echo(
            f"{row['fault']}: {row['times']} times, back within {worst:.2f} s, "
            f"{row['raw_frames']} of {row['frames']} frames raw"
        )
        return
    inside, whole = row["captured_to_written_ms"], row["glass_to_glass_ms"]
    click.echo(
        f"{row['kind']}, {row['method']}, {row['streams']} streams: captured to written p50 "
        f"{inside['p50']} ms, p99 {inside['p99']} ms; glass to glass p50 {whole['p50']} ms, p99 "
        f"{whole['p99']} ms; {row['fps_seen']} fps, dropped {row['dropped']}, levels "
        f"{row['levels']}, growth {row['growth_mb_per_hour']} MB/h"
    )
