"""Two processes that train one network."""

import os
import subprocess
import sys

from testkit.paths import ROOT

TOGETHER = """
import torch
from torch import nn
from training import parallel

with parallel.process_group() as device:
    rank = parallel.rank()
    torch.manual_seed(rank)
    module = nn.Linear(3, 2)
    together = parallel.synchronised(module)
    together(torch.full((1, 3), 1.0 + 2 * rank)).sum().backward()
    found = (
        parallel.size(),
        parallel.first() == (rank == 0),
        torch.allclose(module.weight.grad, torch.full((2, 3), 2.0)),
        parallel.any_of(rank == 1, device),
        parallel.any_of(False, device),
    )
    assert found == (2, True, True, True, False), found
    weights = [torch.empty(2, 3) for _ in range(2)]
    torch.distributed.all_gather(weights, module.weight.data)
    assert torch.equal(*weights)
    del together
"""


def test_processes_start_alike_and_share_what_they_learn() -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    ended = subprocess.run(
        [*command, "--no-python", sys.executable, "-c", TOGETHER],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
