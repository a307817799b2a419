"""The points that are measured: a sweep along each axis from a base point, or the full product."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from importlib.util import find_spec
from itertools import product

from benchmarks.speed.floors import FLOORS
from streamanon.config import Config

HEIGHTS = (360, 480, 720, 1080, 1440, 2160)
FACES = (0, 1, 2, 4, 8)
LIVE_RATE = 30.0


def _choices(setting: str) -> tuple[str, ...]:
    """Return the allowed values of a setting of the product."""
    return next(
        (tuple(field.metadata["choices"]) for field in fields(Config) if field.name == setting), ()
    )


METHODS = _choices("method")
ON_PROCESSOR = ("onnxruntime", "openvino")
"""Runtimes that need no GPU; those on a GPU are measured by ``benchmarks gpu``."""

WITH_NETWORK = ("anonygan",)
"""Methods with a network, which several runtimes can run."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One point that is measured.

    Attributes:
        height: height of the frames (16:9) in px.
        faces: number of visible faces.
        method: method of the product, or name of a floor.
        threads: processor threads that the whole process may use.
        rate: frames a second of a camera, or None for a file.
        runtime: runtime of the method's network, or None for the product's choice.
    """

    height: int
    faces: int
    method: str
    threads: int
    rate: float | None = None
    runtime: str | None = None

    @property
    def label(self) -> str:
        """Readable name."""
        live = f", live {self.rate:g} fps" if self.rate else ""
        on = f" on {self.runtime}" if self.runtime else ""
        scene = f"{self.height}p, {self.faces} faces, {self.threads} threads"
        return f"{self.method}{on} {scene}{live}"

    def floor(self, method: str) -> Cell:
        """Return the same point with one of the floors instead of a method."""
        return replace(self, method=method, rate=None, runtime=None)


@dataclass(frozen=True, slots=True)
class Axes:
    """The values along each axis; the base point is the one of ``height`` and ``faces``.

    Attributes:
        heights: heights of the frames in px.
        faces: numbers of visible faces.
        methods: methods swept along height, faces and threads.
        others: methods measured at the base point only.
        threads: processor threads; the largest is the base.
    """

    heights: Sequence[int]
    faces: Sequence[int]
    methods: Sequence[str]
    others: Sequence[str]
    threads: Sequence[int]


def available_threads() -> int:
    """Return the number of processor threads that this process may use."""
    return len(os.sched_getaffinity(0))


def threads_to_try() -> list[int]:
    """Return 1, 2, 4 and so on, up to all available threads."""
    most = available_threads()
    return sorted({min(2**power, most) for power in range(most.bit_length() + 1)})


def runtimes() -> list[str]:
    """Return the runtimes on the processor that are installed, by name."""
    return [name for name in ON_PROCESSOR if find_spec(name)]


def sweep(axes: Axes, base_height: int = 720) -> dict[str, list[Cell]]:
    """Return the cells of each axis; the base point is on all of them."""
    most = max(axes.threads)
    bases = [Cell(base_height, 1, method, most) for method in axes.methods]
    others = [replace(bases[0], method=method) for method in axes.others]
    return {
        "height": [replace(base, height=height) for base in bases for height in axes.heights],
        "faces": [replace(base, faces=faces) for base in bases for faces in axes.faces],
        "method": bases + [other for other in others if other not in bases],
        "threads": [replace(base, threads=number) for base in bases for number in axes.threads],
        "runtime": [
            replace(base, runtime=runtime)
            for base in bases
            for runtime in runtimes()
            if base.method in WITH_NETWORK
        ],
        "live": [replace(base, rate=LIVE_RATE) for base in bases],
    }


def everything(axes: Axes) -> dict[str, list[Cell]]:
    """Return the full product of the axes, and the sweep."""
    methods = dict.fromkeys([*axes.methods, *axes.others])
    values = product(axes.heights, axes.faces, methods, axes.threads)
    return {**sweep(axes), "product": [Cell(*value) for value in values]}


def with_floors(cells: Iterable[Cell]) -> list[Cell]:
    """Return every cell once, after the floors of the same scene and threads."""
    ordered: list[Cell] = []
    wanted = sorted(dict.fromkeys(cells), key=lambda cell: (cell.height, cell.faces, cell.threads))
    for cell in wanted:
        if not cell.rate:
            ordered += [cell.floor(name) for name in FLOORS]
        ordered.append(cell)
    return list(dict.fromkeys(ordered))
