"""Results say where they come from, and are whole or not there."""

import json
import os
import platform
from pathlib import Path

import pytest

from benchmarks.record import load, save, without_folders
from streamanon import __version__
from streamanon.errors import UsageError


def test_results_come_back_with_where_they_come_from(tmp_path: Path) -> None:
    path = save("speed", {"rows": [1, 2.5]}, settings={"seed": 3}, folder=tmp_path / "new")
    document = load("speed", tmp_path / "new")
    assert document == json.loads(path.read_text())
    assert document["results"] == {"rows": [1, 2.5]}
    assert document["settings"] == {"seed": 3}
    assert document["streamanon"] == __version__
    assert document["machine"]["cores"] == os.cpu_count()
    assert document["versions"]["python"] == platform.python_version()
    assert {"av", "numpy", "onnxruntime"} <= set(document["versions"])
    assert document["commit"]


def test_newer_results_replace_older_ones(tmp_path: Path) -> None:
    for value in (1, 2):
        save("video", value, settings={}, folder=tmp_path)
    assert load("video", tmp_path)["results"] == 2
    assert [path.name for path in tmp_path.iterdir()] == ["video.json"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object()])
def test_what_is_no_figure_is_not_written(value: object, tmp_path: Path) -> None:
    save("video", 1, settings={}, folder=tmp_path)
    with pytest.raises((ValueError, TypeError)):
        save("video", {"value": value}, settings={}, folder=tmp_path)
    assert load("video", tmp_path)["results"] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["video.json"]


def test_missing_results_say_how_to_make_them(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="run `python -m benchmarks stills` first"):
        load("stills-lfw", tmp_path)


@pytest.mark.parametrize(
    ("word", "recorded"),
    [
        ("--quick", "--quick"),
        ("../data/lfw.tar", "../data/lfw.tar"),
        ("/home/me/data/lfw.tar", "lfw.tar"),
        ("/home/me/cache/", "cache"),
        ("--cache=/home/me/cache", "--cache=cache"),
        ("folder:/home/me/theirs", "folder:theirs"),
        ("7,8", "7,8"),
    ],
)
def test_a_command_is_recorded_without_the_folders_of_one_disk(word: str, recorded: str) -> None:
    assert without_folders(word) == recorded
