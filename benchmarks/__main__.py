"""Command line of the benchmarks: one suite a command, in ``benchmarks/<suite>/command.py``."""

from __future__ import annotations

import sys
from importlib import import_module

import click

from streamanon.errors import StreamanonError

SUITES = {
    "stills": "faces of the LFW protocol: found, recognised, posed and believed afterwards",
    "identity": "who is still known, by geometry alone and by recognisers",
    "motion": "who is still known by how the face moves",
    "ablation": "the parts of the default method, each left out once",
    "telltale": "how well a classifier tells new faces from real ones",
    "video": "leaks, identity, stability and expression over whole clips",
    "speed": "time, processor and memory, over resolution, faces, method and threads",
    "peers": "other anonymisers on the same clips, side by side",
    "integrity": "files of every kind beside what the ffmpeg command makes of them",
    "live": "latency, frame rate, memory and faults of live streams",
    "gpu": "the network on an NVIDIA GPU, by every runtime",
    "sealed": "sidecars: what their bytes tell, and a network that brings originals back",
    "training": "the curve of a training run, and the effect of each part of the network",
    "report": "tables, plots and pictures of the results",
}


class _Suites(click.Group):
    """Imports a suite only when it is asked for: their requirements differ and some are large."""

    def list_commands(self, _: click.Context) -> list[str]:
        return list(SUITES)

    def get_command(self, _: click.Context, name: str) -> click.Command | None:
        if name not in SUITES:
            return None
        found: click.Command = import_module(f"benchmarks.{name}.command").command
        return found

    def format_commands(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Suites"):
            formatter.write_dl(list(SUITES.items()))


@click.command(cls=_Suites)
def main() -> None:
    """Measure streamanon. Results are JSON files in benchmarks/results."""


if __name__ == "__main__":
    try:
        main(prog_name="python -m benchmarks")
    except StreamanonError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
