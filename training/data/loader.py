"""Batches of samples, made by worker processes while the network trains."""

import signal
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset, Sampler

from training.data.dataset import PairDataset, collate, use_one_thread

PREFETCHED = 4
"""Batches that each worker prefetches."""

Batch = dict[str, torch.Tensor]


class _Samples(Dataset[dict[str, "NDArray[Any]"]]):
    """A :class:`PairDataset` as PyTorch wants it."""

    def __init__(self, pairs: PairDataset) -> None:
        self._pairs = pairs

    def __getitem__(self, number: int) -> dict[str, NDArray[Any]]:
        return self._pairs[number]


class _Numbers(Sampler[list[int]]):
    """The numbers of the samples of each batch, endlessly.

    The samples of a step are split over the processes, so that a step has the same samples on any
    number of processes.
    """

    def __init__(self, batch: int, first_step: int, rank: int, world: int) -> None:
        self._batch, self._step = batch, first_step
        self._rank, self._world = rank, world

    def __iter__(self) -> Iterator[list[int]]:
        step = self._step
        while True:
            yield list(range(step * self._batch, (step + 1) * self._batch))[
                self._rank :: self._world
            ]
            step += 1


def batches(
    pairs: PairDataset,
    batch: int,
    *,
    first_step: int = 0,
    workers: int = 1,
    rank: int = 0,
    world: int = 1,
) -> Iterator[Batch]:
    """Yield batches without end; step k always holds samples k * batch and following.

    Args:
        pairs: the samples.
        batch: samples a step, over all processes of a parallel run together.
        first_step: number of the first step.
        workers: processes that make samples; 0 makes them in this one.
        rank: number of this process in a parallel run.
        world: number of processes of the parallel run.

    Yields:
        The arrays of :meth:`PairDataset.__getitem__` as tensors with the batch axis in front.
    """
    loader: DataLoader[Any] = DataLoader(
        _Samples(pairs),
        batch_sampler=_Numbers(batch, first_step, rank, world),
        num_workers=workers,
        collate_fn=_tensors,
        worker_init_fn=_begin if workers else None,
        # A forked process would wait for ever for the threads OpenCV and PyTorch had in this one.
        multiprocessing_context="spawn" if workers else None,
        prefetch_factor=PREFETCHED if workers else None,
        pin_memory=torch.cuda.is_available(),
    )
    yield from loader


def _tensors(samples: Sequence[dict[str, NDArray[Any]]]) -> Batch:
    return {name: torch.from_numpy(array) for name, array in collate(samples).items()}


def _begin(_: int) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):  # the loop says when to stop
        signal.signal(number, signal.SIG_IGN)
    use_one_thread()
    torch.set_num_threads(1)
