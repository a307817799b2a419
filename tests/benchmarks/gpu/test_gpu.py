"""The suite for cards runs without a card, and without what a bare machine for training lacks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="PyTorch is not installed")

import torch

from benchmarks.gpu.command import SHIPPED, Request, _shares, _told
from benchmarks.gpu.subject import Subject
from benchmarks.gpu.ways import ways

ROOT = Path(__file__).parents[3]


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """The environment of a machine without PyAV and OpenVINO."""
    for name in ("av", "openvino"):
        (tmp_path / f"{name}.py").write_text(f"raise ImportError('no {name} here')")
    return {**os.environ, "PYTHONPATH": str(tmp_path)}


def run(*words: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", "gpu", *words]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_what_is_there_is_measured_and_what_is_missing_is_said(
    bare: dict[str, str], tmp_path: Path
) -> None:
    words = ["--device", "cpu", "--quick", "--network", "live", "--batch", "1", "--out"]
    ended = run(*words, str(tmp_path / "out"), env=bare)
    assert ended.returncode == 0, ended.stderr
    results = json.loads((tmp_path / "out" / "gpu.json").read_text())["results"]
    assert results["limits"]["bytes_per_s"] > 1e6
    network = results["networks"]["live"]
    assert network["weights"] == (SHIPPED.name if SHIPPED.is_file() else "random")
    rows = {row["way"]: row for row in results["rows"]}
    assert list(rows) == ["eager", "onnxruntime", "tensorrt"]
    assert rows["eager"]["bandwidth"] > 0
    assert rows["eager"]["faces_per_s"] == pytest.approx(1000 / rows["eager"]["ms"])
    assert rows["eager"]["levels"] <= 8
    assert rows["onnxruntime"]["levels"] <= 1
    assert "ms" not in rows["onnxruntime"]
    assert "missing" in rows["tensorrt"]


def test_without_a_card_it_says_so_in_one_line(bare: dict[str, str], tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a card")
    ended = run("--out", str(tmp_path / "out"), env=bare)
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: nothing can be measured on cuda: ")
    assert len(ended.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_operations_and_traffic_are_counted() -> None:
    one, four = (Subject("live", None).work(batch) for batch in (1, 4))
    assert one.operations == pytest.approx(2 * 1.53e9, rel=0.05)
    assert four.operations == 4 * one.operations
    parameters = Subject("live", None).parameters
    assert parameters < one.elements < four.elements < 4 * one.elements


def test_shares_are_of_the_limits() -> None:
    row: dict[str, Any] = {"batch": 4, "precision": "fp16", "ms": 2.0, "whole_ms": 3.0}
    limits = {"operations_per_s": {"fp16": 1e12}, "bytes_per_s": 1e12}
    about = {"work": {"4": {"operations": 1e9, "elements": 1e8}}}
    found = _shares(row, limits, about)
    assert found["faces_per_s"] == 2000
    assert found["arithmetic"] == pytest.approx(0.5)
    assert found["bandwidth"] == pytest.approx(0.1)
    missing = {"network": "live", "way": "tensorrt", "missing": "not installed"}
    assert _shares(missing, limits, about) == missing
    assert _told(missing).endswith("missing: not installed")


def test_a_quick_run_replaces_no_published_result() -> None:
    some: dict[str, Any] = {"networks": (), "ways": (), "batches": (), "live": None, "base": None}
    for device, quick, published in (("cuda", False, True), ("cuda", True, False), ("cpu", 0, 0)):
        request = Request(**some, device=device, limit_s=1, quick=bool(quick), out=None)
        assert (request.folder == ROOT / "benchmarks" / "results") == bool(published)


def test_every_way_has_a_name_and_a_precision() -> None:
    assert {precision for precision, _ in ways(Path()).values()} == {"fp32", "fp16"}
