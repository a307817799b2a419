"""The interface of a peer that is measured."""

from pathlib import Path
from typing import Protocol


class Peer(Protocol):
    """An anonymiser of whole video files, run as a command."""

    def prepare(self, folder: Path) -> dict[str, str]:
        """Install everything that is needed, unless it is installed.

        Args:
            folder: folder that may keep an environment for later runs.

        Returns:
            What will run, for the record: "version", "runtime" and "note" (what a reader must know
            to judge the figures fairly).

        Raises:
            StreamanonError: it cannot be made ready.
        """
        ...

    @property
    def rows(self) -> tuple[str, ...]:
        """Its rows in the results: a name for each way of running it."""
        ...

    def command(self, row: str, clip: Path, output: Path) -> list[str]:
        """Return the command line of one of the rows; it replaces an output that exists."""
        ...
