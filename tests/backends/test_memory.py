"""The choice of a runtime is made once for a machine, and again when it no longer holds."""

import json
from pathlib import Path

import pytest

from streamanon.backends import memory
from streamanon.backends.choice import Candidate, fastest, remembered
from streamanon.backends.memory import ChoiceMemory, Remembered, folder, forget
from streamanon.backends.trial import Runtime
from streamanon.errors import ModelError
from tests.backends.test_choice import EXACT, INPUTS, SLOW, load

NAMES = ("slow", "plain")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def _memory(threads: int = 1) -> ChoiceMemory:
    return ChoiceMemory([EXACT], NAMES, threads)


def test_only_the_fastest_is_loaded_the_second_time() -> None:
    loaded: list[str] = []

    def candidate(name: str) -> Candidate:
        def make() -> Runtime:
            loaded.append(name)
            return SLOW.load() if name == "slow" else load()

        return Candidate(name, make)

    some = [candidate(name) for name in NAMES]
    first = fastest(some, INPUTS, EXACT, remembered(some, [EXACT]))
    assert loaded == ["slow", "plain"]
    again = fastest(some, INPUTS, EXACT, remembered(some, [EXACT]))
    assert loaded == ["slow", "plain", "plain"]
    assert (again.name, again.why) == ("plain", f"{first.why}; remembered")
    assert again.backend.run(INPUTS)["blendshapes"].shape == (52,)
    forget()
    fastest(some, INPUTS, EXACT, remembered(some, [EXACT]))
    assert loaded[3:] == ["slow", "plain"]


def test_a_choice_that_cannot_be_loaded_any_more_is_made_again() -> None:
    def broken() -> Runtime:
        raise ModelError("the library is gone")

    some = [Candidate("gone", broken), Candidate("slow", SLOW.load), Candidate("plain", load)]
    kept = remembered(some, [EXACT])
    assert kept
    kept.store("gone", "1.0 ms")
    assert fastest(some, INPUTS, EXACT, kept).name == "plain"
    assert kept.recall() == Remembered(
        "plain", json.loads(next(folder().iterdir()).read_text())["why"]
    )


def test_another_machine_network_or_version_chooses_for_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _memory().store("slow", "2 ms")
    assert _memory().recall() == Remembered("slow", "2 ms")
    assert _memory(threads=2).recall() is None
    other = tmp_path / EXACT.name
    other.write_bytes(EXACT.read_bytes() + b"\0")
    assert ChoiceMemory([other], NAMES, 1).recall() is None
    monkeypatch.setattr(memory, "installed_versions", lambda _: {"onnxruntime": "0.1"})
    assert _memory().recall() is None
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    processor = tmp_path / "cpuinfo"
    processor.write_text("model name : no AVX2\nflags : sse2\n\nmodel name: the second core")
    monkeypatch.setattr(memory, "_CPU_INFO", processor)
    assert _memory().recall() is None


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"name": "faster"}', '{"name": "magic", "why": ""}', '"plain"']
)
def test_a_damaged_entry_is_no_choice(content: str) -> None:
    _memory().store("plain", "1 ms")
    (file,) = folder().iterdir()
    file.write_text(content)
    assert _memory().recall() is None


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "streamanon").write_text("a file where the folder should be")
    _memory().store("plain", "1 ms")
    assert _memory().recall() is None
    forget()
