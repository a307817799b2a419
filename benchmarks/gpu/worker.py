"""Measures one variant of a network in a process of its own, so that a crash loses only that one.

Run as ``python -m benchmarks.gpu.worker TASK.json``; prints JSON.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from benchmarks.gpu import limits
from benchmarks.gpu.network import MeasuredNetwork
from benchmarks.gpu.variants import Arrays, PreparedRun, variants
from streamanon.anonygan.deployed import OUTPUTS

FEW_RUNS = 2
"""Number of runs of a quick check."""


@dataclass(frozen=True)
class Task:
    """The task of one process.

    Attributes:
        do: "limits", "graph", or the name of a variant.
        network: "live" or "base".
        weights: file with its weights, or None.
        batches: batch sizes in faces.
        device: "cuda" or "cpu".
        small: use a small network and few runs.
        folder: folder for the network's ONNX file and engines.
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
        torch.set_num_threads(1)  # only a check: leave the other cores to others
    if task.do == "limits":
        about = torch.cuda.get_device_name() if task.device == "cuda" else "processor"
        found = {"name": about, "torch": torch.__version__, **asdict(limits.measured(task.device))}
        print(json.dumps(found))
        return
    weights = Path(task.weights) if task.weights else None
    network = MeasuredNetwork(task.network, weights, small=task.small)
    if task.do == "graph":
        print(json.dumps(_graph(task, network)))
    else:
        print(json.dumps([_measured(task, network, batch) for batch in task.batches]))


def _graph(task: Task, network: MeasuredNetwork) -> dict[str, Any]:
    """Count the operations of a run, and write the network as ONNX."""
    work = {str(batch): asdict(network.work(batch)) for batch in task.batches}
    found = {"weights": network.weights, "parameters": network.parameters, "work": work}
    try:
        import onnx

        from export.graphs import Branch

        branch = Branch(network.module, network.inputs(3), OUTPUTS)
        onnx.save(branch.graph(), task.graph)
    except ImportError as error:
        found["no_graph"] = str(error)
    return found


def _measured(task: Task, network: MeasuredNetwork, batch: int) -> dict[str, Any]:
    """Return the times of one variant in ms, and the difference of its output from float32."""
    network.module.float()
    wanted = _exact(network, task.device, batch)
    precision, prepare = variants(task.graph)[task.do]
    prepared = prepare(network, task.device, batch)
    answer = prepared.answer()
    runs = FEW_RUNS if task.small else limits.RUNS
    return {
        "batch": batch,
        "precision": precision,
        "levels": float(np.abs(wanted["face"].astype(int) - answer["face"]).max()),
        **_times(prepared, task.device, runs),
    }


def _times(prepared: PreparedRun, device: str, runs: int) -> dict[str, float]:
    """Return medians and 99th percentiles."""
    found = {}
    kinds = {"whole_ms": limits.walls_ms(prepared.whole, runs)}
    if prepared.run:
        kinds["ms"] = limits.times_ms(prepared.run, device, runs)
    for name, times in kinds.items():
        found[name] = median(times)
        found[f"{name}_p99"] = float(np.percentile(times, 99))
    return found


def _exact(network: MeasuredNetwork, device: str, batch: int) -> Arrays:
    """Return the outputs of PyTorch in float32."""
    tensors = [torch.from_numpy(array).to(device) for array in network.inputs(batch).values()]
    with torch.inference_mode():
        answers = network.module.to(device)(*tensors)
    return {name: one.cpu().numpy() for name, one in zip(OUTPUTS, answers, strict=True)}


if __name__ == "__main__":
    main()
