"""The doctor: says what is there, and notices what is broken."""

import pytest

from streamanon import weights
from streamanon.cli import doctor
from streamanon.cli.doctor import examine
from streamanon.cli.main import execute


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


def test_a_machine_without_a_gpu_lacks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "has_gpu", lambda: False)
    (found,) = doctor._gpu()
    assert (found.level, found.topic) == ("optional", "NVIDIA GPU")
    assert found.text.endswith("not needed: the networks run on the CPU")


def test_an_extra_that_is_missing_is_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "find_spec", lambda module: None)
    found = {one.topic: one for one in doctor._extras()}
    assert {one.level for one in found.values()} == {"optional"}
    assert found["extra dlib"].text.startswith("for --detector dlib: pip install 'dlib-bin")


@pytest.mark.parametrize(("needed", "level"), [("none", "bad"), ("libx264", "optional")])
def test_an_encoder_that_is_missing(
    monkeypatch: pytest.MonkeyPatch, needed: str, level: str
) -> None:
    monkeypatch.setattr(doctor, "NEEDED", needed)
    found = doctor._encoder("none", "nothing")
    assert found.level == level
    assert "not usable for nothing" in found.text
