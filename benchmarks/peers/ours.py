"""streamanon, measured as a peer among peers: its command line, as installed here."""

from pathlib import Path

from benchmarks.speed.grid import METHODS
from streamanon import __version__
from streamanon.child_process import module_command
from streamanon.config import Config
from streamanon.factory import Factory

PLAIN_AS_MOSAIC = ("blur", "solid")
"""Methods that differ from mosaic in how the cover looks only."""


class Ours:
    """Implements :class:`benchmarks.peers.adapter.Peer`."""

    def prepare(self, folder: Path) -> dict[str, str]:  # noqa: ARG002  nothing is to be installed
        """Say what runs the networks."""
        factory = Factory(Config())
        factory.observer(factory.anonymiser())
        runtimes = sorted(set(factory.runtimes.values()))
        return {"version": __version__, "runtime": "; ".join(runtimes), "note": ""}

    @property
    def rows(self) -> tuple[str, ...]:
        """One a method."""
        methods = [method for method in METHODS if method not in PLAIN_AS_MOSAIC]
        return tuple(f"streamanon {method}" for method in methods)

    def command(self, row: str, clip: Path, output: Path) -> list[str]:
        """Return the command line of one of the rows."""
        run = module_command("streamanon", "run", str(clip), "-o", str(output))
        return [*run, "--overwrite", "--method", row.split()[1]]
