"""The suite for GPUs runs without a GPU, and without what a bare machine for training lacks."""

import json
import os
import subprocess
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the extra torch is not installed")

import torch

from benchmarks import record
from benchmarks.gpu import lines
from benchmarks.gpu.command import SHIPPED, Request, _described, _kept, _shares
from benchmarks.gpu.line_worker import together
from benchmarks.gpu.network import MeasuredNetwork
from benchmarks.gpu.variants import variants
from testkit.paths import ROOT
from testkit.python import python


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """The environment of a machine without PyAV and OpenVINO."""
    for name in ("av", "openvino"):
        (tmp_path / f"{name}.py").write_text(f"raise ImportError('no {name} here')")
    return {**os.environ, "PYTHONPATH": str(tmp_path)}


def run(*words: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return python("-m", "benchmarks", "gpu", *words, cwd=ROOT, env=env, timeout=None)


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
    assert results["lines"] == [{"missing": "no av here"}]


@pytest.mark.slow
def test_whole_lines_are_measured_on_each_runtime_and_what_failed_is_said(tmp_path: Path) -> None:
    words = ["--device", "cpu", "--quick", "--part", "lines", "--out", str(tmp_path)]
    words += ["--runtime", "onnxruntime", "--runtime", "cuda"]
    ended = run(*words, env={**os.environ})
    assert ended.returncode == 0, ended.stderr
    live, file, missing = json.loads((tmp_path / "gpu.json").read_text())["results"]["lines"]
    assert (live["lines"], live["rate"], len(live["fps_runs"])) == (2, 30, 2)
    assert (file["lines"], file["rate"], file["dropped"]) == (1, None, 0)
    for row in (live, file):
        assert row["runtime"] == "onnxruntime"
        assert "CPUExecutionProvider" in row["runtimes"]["anonygan.onnx"]
        assert row["alive"], row["reason"]
        assert 0 < row["network"]["busy"] <= 1
        assert row["network"]["runs"] >= 5  # a face that holds still is painted once
    assert file["frames"] == 90
    assert missing["missing"].startswith("runtime cuda is not available: ")
    assert "missing" in ended.stderr.splitlines()[-1]


def test_what_is_not_asked_for_is_kept_on_the_same_gpu(tmp_path: Path) -> None:
    some: dict[str, Any] = {"batches": (1,), "live": None, "base": None, "limit_s": 1}
    before = {
        "limits": {"name": "a GPU"},
        "networks": {"live": {"parameters": 1}, "base": {"parameters": 2}},
        "rows": [{"network": "live", "way": "eager"}, {"network": "base", "way": "eager"}],
        "lines": [{"runtime": "torch"}, {"runtime": "tensorrt"}, {"missing": "no av"}],
    }
    record.save("gpu", before, settings={}, folder=tmp_path)
    asked = Request(
        **some, parts=("networks", "lines"), runtimes=("torch",), networks=("live",),
        variants=("eager",), device="cuda", quick=False, out=tmp_path,
    )  # fmt: skip
    kept = _kept(asked, {"name": "a GPU"})
    assert kept["rows"] == before["rows"][1:]  # type: ignore[index]
    assert kept["networks"] == {"base": {"parameters": 2}}
    assert kept["lines"] == [{"runtime": "tensorrt"}]
    assert _kept(asked, {"name": "another"})["rows"] == []
    assert _kept(replace(asked, parts=("lines",)), {"name": "a GPU"})["rows"] == before["rows"]
    assert _kept(replace(asked, parts=("networks",)), {"name": "a GPU"})["lines"] == before["lines"]


def test_how_many_a_run_answered_is_counted() -> None:
    found = together(Counter({1: 2, 4: 2}), 0.02, 0.1)
    assert found["runs"] == 4
    assert found["calls_a_run"] == 2.5
    assert found["ms_a_run"] == 5
    assert found["busy"] == 0.2
    assert found["sizes"] == {"1": 2, "4": 2}
    assert together(Counter(), 0.0, 1.0)["calls_a_run"] is None
    assert lines.described({"runtime": "cuda", "missing": "no GPU"}).endswith("missing: no GPU")


def test_without_a_gpu_it_says_so_in_one_line(bare: dict[str, str], tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    ended = run("--out", str(tmp_path / "out"), env=bare)
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: nothing can be measured on cuda: ")
    assert len(ended.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_operations_and_traffic_are_counted() -> None:
    one, four = (MeasuredNetwork("live", None).work(batch) for batch in (1, 4))
    assert one.operations == pytest.approx(2 * 0.85e9, rel=0.05)
    assert four.operations == 4 * one.operations
    parameters = MeasuredNetwork("live", None).parameters
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
    assert _described(missing).endswith("missing: not installed")


def test_a_quick_run_replaces_no_published_result() -> None:
    empty = ("parts", "runtimes", "networks", "variants", "batches")
    some: dict[str, Any] = {"live": None, "base": None} | dict.fromkeys(empty, ())
    for device, quick, published in (("cuda", False, True), ("cuda", True, False), ("cpu", 0, 0)):
        request = Request(**some, device=device, limit_s=1, quick=bool(quick), out=None)
        assert (request.folder == ROOT / "benchmarks" / "results") == bool(published)


def test_every_variant_has_a_name_and_a_precision() -> None:
    assert {precision for precision, _ in variants(Path()).values()} == {"fp32", "fp16"}
