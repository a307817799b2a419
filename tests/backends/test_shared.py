"""One network for several threads: the same answers as alone, in batches; faults stay private."""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from streamanon import weights
from streamanon.backends.onnx_runtime import OnnxRuntimeBackend
from streamanon.backends.shared import MAX_ROWS, SharedBackend
from streamanon.errors import ModelError
from testkit.waiting import wait_until

Arrays = dict[str, NDArray[Any]]


@pytest.fixture(scope="module")
def anonygan() -> OnnxRuntimeBackend:
    return OnnxRuntimeBackend(weights.path("anonygan.onnx"))


@pytest.fixture(scope="module")
def faces(live_faces: Arrays) -> list[Arrays]:
    """What the network is shown of two real faces as two people each, one row each."""
    return [{name: rows[n : n + 1] for name, rows in live_faces.items()} for n in range(4)]


@dataclass
class Gated:
    """A network that holds its first run back until it is let go; notes who was in each run."""

    inside: Any
    gate: threading.Event = field(default_factory=threading.Event)
    began: threading.Event = field(default_factory=threading.Event)
    rows: list[int] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> Arrays:
        with self.lock:
            self.rows.append(len(next(iter(inputs.values()))))
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            first = len(self.rows) == 1
        self.began.set()
        if first:
            assert self.gate.wait(20)
        try:
            return dict(self.inside.run(inputs))
        finally:
            with self.lock:
                self.at_once -= 1


def _at_once(shared: SharedBackend, network: Gated, asked: list[Arrays]) -> list[object]:
    """Ask everything at once from threads, while a first question is still being answered."""
    with ThreadPoolExecutor(len(asked)) as pool:
        asking = [pool.submit(shared.run, asked[0])]
        assert network.began.wait(20)
        asking += [pool.submit(shared.run, one) for one in asked[1:]]
        wait_until(lambda: len(shared._waiting) == len(asked) - 1)
        network.gate.set()
        return [one.exception() or one.result() for one in asking]


def _same(answer: object, alone: Arrays) -> bool:
    assert isinstance(answer, dict)
    assert set(answer) == set(alone)
    return all(
        array.dtype == alone[name].dtype
        and array.shape == alone[name].shape
        and np.allclose(
            array.astype(np.float32),
            alone[name].astype(np.float32),
            rtol=0,
            atol=1.01 if array.dtype == np.uint8 else 1e-3,
        )
        for name, array in answer.items()
    )


def test_those_who_wait_are_answered_in_one_run_and_as_if_alone(
    anonygan: OnnxRuntimeBackend, faces: list[Arrays]
) -> None:
    network = Gated(anonygan)
    asked = [faces[number % 4] for number in range(9)]
    shared = SharedBackend(network, batches=True)
    answers = _at_once(shared, network, asked)
    alone = [dict(anonygan.run(one)) for one in faces]
    assert network.rows == [1, 8]
    assert shared.sizes == {1: 1, 8: 1}
    assert shared.busy_s > 0
    assert all(_same(answer, alone[number % 4]) for number, answer in enumerate(answers))
    assert not _same(answers[1], alone[2])


def test_a_network_without_batches_answers_one_after_the_other(
    anonygan: OnnxRuntimeBackend, faces: list[Arrays]
) -> None:
    network = Gated(anonygan)
    answers = _at_once(SharedBackend(network, batches=False), network, faces)
    assert network.rows == [1] * 4
    assert network.most_at_once == 1
    assert all(
        _same(answer, dict(anonygan.run(one))) for answer, one in zip(answers, faces, strict=True)
    )


def test_bad_input_harms_no_other_caller(anonygan: OnnxRuntimeBackend, faces: list[Arrays]) -> None:
    network = Gated(anonygan)
    bad = faces[1] | {"points": np.zeros((1, 70, 2), np.int64)}
    odd = {name: array for name, array in faces[1].items() if name != "maps"}
    asked = [faces[0], faces[1], bad, faces[2], odd, faces[3]]
    answers = _at_once(SharedBackend(network, batches=True), network, asked)
    assert [isinstance(answer, ModelError) for answer in answers] == [
        number in (2, 4) for number in range(6)
    ]
    assert _same(answers[5], dict(anonygan.run(faces[3])))


def test_a_batch_that_fails_is_taken_apart() -> None:
    class Poisoned:
        def run(self, inputs: Mapping[str, NDArray[Any]]) -> Arrays:
            if (inputs["x"] < 0).any():
                raise ModelError("below zero")
            return {"y": inputs["x"] * 2}

    network = Gated(Poisoned())
    asked = [{"x": np.full((1, 3), value, np.float32)} for value in (1, 2, -1, 3)]
    first, second, poisoned, last = _at_once(SharedBackend(network, batches=True), network, asked)
    assert network.rows == [1, 3, 1, 1, 1]
    assert str(poisoned) == "below zero"
    assert [float(one["y"][0, 0]) for one in (first, second, last) if isinstance(one, dict)] == [
        2.0, 4.0, 6.0
    ]  # fmt: skip


@pytest.mark.parametrize(
    "answer",
    [lambda x: {"y": x[:1]}, lambda x: {"y": np.float32(x.sum())}],
    ids=["one row", "no rows"],
)
def test_an_answer_without_a_row_for_each_is_not_shared_out(
    answer: Callable[[NDArray[Any]], Arrays],
) -> None:
    class Stubborn:
        def run(self, inputs: Mapping[str, NDArray[Any]]) -> Arrays:
            return answer(inputs["x"])

    network = Gated(Stubborn())
    asked = [{"x": np.full((1, 3), value, np.float32)} for value in (1, 2, 3)]
    answers = _at_once(SharedBackend(network, batches=True), network, asked)
    assert network.rows == [1, 2, 1, 1]
    assert [float(np.max(one["y"])) / (1 if np.ndim(one["y"]) else 3) for one in answers
            if isinstance(one, dict)] == [1.0, 2.0, 3.0]  # fmt: skip


def test_batches_have_an_end_and_rows_stay_together() -> None:
    class Twice:
        def run(self, inputs: Mapping[str, NDArray[Any]]) -> Arrays:
            return {"y": inputs["x"] * 2}

    network = Gated(Twice())
    asked = [{"x": np.full((5, 2), value, np.float32)} for value in range(8)]
    answers = _at_once(SharedBackend(network, batches=True), network, asked)
    assert max(network.rows) <= MAX_ROWS
    assert sum(network.rows) == 40
    for value, one in enumerate(answers):
        assert isinstance(one, dict)
        assert (one["y"] == 2 * value).all()
        assert one["y"].shape == (5, 2)


def test_as_many_runs_at_once_as_there_are_lanes(
    anonygan: OnnxRuntimeBackend, faces: list[Arrays]
) -> None:
    network = Gated(anonygan)
    shared = SharedBackend(network, batches=False, lanes=2)
    with ThreadPoolExecutor() as pool:
        held = pool.submit(shared.run, faces[0])
        assert network.began.wait(20)
        assert shared.run(faces[1])  # while the first is held back
        network.gate.set()
        assert held.result()
    assert network.most_at_once == 2
