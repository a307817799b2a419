"""A better runtime takes over between two runs; when it fails, nobody notices but the log."""

from __future__ import annotations

import logging
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from streamanon import weights
from streamanon.backends.choice import Candidate, fastest
from streamanon.backends.fallback import FallbackBackend, Upgrade
from streamanon.backends.onnx_runtime import OnnxRuntimeBackend
from streamanon.backends.trial import best_times
from streamanon.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

EXACT = weights.path("face_blendshapes.onnx")
INPUTS = {"points": np.random.default_rng(0).random((1, 146, 2), np.float32) * 200}
FOREVER = float("inf")


class Card(OnnxRuntimeBackend):
    """The same network, on a card that can be lost."""

    def __init__(self) -> None:
        super().__init__(EXACT)
        self.runtime, self.lost, self.runs = "a card", False, 0

    def run(self, inputs: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
        self.runs += 1
        if self.lost:
            raise ModelError("the card failed: unspecified launch failure")
        return super().run(inputs)


def plain() -> OnnxRuntimeBackend:
    return OnnxRuntimeBackend(EXACT)


def test_a_better_runtime_takes_over_at_the_next_run(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "streamanon")
    backend, card = FallbackBackend(plain()), Card()
    backend.run(INPUTS)
    backend.offer(card)
    assert backend.runtime.startswith("ONNX Runtime")
    backend.run(INPUTS)
    assert (backend.runtime, card.runs) == ("a card", 1)
    assert caplog.messages == ["faces are painted by a card from now on"]


def test_the_first_takes_over_when_the_card_is_lost(caplog: pytest.LogCaptureFixture) -> None:
    card = Card()
    backend = FallbackBackend(plain(), card)
    wanted = backend.run(INPUTS)
    card.lost = True
    for _ in range(3):
        assert np.array_equal(backend.run(INPUTS)["blendshapes"], wanted["blendshapes"])
    assert card.runs == 2, "what failed once is not asked again"
    (told,) = caplog.messages
    assert told.startswith("a card failed (the card failed: unspecified launch failure): ONNX Run")


def test_input_that_nobody_can_run_is_an_error() -> None:
    with pytest.raises(ModelError, match="could not be run"):
        FallbackBackend(plain(), Card()).run({})


def test_the_fastest_on_a_card_has_somebody_behind_it() -> None:
    class Slow(OnnxRuntimeBackend):
        def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
            time.sleep(0.02)
            return super().run(inputs)

    slow = Candidate("slow", lambda: Slow(EXACT))
    card = Card()
    found = fastest([slow, Candidate("card", lambda: card, on_gpu=True)], INPUTS, EXACT)
    assert found.name == "card"
    assert found.backend.runtime == "a card"
    assert found.best_s < 0.02
    card.lost = True
    assert found.backend.run(INPUTS)["blendshapes"].shape == (52,)
    card.lost = False
    alone = fastest([Candidate("card", lambda: card, on_gpu=True)], INPUTS, EXACT)
    card.lost = True
    with pytest.raises(ModelError, match="the card failed"):
        alone.backend.run(INPUTS)


def test_a_stream_goes_on_while_a_better_runtime_is_built(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    waits = (
        f"import pathlib, time\nwhile not pathlib.Path({str(gate)!r}).exists(): time.sleep(0.01)"
    )
    backend = FallbackBackend(plain())
    upgrade = Upgrade(backend, [sys.executable, "-c", waits], Card, INPUTS, FOREVER)
    upgrade.start()
    try:
        for _ in range(20):
            backend.run(INPUTS)
        assert backend.runtime.startswith("ONNX Runtime")
    finally:
        gate.touch()
    upgrade.join(20)
    backend.run(INPUTS)
    assert backend.runtime == "a card"


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("import sys; print('warming up'); sys.exit('no space left')", "no engine: no space left"),
        ("import os; os.abort()", "no engine: its build ended: -6"),
    ],
)
def test_a_build_that_fails_is_told_and_changes_nothing(
    caplog: pytest.LogCaptureFixture, script: str, told: str
) -> None:
    backend = FallbackBackend(plain())
    upgrade = Upgrade(backend, [sys.executable, "-c", script], Card, INPUTS, FOREVER)
    upgrade.start()
    upgrade.join(20)
    backend.run(INPUTS)
    assert caplog.messages == [told]
    assert backend.runtime.startswith("ONNX Runtime")


def test_a_runtime_that_is_no_better_is_not_taken(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "streamanon")
    backend = FallbackBackend(plain())
    upgrade = Upgrade(backend, [sys.executable, "-c", ""], Card, INPUTS, 1e-9)
    upgrade.start()
    upgrade.join(20)
    backend.run(INPUTS)
    assert backend.runtime.startswith("ONNX Runtime")
    assert any(one.startswith("it is not used: what runs now takes") for one in caplog.messages)


def test_the_first_run_does_not_count() -> None:
    class Cold(Card):
        def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
            if self.runs == 0:
                time.sleep(0.2)
            return super().run(inputs)

    assert best_times([Cold()], INPUTS)[0] < 0.2
