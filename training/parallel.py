"""Training on several GPUs, one process each (``torchrun``); a no-op in a single process."""

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel


@contextmanager
def process_group() -> Iterator[torch.device]:
    """Join the process group of ``torchrun``, if any; yield the device to train on."""
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
        distributed.barrier()  # a process that leaves early takes the threads of others down
    finally:
        gc.collect()  # a DistributedDataParallel that outlives its group crashes at exit
        distributed.destroy_process_group()


def first() -> bool:
    """Return whether this process writes the files; also valid before the group is joined."""
    return os.environ.get("RANK", "0") == "0"


def rank() -> int:
    """Return the number of this process, from 0."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def size() -> int:
    """Return the number of processes."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def synchronised(module: nn.Module) -> nn.Module:
    """Return a module whose weights and gradients are the same in all processes.

    The first process' weights are copied to the others; gradients of what is computed by calling
    the module are averaged.
    """
    return DistributedDataParallel(module, forward_sync_buffers=False) if size() > 1 else module


def any_of(flag: bool, device: torch.device) -> bool:  # noqa: FBT001  not a mode
    """Return whether a flag is set in any process; called by all of them."""
    if size() == 1:
        return flag
    found: Tensor = torch.tensor([float(flag)], device=device)
    distributed.all_reduce(found, distributed.ReduceOp.MAX)
    return bool(found.item())
