"""Results of quick runs, to be read and to be broken."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.report.records import Record, read

RESULTS = Path(__file__).parent / "results"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A folder with the results of quick runs, to change at will."""
    folder = tmp_path / "results"
    shutil.copytree(RESULTS, folder)
    return folder


@pytest.fixture
def records() -> dict[str, Record | None]:
    """What is read from the results of quick runs."""
    return read(RESULTS)


@pytest.fixture
def change(results: Path) -> Callable[[str, Callable[[dict[str, Any]], object]], None]:
    """Return what changes the document of a suite in the folder of results."""

    def apply(suite: str, edit: Callable[[dict[str, Any]], object]) -> None:
        path = results / f"{suite}.json"
        document = json.loads(path.read_text())
        edit(document)
        path.write_text(json.dumps(document))

    return apply
