"""Environments are made once, made again when they were not finished, and hold nothing of ours."""

from pathlib import Path

import pytest

from benchmarks.peers.environment import answer, python_with
from streamanon.errors import StreamanonError


def test_an_environment_is_made_whole_and_once(tmp_path: Path) -> None:
    folder = tmp_path / "peer"
    with pytest.raises(StreamanonError, match=r"pip install .* failed: .*no-such-file") as caught:
        python_with(folder, (str(tmp_path / "no-such-file-1.0-py3-none-any.whl"),))
    assert "\n" not in str(caught.value)
    unfinished = folder / "unfinished"
    unfinished.touch()
    python = python_with(folder, ())
    assert not unfinished.exists()
    assert answer(python, "import sys; print(sys.prefix)") == str(folder)
    with pytest.raises(StreamanonError, match="No module named 'numpy'"):
        answer(python, "import numpy")
    kept = folder / "kept"
    kept.touch()
    assert python_with(folder, ()) == python
    assert kept.exists()
    moved = folder.rename(tmp_path / "moved")
    assert answer(python_with(moved, ()), "import sys; print(sys.prefix)") == str(moved)
    assert not (moved / "kept").exists()


def test_nothing_of_the_current_directory_is_executed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("venv", "json"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('planted')\n")
    monkeypatch.chdir(tmp_path)
    python = python_with(Path("peer"), ())
    assert python.is_relative_to(tmp_path)
    assert answer(python, "import json; print(json.dumps(1))") == "1"
