"""The report file: complete or absent, and without paths."""

import hashlib
import json
from pathlib import Path

import pytest

from streamanon import __version__
from streamanon.config import Config
from streamanon.errors import MediaError
from streamanon.pipeline.document import sha256, write_document


def test_it_says_what_ran_and_no_path(tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    config = Config(method="blur", identities=Path("/home/ann/faces"), report=target)
    write_document(target, config, [{"uncovered": 0}], {"yunet.onnx": "ONNX Runtime"})
    text = target.read_text()
    document = json.loads(text)
    assert document["files"] == [{"uncovered": 0}]
    assert document["versions"]["streamanon"] == __version__
    assert {"python", "numpy", "opencv-python-headless", "av", "onnxruntime"} <= set(
        document["versions"]
    )
    assert document["settings"]["method"] == "blur"
    assert document["runtimes"] == {"yunet.onnx": "ONNX Runtime"}
    assert document["settings"]["identities"] is True
    assert "ann" not in text
    assert str(tmp_path) not in text
    assert list(tmp_path.iterdir()) == [target]


def test_a_report_that_cannot_be_written_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "taken"
    target.mkdir()
    with pytest.raises(MediaError, match="cannot be written"):
        write_document(target, Config(), [], {})
    assert list(tmp_path.iterdir()) == [target]


def test_sha256_is_that_of_the_whole_file(tmp_path: Path) -> None:
    content = b"x" * 3_000_001
    (tmp_path / "file").write_bytes(content)
    assert sha256(tmp_path / "file") == hashlib.sha256(content).hexdigest()
    assert sha256(tmp_path / "none") is None
