"""``streamanon engine``: compile for this machine's GPU the networks that find and paint faces."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from streamanon import weights
from streamanon.backends import engine_build
from streamanon.backends.engines import EngineCache
from streamanon.weights.card import accepted, read_card

if TYPE_CHECKING:
    from streamanon.backends.tensorrt_graph import Precision

PAINTS = "anonygan.onnx"
SEES = ("yunet.onnx", "face_mesh.onnx")
"""These are always in single precision: a face that is not found is not hidden."""


def build(precision: Precision | None, progress: Callable[[str, int, int], None]) -> list[str]:
    """Build the engines where there are none yet, and say what was done, a line for each.

    Args:
        precision: arithmetic of the network that paints faces; None for half precision where that
            costs little quality.
        progress: called with the name of a phase, its steps done, and its number of steps.

    Raises:
        ModelError: there is no GPU or no TensorRT, or an engine cannot be built or kept.
    """
    if precision is None:
        precision = "fp16" if accepted(read_card(weights.path(PAINTS)), "fp16") else "fp32"
    wanted = {PAINTS: precision} | dict.fromkeys(SEES, "fp32")
    return [_built(weights.path(name), kind, progress) for name, kind in wanted.items()]


def _built(path: Path, precision: Precision, progress: Callable[[str, int, int], None]) -> str:
    plan, cache = engine_build.planned(path, precision), EngineCache()
    if plan.name in {entry.name for entry in cache.entries() if entry.usable}:
        return f"{plan}: is there already"
    start = time.monotonic()
    size = len(engine_build.make(path, precision, progress))
    return f"{plan}: {size / 1e6:.1f} MB, built in {time.monotonic() - start:.0f} s"
