"""The curve of a run and the short runs with one thing left out, as the benchmarks make them."""

import json
from pathlib import Path

import pytest
from click import Command
from click.testing import CliRunner

from benchmarks.training import command as module
from benchmarks.training.variants import VARIANTS
from streamanon.errors import UsageError
from training import loop
from training.__main__ import main

SMALL = (
    *("batch=2", "workers=0", "network.width=8", "network.blocks=1", "save_every=1"),
    *("adversarial_from=99", "weights.pull=0", "weights.push=0", "weights.pose=0"),
)


def call(command: Command, *arguments: str | Path | int) -> str:
    answer = CliRunner().invoke(command, [str(one) for one in arguments], catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    return answer.output


@pytest.mark.slow
def test_a_curve_and_what_is_left_out(
    data: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SHORT", SMALL)
    monkeypatch.setattr(loop, "VALIDATION", 0.0)
    everybody = "training.evaluate.kept_for_validation"
    monkeypatch.setattr(everybody, lambda faces, _: faces.person != "")
    folder = tmp_path / "run"
    settings = [f"--set={one}" for one in (*SMALL, "steps=10")]
    call(main, "train", folder, "--data", data, "--sources", photos, *settings)
    wanted = ("--data", data, "--pairs", 4, "--out", tmp_path, "--cache", tmp_path / "cache")
    call(module.command, *map(str, wanted), "--run", folder, "--steps", 1)
    rows = json.loads((tmp_path / "training.json").read_text())["results"]["rows"]
    assert rows["20 samples"]["samples"] == 20
    assert [name for name, row in rows.items() if row["kind"] == "ablation"] == [*VARIANTS]
    assert rows["no warped condition"]["attention"] < 0.5 < rows["everything"]["attention"] < 1
    assert rows["warp"]["attention"] == 1
    made = sorted((tmp_path / "cache").rglob("network.pt"))
    before = [path.read_bytes() for path in made]
    call(module.command, *map(str, wanted), "--steps", 1)
    assert [path.read_bytes() for path in made] == before


def test_nothing_to_measure_is_said(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="give --run, --steps, or both"):
        call(module.command, "--data", data, "--steps", "0")
    with pytest.raises(UsageError, match="has kept no network"):
        call(module.command, "--data", data, "--steps", "0", "--run", tmp_path)
