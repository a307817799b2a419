"""Model files are whole, carded and licensed."""

import shutil
from pathlib import Path

import pytest

from streamanon import weights
from streamanon.errors import ModelError

FOLDER = Path(weights.__file__).parent


@pytest.mark.parametrize("name", sorted(weights.SHA256))
def test_every_model_is_whole_and_on_the_card(name: str) -> None:
    assert weights.path(name) == FOLDER / name
    assert f"`{name}`" in (FOLDER / "README.md").read_text(encoding="utf-8")


def test_every_file_that_ships_is_on_the_list() -> None:
    shipped = {file.name for file in FOLDER.iterdir() if file.suffix in {".npz", ".onnx", ".task"}}
    assert shipped == set(weights.SHA256)


def test_a_missing_or_damaged_model_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "files", lambda _: tmp_path)
    weights.path.cache_clear()
    with pytest.raises(ModelError, match=r"yunet\.onnx is missing: install streamanon again"):
        weights.path("yunet.onnx")
    shutil.copy(FOLDER / "yunet.onnx", tmp_path)
    with (tmp_path / "yunet.onnx").open("r+b") as file:
        file.seek(1000)
        file.write(b"\0\0\0\0")
    with pytest.raises(ModelError, match=r"yunet\.onnx is damaged"):
        weights.path("yunet.onnx")
    weights.path.cache_clear()


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(ModelError, match="no model called"):
        weights.path("resnet.onnx")
