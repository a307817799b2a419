"""Attacks on embeddings whose answer is known."""

import numpy as np
import pytest

pytest.importorskip("scipy", reason="the group bench is not installed")
pytest.importorskip("torch", reason="the group bench is not installed")


from collections.abc import Callable

from benchmarks.judges.expression import Observation
from benchmarks.lfw import Pair
from benchmarks.stills.attacker import Probe, informed_attack
from benchmarks.stills.originals import Fold
from benchmarks.stills.panel import Judgement
from benchmarks.stills.reidentification import attack, calibrate, control, embeddings_of, figures_of
from streamanon.types import F32

DIMENSIONS, PEOPLE = 32, 60


def _unit(vectors: F32) -> F32:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True), np.float32)


def _fold(seed: int) -> Fold:
    """Return people with three pictures each, whose embeddings lie close together."""
    random = np.random.default_rng(seed)
    middles = _unit(random.normal(size=(PEOPLE, 1, DIMENSIONS)).astype(np.float32))
    noise = random.normal(size=(PEOPLE, 3, DIMENSIONS)).astype(np.float32)
    embeddings = _unit(middles + 0.3 / DIMENSIONS**0.5 * noise)
    names = {(p, k): f"{seed}/{p}_{k}" for p in range(PEOPLE) for k in range(3)}
    same = [Pair(names[p, 0], names[p, 1], same=True) for p in range(PEOPLE)]
    other = [Pair(names[p, 0], names[(p + 1) % PEOPLE, 2], same=False) for p in range(PEOPLE)]
    nobody = Observation(np.zeros((478, 3), np.float32), 1, np.zeros(52, np.float32), 0, 0, 0)
    return Fold(
        pairs=same + other,
        person={name: f"{seed}/{p}" for (p, _), name in names.items()},
        references=dict.fromkeys(names.values(), nobody),
        judgements={
            name: Judgement({}, {"r": embeddings[where]}, {}, nobody)
            for where, name in names.items()
        },
        dropped=[],
    )


FOLDS = [_fold(1), _fold(2)]


def _stills(change: Callable[[F32], F32]) -> list[dict[str, F32]]:
    return [
        {name: _unit(change(fold.judgements[name].embeddings["r"])) for name in fold.probes}
        for fold in FOLDS
    ]


def _means(stills: list[dict[str, F32]]) -> dict[str, float]:
    threshold = calibrate(FOLDS, "r")
    attacks = [
        attack(fold, after, embeddings_of(fold, "r"), threshold)
        for fold, after in zip(FOLDS, stills, strict=True)
    ]
    found = figures_of(attacks)
    return {name: value["mean"] for name, value in found.items() if name != "chance"}


def test_doing_nothing_is_a_total_leak() -> None:
    found = _means(_stills(lambda embedding: embedding))
    assert found["same_picture"] == found["same_rank_1"] == 1
    assert found["other_picture"] == found["other_rank_1"] == 1
    assert found["paper_form"] == pytest.approx(0.5, abs=0.01)
    assert found["cosine"] == pytest.approx(1, abs=1e-6)
    known = control(FOLDS, "r", calibrate(FOLDS, "r"))
    assert known["accuracy"] == 1
    assert {name: known[name]["mean"] for name in found} == pytest.approx(found, abs=1e-6)


def test_faces_of_no_real_person_are_recognised_no_more_than_by_chance() -> None:
    random = np.random.default_rng(3)
    stills = _stills(lambda _: random.normal(size=DIMENSIONS).astype(np.float32))
    found = _means(stills)
    assert max(found["other_picture"], found["same_picture"], found["paper_form"]) < 0.02
    assert max(found["other_rank_1"], found["same_rank_1"]) < 0.06


def test_chance_counts_the_gallery() -> None:
    fold = FOLDS[0]
    embeddings = embeddings_of(fold, "r")
    chance = attack(fold, embeddings, embeddings, calibrate(FOLDS, "r")).chance
    assert chance == {
        "other_rank_1": pytest.approx(1 / PEOPLE),
        "same_rank_1": pytest.approx(2 / (2 * PEOPLE)),
    }


def test_the_threshold_takes_one_stranger_in_a_thousand() -> None:
    threshold = calibrate(FOLDS, "r")
    assert threshold.impostors == (6 * PEOPLE) * (6 * PEOPLE - 1) // 2 - 2 * PEOPLE * 3
    assert 0.0008 < threshold.far <= 0.001


def test_a_method_that_only_turns_embeddings_is_seen_through() -> None:
    turn = np.linalg.qr(np.random.default_rng(4).normal(size=(DIMENSIONS, DIMENSIONS)))[0]
    stills = _stills(lambda embedding: np.asarray(turn @ embedding, np.float32))
    assert _means(stills)["same_rank_1"] < 0.1
    found = informed_attack(FOLDS, stills, "r")
    assert found is not None
    assert found["before"]["same_rank_1"]["mean"] < 0.1
    assert found["after"]["same_rank_1"]["mean"] > 0.95
    assert found["before"]["other_picture"]["mean"] < 0.1
    assert found["after"]["other_picture"]["mean"] > 0.9


def test_an_informed_attacker_learns_nothing_from_noise_and_loses_nothing_without_a_method() -> (
    None
):
    random = np.random.default_rng(5)
    noise = _stills(lambda _: random.normal(size=DIMENSIONS).astype(np.float32))
    for stills, least, most in ((noise, 0.0, 0.1), (_stills(lambda one: one), 0.99, 1.0)):
        found = informed_attack(FOLDS, stills, "r")
        assert found is not None
        assert least <= found["after"]["same_rank_1"]["mean"] <= most
        assert least <= found["after"]["other_picture"]["mean"] <= most


def test_a_probe_of_what_is_always_the_same_answers_the_mean() -> None:
    originals = _unit(np.random.default_rng(6).normal(size=(50, 8)).astype(np.float32))
    stills = np.ones((50, 8), np.float32) / np.float32(8**0.5)
    probe = Probe(stills, originals)
    assert np.allclose(probe(stills[0]), _unit(originals.mean(axis=0)), atol=1e-5)


def test_one_fold_is_not_enough_to_learn_from() -> None:
    assert informed_attack(FOLDS[:1], _stills(lambda one: one)[:1], "r") is None
