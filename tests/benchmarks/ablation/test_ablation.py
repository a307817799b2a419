"""Each variant leaves its part out while it is measured, and not afterwards."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

pytest.importorskip("torch", reason="the group bench is not installed")

from benchmarks.ablation.command import command
from benchmarks.ablation.variants import variants
from benchmarks.judges.expression import observe
from benchmarks.methods import product
from benchmarks.report import ablation
from benchmarks.report.records import Record
from streamanon import Config
from streamanon.errors import UsageError
from streamanon.types import F32, U8
from testkit.photos import read_photo


@pytest.fixture(scope="module")
def photo() -> U8:
    return read_photo("london_001_neutral", 256)


@pytest.fixture(scope="module")
def results(photo: U8) -> dict[str, U8]:
    """The photograph after each variant, and after the default once more."""
    found = {}
    for name, variant in variants().items():
        with variant.replaced():
            found[name] = product(Config(**variant.settings))("001", photo).image
    return found | {"again": product(Config())("001", photo).image}


def points(image: U8) -> F32:
    seen = observe(image)
    assert seen is not None
    return seen.points[:468, :2]


def test_what_was_left_out_is_back_afterwards(results: dict[str, U8]) -> None:
    assert np.array_equal(results["again"], results["anonygan"])


def test_every_variant_gives_another_face(results: dict[str, U8]) -> None:
    for name in set(results) - {"anonygan", "again", "nearest portrait"}:
        assert not np.array_equal(results[name], results["anonygan"]), name


def test_without_a_new_shape_the_face_keeps_its_own(photo: U8, results: dict[str, U8]) -> None:
    own = points(photo)
    moved = {name: float(np.abs(points(results[name]) - own).mean()) for name in results}
    assert moved["own shape"] < 0.7 * moved["anonygan"]


def test_a_held_outline_leaves_more_of_the_frame(photo: U8, results: dict[str, U8]) -> None:
    changed = {name: (image != photo).any(axis=2).mean() for name, image in results.items()}
    assert changed["own outline"] < changed["anonygan"]


def test_the_command_writes_what_the_report_reads(london: Path, tmp_path: Path) -> None:
    words = ["no network (warp)", "--quick", "--data", str(london), "--out", str(tmp_path)]
    words += ["--faceres", str(tmp_path / "none.onnx")]
    done = CliRunner().invoke(command, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    document = json.loads((tmp_path / "ablation.json").read_text())
    about, *tables = ablation.tables(Record("ablation", document))
    assert about.title == "What is left out"
    assert [table.title for table in tables] == list(ablation._KINDS.values())
    assert "CPUExecutionProvider" in ablation.provider(Record("ablation", document))


def test_an_unknown_variant_is_an_error() -> None:
    with pytest.raises(UsageError, match=r"no variant 'teeth'.*own outline"):
        CliRunner().invoke(command, ["teeth"], catch_exceptions=False)
