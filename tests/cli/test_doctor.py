"""The doctor: says what is there, and notices what is broken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamanon import weights
from streamanon.cli.doctor import examine
from streamanon.cli.main import execute

if TYPE_CHECKING:
    import pytest


def test_this_machine_can_anonymise(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["doctor"]) == 0
    shown = capsys.readouterr().out
    assert "ok  self test: loaded and found a face" in shown
    assert "ok  encoder libx264" in shown
    assert "ok  runtime of anonygan: " in shown
    assert " ms; " in shown
    for topic in ("versions", "machine", "cpu", "extra dlib", "extra openvino", "models"):
        assert f"  {topic}: " in shown


def test_a_damaged_model_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(weights.SHA256, "yunet.onnx", "0" * 64)
    weights.path.cache_clear()
    try:
        findings = {finding.topic: finding for finding in examine()}
    finally:
        weights.path.cache_clear()
    assert findings["models"].level == "bad"
    assert "yunet.onnx is damaged" in findings["models"].text
    assert findings["self test"].level == "bad"
