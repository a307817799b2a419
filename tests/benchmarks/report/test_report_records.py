"""Results that do not say where they come from are refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.report.records import read
from streamanon.errors import UsageError

Change = Callable[[str, Callable[[dict[str, Any]], object]], None]


def test_results_are_read_and_missing_ones_are_none(results: Path) -> None:
    (results / "peers.json").unlink()
    records = read(results)
    assert records["stills"] is not None
    assert records["peers"] is None


def test_without_any_results_the_report_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no results in .*: run `python -m benchmarks"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("suite", "path"),
    [
        ("speed", "commit"),
        ("speed", "machine.cpu"),
        ("speed", "versions.python"),
        ("speed", "settings.warm_up"),
        ("speed", "results.rows.2.runtimes"),
        ("stills", "settings.provider"),
        ("stills", "results.rows.warp.commit"),
        ("stills", "results.rows.warp.seed"),
        ("video", "settings.frames"),
        ("video", "results.rows.warp.demo.commit"),
        ("peers", "settings.clips"),
        ("peers", "results.peers"),
    ],
)
def test_results_without_provenance_are_refused(
    suite: str, path: str, results: Path, change: Change
) -> None:
    *parents, last = path.split(".")

    def forget(document: Any) -> None:
        for key in parents:
            document = document[int(key) if key.isdecimal() else key]
        del document[last]

    change(suite, forget)
    with pytest.raises(UsageError, match=rf"{suite}\.json does not say .*{last}") as refused:
        read(results)
    assert f"python -m benchmarks {suite}" in str(refused.value)


def test_results_of_an_older_format_are_refused(results: Path) -> None:
    (results / "speed.json").write_text(json.dumps({"commit": "2b0c2e3", "results": {"warp": []}}))
    with pytest.raises(UsageError, match=r"speed.json does not say suite, .*machine.cpu"):
        read(results)


def test_a_command_that_names_folders_of_a_disk_is_refused(results: Path, change: Change) -> None:
    change("speed", lambda document: document["command"].append("/home/me/clip.mp4"))
    with pytest.raises(UsageError, match="without the folders of one disk"):
        read(results)
