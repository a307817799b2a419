"""The training loop: steps, checkpoints, stats and sample grids, until steps or time are over."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click
import torch
from torch import Tensor

from streamanon.anonygan.checkpoint import pack, read
from streamanon.errors import StreamanonError
from training import parallel
from training.data import shards
from training.data.dataset import PairDataset, kept_for_validation
from training.data.loader import batches
from training.run_folder import RunFolder
from training.sample import Samples
from training.trainer import Trainer

LOG_EVERY = 25
"""Steps over which stats are averaged."""

KEEP_EVERY = 10
"""Number of states after which a network is kept for good."""

SHOWN = ("loss", "reconstruction", "appearance", "landmark", "pull", "attention")
"""Terms in the progress line; ``stats.jsonl`` has all."""

VALIDATION = 0.02
"""Share of people held out from training."""


def train(
    folder: RunFolder,
    data: Path,
    sources: Path | None,
    minutes: float,
    start: Path | None = None,
) -> None:
    """Train from the last state of the folder's run, or from the beginning.

    Args:
        folder: prepared folder of the run, with the options.
        data: folder of prepared faces.
        sources: pictures for the sample grids; None for portraits of the built-in gallery.
        minutes: time limit.
        start: file with the network that a new run starts from; None for random weights.
    """
    torch.set_flush_denormal(True)  # tiny numbers would be computed a hundred times slower
    with parallel.process_group() as device, stop_at(minutes) as reason:
        trainer = Trainer(folder.options(), device)
        if folder.started:
            trainer.resume(folder.state())
        elif start is not None:
            trainer.start_from(read(start), str(start))
        run = _Run(folder, trainer, Samples.of(sources) if parallel.rank() == 0 else None)
        _steps(run, trainer, data, reason)
        run.finish(reason() or "all steps are done")
        del run, trainer  # before their process group


def _steps(run: _Run, trainer: Trainer, data: Path, reason: Callable[[], str]) -> None:
    """Train until the steps are done, or any process has a reason to stop."""
    options, faces = trainer.options, shards.load(data)
    arriving = batches(
        PairDataset(
            faces,
            mix=options.mix,
            seed=options.seed,
            rows=~kept_for_validation(faces, VALIDATION),
        ),
        options.batch,
        first_step=trainer.step,
        workers=options.workers,
        rank=parallel.rank(),
        world=parallel.size(),
    )
    with _workers_watched(trainer):
        while trainer.step < options.steps and not parallel.any_of(bool(reason()), trainer.device):
            run.after_step(trainer.train(next(arriving)))


@contextmanager
def stop_at(minutes: float) -> Iterator[Callable[[], str]]:
    """Yield a function that returns the reason to stop, a signal or the time limit, or ""."""
    deadline, caught = time.monotonic() + 60 * minutes, []

    def note(number: int, _: FrameType | None) -> None:
        caught.append(signal.Signals(number).name)

    def reason() -> str:
        over = time.monotonic() > deadline
        return caught[0] if caught else "time is over" if over else ""

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield reason
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _workers_watched(trainer: Trainer) -> Iterator[None]:
    """Turn PyTorch's error for a dead data loader worker into one line."""
    try:
        yield
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise StreamanonError(
            f"step {trainer.step}: a process that makes samples died ({error}); resume from the "
            "last state, with fewer workers if memory is short"
        ) from error


class _Run:
    """Writes stats, progress, sample grids and checkpoints."""

    def __init__(self, folder: RunFolder, trainer: Trainer, samples: Samples | None) -> None:
        self._folder, self._trainer, self._samples = folder, trainer, samples
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}
        self._since, self._first = time.monotonic(), trainer.step

    def after_step(self, stats: dict[str, Tensor]) -> None:
        """Write what is due after a step; only the first process writes."""
        if self._samples is None:
            return
        for name, value in stats.items():
            self._sums[name] = self._sums.get(name, torch.zeros_like(value)) + value
            self._counts[name] = self._counts.get(name, 0) + 1
        step, options = self._trainer.step, self._trainer.options
        if step % LOG_EVERY == 0:
            self._log()
        if step % options.sample_every == 0:
            self._folder.save_samples(self._samples.grid(self._trainer.ema), step)
        if step % options.save_every == 0:
            self._save()

    def finish(self, why: str) -> None:
        """Write the final state."""
        if self._samples is None:
            return
        self._save()
        self._folder.save_samples(self._samples.grid(self._trainer.ema), self._trainer.step)
        click.echo(f"stopped at step {self._trainer.step}: {why}")

    def _save(self) -> None:
        trainer = self._trainer
        network = {**pack(trainer.ema), "step": trainer.step, "samples": trainer.samples}
        self._folder.save(trainer.state())
        self._folder.save_network(network, trainer.step)
        if trainer.step % (KEEP_EVERY * trainer.options.save_every) == 0:
            self._folder.keep_network(network, trainer.step)

    def _log(self) -> None:
        trainer, now = self._trainer, time.monotonic()
        steps = trainer.step - self._first
        pace = steps / max(now - self._since, 1e-9)
        means = {name: float(total) / self._counts[name] for name, total in self._sums.items()}
        samples = pace * trainer.options.batch
        row = {"step": trainer.step, "samples": trainer.samples}
        self._folder.log({**row, "samples_per_s": samples, **means})
        left = time.strftime("%H:%M:%S", time.gmtime((trainer.options.steps - trainer.step) / pace))
        shown = "  ".join(f"{name} {means[name]:.3f}" for name in SHOWN if name in means)
        click.echo(
            f"step {trainer.step}/{trainer.options.steps}  {samples:.1f} samples/s  "
            f"{left} left  {shown}"
        )
        self._sums, self._counts, self._since, self._first = {}, {}, now, trainer.step
