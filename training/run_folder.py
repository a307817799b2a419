"""The folder of a run: options, stats, sample grids, and checkpoints, written atomically."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import cv2
import torch

from streamanon.atomic_write import write_atomically
from streamanon.errors import StreamanonError, UsageError, error_line
from training import options as options_file

if TYPE_CHECKING:
    from pathlib import Path

    from streamanon.types import U8
    from training.options import Options

FORMAT = 3
"""Version of the state's format, raised by incompatible changes."""


class RunFolder:
    """Writes and reads the files of a run.

    Attributes:
        path: path of the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._board: Any = None

    @property
    def started(self) -> bool:
        """Whether the folder holds a run that can be resumed."""
        return self._state_file.exists()

    @property
    def _state_file(self) -> Path:
        return self.path / "state.pt"

    def prepare(self, options: Options, *, resumed: bool) -> None:
        """Create the folder and write the options.

        Raises:
            UsageError: The folder holds a run that would be overwritten, or none to resume.
        """
        if resumed != self.started:
            there = "holds no run to resume" if resumed else "holds a run: give --resume"
            raise UsageError(f"{self.path} {there}, or choose another folder")
        try:
            for name in ("samples", "networks"):
                (self.path / name).mkdir(parents=True, exist_ok=True)
            options_file.write(options, self.path / "options.json")
        except OSError as error:
            raise UsageError(f"cannot write the run {self.path}: {error.strerror}") from error

    def options(self) -> Options:
        """Return the options that the run was last trained with.

        Raises:
            UsageError: The folder holds no run.
        """
        if not (self.path / "options.json").exists():
            raise UsageError(f"{self.path} holds no run to resume: choose another folder")
        return options_file.read(self.path / "options.json")

    def save(self, state: dict[str, Any]) -> None:
        """Replace the state of the run; on failure the previous one is kept."""
        _write(self._state_file, _packed({**state, "format": FORMAT}), state["step"])

    def save_network(self, network: dict[str, Any], step: int) -> None:
        """Replace the latest network."""
        _write(self.path / "network.pt", _packed(network), step)

    def keep_network(self, network: dict[str, Any], step: int) -> None:
        """Write a network that is kept for good."""
        _write(self.path / "networks" / f"{step:08d}.pt", _packed(network), step)

    def state(self) -> dict[str, Any]:
        """Return the last state written.

        Raises:
            UsageError: The state is missing, damaged or of another version.
        """
        try:
            state = torch.load(self._state_file, map_location="cpu", weights_only=True)
        except FileNotFoundError:
            raise UsageError(f"{self.path} holds no run to resume (no state.pt)") from None
        except Exception as error:
            raise UsageError(f"{self._state_file} is damaged: {error_line(error)}") from error
        if not isinstance(state, dict) or state.get("format") != FORMAT:
            raise UsageError(f"{self._state_file} is no state of this version of the trainer")
        return state

    def log(self, row: dict[str, float]) -> None:
        """Add a line to ``stats.jsonl``, and to TensorBoard if installed."""
        with (self.path / "stats.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        board = self._tensorboard()
        if board is not None:
            for name, value in row.items():
                board.add_scalar(name, value, int(row["step"]))

    def save_samples(self, grid: U8, step: int) -> None:
        """Write a grid of samples."""
        cv2.imwrite(str(self.path / "samples" / f"{step:08d}.png"), grid)

    def _tensorboard(self) -> Any:
        if self._board is None:
            try:
                from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415  optional

                self._board = SummaryWriter(str(self.path / "tensorboard"))
            except ImportError:
                self._board = False
        return self._board or None


def _packed(state: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def _write(path: Path, content: bytes, step: int) -> None:
    """Write a file, complete or not at all."""
    try:
        write_atomically(path, content)
    except OSError as error:
        raise StreamanonError(
            f"cannot write step {step} to {path}: {error.strerror}; what was there before is "
            "untouched: make room and resume"
        ) from error
