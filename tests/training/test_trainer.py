"""Steps that learn, and that can be interrupted."""

import io
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from streamanon.errors import StreamanonError, UsageError
from training.options import PRESETS, Options, changed
from training.trainer import Trainer, condensed

CPU = torch.device("cpu")


def reread(trainer: Trainer) -> dict[str, object]:
    """The state as a file gives it back."""
    file = io.BytesIO()
    torch.save(trainer.state(), file)
    file.seek(0)
    state: dict[str, object] = torch.load(file, weights_only=True)
    return state


def flat(value: object) -> list[Tensor]:
    """All tensors of a state, in order."""
    if isinstance(value, dict):
        return [tensor for key in sorted(value, key=str) for tensor in flat(value[key])]
    if isinstance(value, list):
        return [tensor for each in value for tensor in flat(each)]
    return [value] if isinstance(value, torch.Tensor) else []


def test_two_steps_and_two_more_are_four(small: Options, some: list[dict[str, Tensor]]) -> None:
    whole, halves = Trainer(small, CPU), Trainer(small, CPU)
    for batch in some:
        whole.train(batch)
    for batch in some[:2]:
        halves.train(batch)
    torch.rand(7)
    resumed = Trainer(replace(small, seed=small.seed), CPU)
    resumed.resume(reread(halves))
    for batch in some[2:]:
        answers = resumed.train(batch)
    names = {"reconstruction", "appearance", "landmark", "matching", "pose", "ring", "trust"}
    assert names <= set(answers)
    ours, theirs = flat(whole.state()), flat(resumed.state())
    assert len(ours) == len(theirs) > 300
    assert all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))


def test_a_run_starts_from_what_another_came_to(
    small: Options, some: list[dict[str, Tensor]]
) -> None:
    first, second = Trainer(small, CPU), Trainer(replace(small, seed=small.seed + 1), CPU)
    first.train(some[0])
    second.start_from(condensed(first.state()), "start.pt")
    assert second.step == 0
    for ours, theirs in (
        (first.ema, second.network),
        (first.discriminators, second.discriminators),
    ):
        for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(one, other, atol=1e-3, rtol=1e-3)
    second.train(some[1])
    assert second.samples == 2 * small.batch
    wider = changed(small, ["network.width=24"])
    with pytest.raises(UsageError, match="where 24 is wanted"):
        Trainer(wider, CPU).start_from(condensed(first.state()), "start.pt")


@pytest.mark.slow
def test_one_batch_is_learnt_by_heart(
    small: Options, some: list[dict[str, Tensor]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.trainer.WARM_UP", 10)
    alone = ("adversarial_from=9999", "consistency_from=9999", "lr=4e-3", "network.blocks=1")
    off = ("pull", "push", "pose", "trust", "ring")
    weights = tuple(f"weights.{name}=0" for name in off)
    trainer = Trainer(changed(small, (*alone, *weights)), CPU)
    batch = {name: array[:1] for name, array in some[0].items()}
    batch["same_person"] = torch.ones(1, dtype=torch.bool)
    errors = [float(trainer.train(batch)["reconstruction"]) for _ in range(80)]
    assert min(errors[-5:]) < 0.4 * errors[0]


def test_a_loss_that_is_not_finite_stops_before_it_does_harm(
    small: Options, some: list[dict[str, Tensor]]
) -> None:
    trainer = Trainer(small, CPU)
    trainer.train(some[0])
    before = [tensor.clone() for tensor in flat(trainer.network.state_dict())]
    broken = some[1] | {"edge": torch.full_like(some[1]["edge"], torch.nan)}
    with pytest.raises(StreamanonError, match=r"step 1: the loss is nan"):
        trainer.train(broken)
    after = flat(trainer.network.state_dict())
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))


def test_the_paper_trains(some: list[dict[str, Tensor]]) -> None:
    options = changed(PRESETS["paper"], ("batch=1", "network.width=64", "network.blocks=2"))
    trainer = Trainer(options, CPU)
    truth = int(some[0]["same_person"].long().argmax())
    answers = trainer.train({name: array[truth : truth + 1] for name, array in some[0].items()})
    assert all(torch.isfinite(value) for value in answers.values())
    terms = {"reconstruction", "appearance", "landmark", "matching"}
    assert terms == set(answers) & set(vars(options.weights))


def test_what_is_left_out_is_left_out(small: Options, some: list[dict[str, Tensor]]) -> None:
    options = changed(
        small, ("weights.pull=0", "weights.push=0", "weights.pose=0", "network.graph=false")
    )
    trainer = Trainer(options, CPU)
    assert not trainer.network.config.graph
    answers = trainer.train(some[0])
    assert not {"pull", "push", "pose"} & set(answers)
