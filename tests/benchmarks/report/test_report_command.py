"""The command writes page, pictures and the README's block, and tells when they are out of date."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from benchmarks.__main__ import main
from benchmarks.report import page, pictures
from benchmarks.report.records import read
from streamanon.errors import UsageError

Change = Callable[[str, Callable[[dict[str, Any]], object]], None]


def _report(*arguments: str | Path) -> str:
    called = CliRunner().invoke(main, ["report", *map(str, arguments)], catch_exceptions=False)
    assert called.exit_code == 0, called.output
    return called.output


@pytest.fixture
def root(results: Path, tmp_path: Path) -> Path:
    """A project with a report; its strips are stand-ins, so that no method has to run."""
    root = tmp_path / "project"
    folder = root / "docs" / page.FOLDER
    folder.mkdir(parents=True)
    (root / "README.md").write_text(f"# A\n\n{page.BEGIN}\n{page.END}\n\nThe end.\n")
    for name in page.pictured(read(results)):
        for file in pictures.files(name):
            (folder / file).write_bytes(b"drawn before")
    said = _report("--results", results, "--root", root)
    assert "benchmarks.md" in said
    return root


def _check(results: Path, root: Path) -> str:
    return _report("--results", results, "--root", root, "--check")


def test_what_was_written_is_up_to_date_and_whole(results: Path, root: Path) -> None:
    assert "up to date" in _check(results, root)
    text = (root / "docs" / "benchmarks.md").read_text()
    linked = [part.split(")")[0] for part in text.split("](benchmarks/")[1:]]
    assert len(linked) > 10
    assert all((root / "docs" / "benchmarks" / name).is_file() for name in linked)
    front = (root / "README.md").read_text()
    assert front.startswith("# A\n\n")
    assert front.endswith("\n\nThe end.\n")
    assert "| `warp` |" in front


def test_a_figure_edited_by_hand_is_found(results: Path, root: Path) -> None:
    for path in (root / "README.md", root / "docs" / "benchmarks.md"):
        text = path.read_text()
        path.write_text(text.replace("100.0 %", "99.0 %"))
        with pytest.raises(UsageError, match=f"out of date: {path.name}: run `make report`"):
            _check(results, root)
        path.write_text(text)
    assert "up to date" in _check(results, root)


def test_newer_results_make_the_report_out_of_date(
    results: Path, root: Path, change: Change
) -> None:
    change("peers", lambda document: document["results"]["rows"][1].update(fps=99.0))
    with pytest.raises(UsageError, match=r"out of date: benchmarks.md, README.md"):
        _check(results, root)


def test_a_lost_plot_or_strip_is_found(results: Path, root: Path) -> None:
    for name in ("stages.png", "clip-warp.jpg"):
        (root / "docs" / "benchmarks" / name).rename(root / name)
    with pytest.raises(UsageError, match=r"out of date: stages\.png, clip-warp\.jpg"):
        _check(results, root)


def test_results_without_provenance_write_nothing(results: Path, root: Path) -> None:
    (results / "speed.json").write_text(json.dumps({"results": {}}))
    before = (root / "docs" / "benchmarks.md").read_bytes()
    with pytest.raises(UsageError, match=r"speed.json does not say"):
        _report("--results", results, "--root", root)
    assert (root / "docs" / "benchmarks.md").read_bytes() == before


def test_what_is_published_is_what_was_measured() -> None:
    """README, docs/benchmarks.md and benchmarks/results of this project say the same."""
    assert "up to date" in _report("--check")
