"""Command line of the benchmarks; results are JSON files with the machine they came from."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
from dataclasses import asdict
from pathlib import Path

import click

from benchmarks import integrity, leaks, speed
from streamanon import __version__

RESULTS = Path(__file__).parent / "results"


def save(name: str, results: object) -> None:
    """Write results with what is needed to judge them."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
         if line.startswith("model name")), platform.processor(),
    ) if Path("/proc/cpuinfo").exists() else platform.processor()  # fmt: skip
    document = {
        "streamanon": __version__,
        "commit": commit,
        "python": platform.python_version(),
        "machine": {"cpu": model, "cores": os.cpu_count()},
        "results": results,
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n")


@click.group()
def main() -> None:
    """Measure streamanon."""


@main.command("speed")
@click.argument("clip", type=click.Path(exists=True, path_type=Path))
@click.option("--deface", type=click.Path(exists=True, path_type=Path),
              help="The deface program, installed in an environment of its own.")  # fmt: skip
@click.option("--rounds", default=3, show_default=True)
def speed_command(clip: Path, deface: Path | None, rounds: int) -> None:
    """Time whole runs on CLIP, in turn, against deface and against decode+encode alone."""
    results = speed.measure(clip, deface, rounds)
    medians = {label: statistics.median(t.fps for t in runs) for label, runs in results.items()}
    for label, runs in results.items():
        floor = medians[label] / medians["decode+encode"]
        print(f"{label:24} {medians[label]:7.1f} fps  {floor:5.2f} x decode+encode  "
              f"{runs[0].cpu_ms:6.1f} CPU ms/frame  {runs[0].peak_mb:5.0f} MB")  # fmt: skip
    save("speed", {label: [asdict(t) for t in runs] for label, runs in results.items()})


@main.command("scale")
@click.argument("clip", type=click.Path(exists=True, path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
def scale_command(clip: Path, target: Path) -> None:
    """Write CLIP at 1280x720 to TARGET, for `speed`."""
    speed.make_720p(clip, target)


@main.command("leaks")
@click.argument("original", type=click.Path(exists=True, path_type=Path))
@click.argument("anonymised", type=click.Path(exists=True, path_type=Path))
@click.option("--judge", type=click.Choice(["dlib", "centerface"]), default="dlib")
def leaks_command(original: Path, anonymised: Path, judge: str) -> None:
    """List faces that an independent detector sees in ORIGINAL and that ANONYMISED left as is."""
    finder = leaks.dlib_hog() if judge == "dlib" else leaks.centerface()
    found = leaks.find_leaks(original, anonymised, finder)
    print(json.dumps(found.as_json()))


@main.command("integrity")
@click.argument("original", type=click.Path(exists=True, path_type=Path))
@click.argument("anonymised", type=click.Path(exists=True, path_type=Path))
def integrity_command(original: Path, anonymised: Path) -> None:
    """Compare frame count, timestamps, duration and audio of two files."""
    found = integrity.differences(original, anonymised)
    print(json.dumps(found) if found else "identical")


if __name__ == "__main__":
    main()
