"""One way to run a network, measured in a process of its own: what crashes, crashes alone.

Run as ``python -m benchmarks.gpu.worker TASK.json``; prints JSON.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from benchmarks.gpu import limits
from benchmarks.gpu.subject import Subject
from benchmarks.gpu.ways import Arrays, Ready, ways
from streamanon.anonygan.deployed import OUTPUTS

if TYPE_CHECKING:
    from collections.abc import Sequence

FEW_RUNS = 2
"""Runs when it is only to be seen whether everything works."""


@dataclass(frozen=True)
class Task:
    """What one process does.

    Attributes:
        do: "limits", "graph", or the name of a way.
        network: "live" or "base".
        weights: file with its weights, or None.
        batches: numbers of faces.
        device: "cuda" or "cpu".
        small: take a small network and few runs.
        folder: where the network's graph and engines are kept.
    """

    do: str
    network: str
    weights: str | None
    batches: Sequence[int]
    device: str
    small: bool
    folder: str

    @property
    def graph(self) -> Path:
        """The network as ONNX."""
        return Path(self.folder) / f"{self.network}.onnx"


def main() -> None:
    """Do one task."""
    task = Task(**json.loads(Path(sys.argv[1]).read_text()))
    if task.device == "cpu":
        torch.set_num_threads(1)  # nothing is to be learnt from it, so others may have the rest
    if task.do == "limits":
        about = torch.cuda.get_device_name() if task.device == "cuda" else "processor"
        found = {"name": about, "torch": torch.__version__, **asdict(limits.measured(task.device))}
        print(json.dumps(found))
        return
    weights = Path(task.weights) if task.weights else None
    subject = Subject(task.network, weights, small=task.small)
    if task.do == "graph":
        print(json.dumps(_graph(task, subject)))
    else:
        print(json.dumps([_measured(task, subject, batch) for batch in task.batches]))


def _graph(task: Task, subject: Subject) -> dict[str, Any]:
    """Count what runs have to do, and write the network as ONNX."""
    work = {str(batch): asdict(subject.work(batch)) for batch in task.batches}
    found = {"weights": subject.weights, "parameters": subject.parameters, "work": work}
    try:
        import onnx

        from export.graphs import Branch

        branch = Branch(subject.module, subject.inputs(3), OUTPUTS)
        onnx.save(branch.graph(), task.graph)
    except ImportError as error:
        found["no_graph"] = str(error)
    return found


def _measured(task: Task, subject: Subject, batch: int) -> dict[str, Any]:
    """Return the times of one way, in ms, and how far its answer is from that of float32."""
    subject.module.float()
    wanted = _exact(subject, task.device, batch)
    precision, prepare = ways(task.graph)[task.do]
    ready = prepare(subject, task.device, batch)
    answer = ready.answer()
    runs = FEW_RUNS if task.small else limits.RUNS
    return {
        "batch": batch,
        "precision": precision,
        "levels": float(np.abs(wanted["face"].astype(int) - answer["face"]).max()),
        **_times(ready, task.device, runs),
    }


def _times(ready: Ready, device: str, runs: int) -> dict[str, float]:
    """Return medians and 99th percentiles."""
    found = {}
    kinds = {"whole_ms": limits.walls_ms(ready.whole, runs)}
    if ready.run:
        kinds["ms"] = limits.times_ms(ready.run, device, runs)
    for name, times in kinds.items():
        found[name] = median(times)
        found[f"{name}_p99"] = float(np.percentile(times, 99))
    return found


def _exact(subject: Subject, device: str, batch: int) -> Arrays:
    """Return what PyTorch answers in float32."""
    tensors = [torch.from_numpy(array).to(device) for array in subject.inputs(batch).values()]
    with torch.inference_mode():
        answers = subject.module.to(device)(*tensors)
    return {name: one.cpu().numpy() for name, one in zip(OUTPUTS, answers, strict=True)}


if __name__ == "__main__":
    main()
