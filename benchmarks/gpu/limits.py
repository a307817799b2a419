"""The peak rates of the GPU, measured on the spot: the limits that runs are compared with."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from statistics import median
from typing import Any

import torch

WARM_UP, RUNS = 20, 100
"""Number of runs before the measurement and during it."""

SIDE, COPIED = {"cuda": 8192, "cpu": 256}, {"cuda": 1 << 30, "cpu": 1 << 20}
"""Side of the matrices, and bytes of the array, by device."""

TYPES = {"fp32": torch.float32, "fp16": torch.float16}


@dataclass(frozen=True)
class Limits:
    """The limits of a device.

    Attributes:
        operations_per_s: operations a second of a large matrix product, by precision.
        bytes_per_s: bytes read and written a second by a large copy.
    """

    operations_per_s: dict[str, float]
    bytes_per_s: float


def measured(device: str) -> Limits:
    """Measure a device; float32 is float32, not TF32."""
    side = SIDE[device]
    rates = {}
    for name, kind in TYPES.items():
        if device == "cpu" and name == "fp16":
            continue
        a, b = (torch.randn(side, side, device=device, dtype=kind) for _ in range(2))
        product_ms = median(times_ms(partial(torch.matmul, a, b), device, 10))
        rates[name] = 2 * side**3 / (1e-3 * product_ms)
    source = torch.zeros(COPIED[device], dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    copy_ms = median(times_ms(lambda: target.copy_(source), device, 10))
    return Limits(rates, 2 * COPIED[device] / (1e-3 * copy_ms))


def times_ms(run: Callable[[], object], device: str, runs: int = RUNS) -> list[float]:
    """Return the time of each of several runs that follow each other, by the device's clock."""
    for _ in range(min(WARM_UP, runs)):
        run()
    if device == "cpu":
        return walls_ms(run, runs)
    kind: Any = torch.cuda.Event
    marks = [kind(enable_timing=True) for _ in range(runs + 1)]
    marks[0].record()
    for mark in marks[1:]:
        run()
        mark.record()
    torch.cuda.synchronize()
    return [a.elapsed_time(b) for a, b in pairwise(marks)]


def walls_ms(run: Callable[[], object], runs: int = RUNS) -> list[float]:
    """Return the time of each of several runs by the wall clock."""
    found = []
    for _ in range(runs):
        start = time.perf_counter()
        run()
        found.append(1000 * (time.perf_counter() - start))
    return found
