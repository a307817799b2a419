"""Networks on disk."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from streamanon.anonygan import checkpoint
from streamanon.anonygan.network import AnonyGan
from streamanon.errors import UsageError

from .conftest import LIVE


@pytest.fixture
def file(live: AnonyGan, tmp_path: Path) -> Path:
    path = tmp_path / "network.pt"
    torch.save(checkpoint.pack(live), path)
    return path


def change(path: Path, **entries: Any) -> None:
    torch.save(torch.load(path, weights_only=True) | entries, path)


def test_a_network_comes_back_as_it_was(
    live: AnonyGan, file: Path, faces: dict[str, Tensor]
) -> None:
    again = checkpoint.load(file, wanted=LIVE).eval()
    with torch.no_grad():
        for name, value in live(faces).items():
            assert torch.equal(again(faces)[name], value)


def test_another_configuration_is_refused_by_what_differs(file: Path) -> None:
    with pytest.raises(UsageError, match="blocks is 2 where 3 is wanted"):
        checkpoint.load(file, wanted=replace(LIVE, blocks=3))


def test_a_network_this_version_builds_otherwise_is_refused(file: Path) -> None:
    change(file, architecture="0123456789abcdef")
    with pytest.raises(UsageError, match="has architecture 0123456789abcdef"):
        checkpoint.load(file)


def test_a_setting_of_another_version_is_refused(file: Path) -> None:
    change(file, config={"wiring": "live", "width": 32, "blocks": 2, "colour": "mauve"})
    with pytest.raises(UsageError, match="another version of streamanon"):
        checkpoint.load(file)


@pytest.mark.parametrize("content", [b"", b"no network", b"PK\x03\x04 no network"])
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "network.pt"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="holds no AnonyGAN network"):
        checkpoint.load(path)


def test_half_a_file_is_refused(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    with pytest.raises(UsageError, match="holds no AnonyGAN network"):
        checkpoint.load(file)


def test_other_tensors_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.pt"
    torch.save({"weight": torch.zeros(3)}, path)
    with pytest.raises(UsageError, match="holds no AnonyGAN network"):
        checkpoint.load(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read the network"):
        checkpoint.load(tmp_path / "missing.pt")
