"""Several processes training one network (``torchrun``); with one process, nothing happens here."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import distributed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor, nn


@contextmanager
def process_group() -> Iterator[torch.device]:
    """Join the processes that ``torchrun`` started, if it did; yield the device to train on."""
    cuda = torch.cuda.is_available()
    local = int(os.environ.get("LOCAL_RANK", "0"))
    device = torch.device("cuda", local) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
    if "WORLD_SIZE" not in os.environ:
        yield device
        return
    distributed.init_process_group("nccl" if cuda else "gloo")
    try:
        distributed.barrier()  # until the first process has written the options
        yield device
    finally:
        distributed.destroy_process_group()


def first() -> bool:
    """Return whether this process is the one that writes; also before the group is joined."""
    return os.environ.get("RANK", "0") == "0"


def rank() -> int:
    """Return which of the processes this is."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def size() -> int:
    """Return how many processes there are."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def share(*modules: nn.Module) -> None:
    """Give every process the first one's weights."""
    if size() > 1:
        for module in modules:
            for tensor in (*module.parameters(), *module.buffers()):
                distributed.broadcast(tensor.data, 0)


def average_gradients(module: nn.Module) -> None:
    """Replace the gradients of each process by their mean."""
    if size() == 1:
        return
    held = [weight.grad for weight in module.parameters() if weight.grad is not None]
    joined = torch.cat([gradient.flatten() for gradient in held])
    distributed.all_reduce(joined)
    joined /= size()
    for gradient, part in zip(held, torch.split(joined, [g.numel() for g in held]), strict=True):
        gradient.copy_(part.view_as(gradient))


def any_of(flag: bool, device: torch.device) -> bool:  # noqa: FBT001  a question, not a switch
    """Return whether it holds in any process; all must ask."""
    if size() == 1:
        return flag
    asked: Tensor = torch.tensor([float(flag)], device=device)
    distributed.all_reduce(asked, distributed.ReduceOp.MAX)
    return bool(asked.item())
