"""Training of the occlusion network on a CPU; goes on exactly where it was stopped."""

import warnings
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from streamanon.errors import UsageError
from streamanon.types import OCCLUSION_CLASSES, U8
from training.occlusion.faces import GLASSES, HAIR, HAND, OUTSIDE, SKIN, THING
from training.occlusion.network import OcclusionNet, Probabilities

BATCH = 32

EMA = 0.995
"""Decay of the average of the weights a step."""

DOUBTED_AFTER = 600
"""Steps after which labels that may be wrong are left out where the network is sure they are."""

DOUBTED_BELOW = 0.2
"""Probability that the network gives a label, below which it is left out then."""

HELD_OUT = 2
"""Shards kept to measure on."""

LR, WARM_UP = 2e-3, 200
"""Highest learning rate, and the steps until it is reached; then it falls along a cosine."""

RIM = 0.3
"""Weight of the term that takes a face's outline for face or background where it has no label."""

SURE_WEIGHT = 200
"""Weight, of 255, above which the label of a pixel is believed in measuring."""


def augmented(batch: U8, rng: np.random.Generator) -> U8:
    """Return a batch with other light, colours, noise and sides; labels follow."""
    batch = batch.copy()
    levels = np.linspace(0, 1, 256)
    cv2.setRNGSeed(int(rng.integers(2**31)))
    for one in batch:
        image = np.ascontiguousarray(one[:, :, :3])
        if rng.random() < 0.15:
            image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
        gains = rng.uniform(0.5, 1.4) * rng.uniform(0.85, 1.15, 3)
        curves = np.minimum(np.outer(levels, gains), 1) ** rng.uniform(0.7, 1.4)
        image = cv2.LUT(image, np.rint(255 * curves).astype(np.uint8)[None])
        if rng.random() < 0.5:
            noise = np.empty(image.shape, np.int16)
            cv2.randn(noise, np.zeros(3), np.full(3, rng.uniform(0, 6)))
            image = cv2.add(image, noise, dtype=cv2.CV_8U)
        one[:, :, :3] = image
    flipped = rng.random(len(batch)) < 0.5
    batch[flipped] = batch[flipped, :, ::-1]
    return batch


def loss(logits: Tensor, batch: Tensor, step: int) -> Tensor:
    """Return the mean cross entropy with soft labels; see DOUBTED_AFTER."""
    shares = batch[..., 5:-1].permute(0, 3, 1, 2).float() / 255
    weight = batch[..., -1].float() / 255
    logs = functional.log_softmax(logits.float(), 1)
    entropy = -(shares * logs).sum(1)
    unsure = (weight > 0.25) & (weight < 0.75)
    if step > DOUBTED_AFTER:
        given = (shares * logs.detach().exp()).sum(1)
        weight = torch.where(unsure & (given < DOUBTED_BELOW), 0, weight)
    hull = batch[..., 3].float() / 255
    weight = weight * (0.3 + 0.7 * hull + 2 * shares[:, GLASSES])  # glasses are thin
    rim = _widened(hull) * _widened(1 - hull) * (batch[..., -1] == 0)
    behind = -torch.logsumexp(logs[:, [SKIN, OUTSIDE]], 1)
    return ((entropy * weight).sum() + RIM * (behind * rim).sum()) / weight.sum()


def _widened(mask: Tensor) -> Tensor:
    down = functional.max_pool2d(mask[:, None], (9, 1), 1, (4, 0))
    return functional.max_pool2d(down, (1, 9), 1, (0, 4))[:, 0]


class Run:
    """A run: network, its average, optimiser and how far it has come."""

    def __init__(self, steps: int) -> None:
        """Start one of so many steps."""
        torch.manual_seed(0)
        self.steps = steps
        self.network = OcclusionNet().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = deepcopy(self.network)
        self.optimiser = torch.optim.AdamW(self.network.parameters(), LR, weight_decay=1e-4)
        self.step = self.epoch = 0

    def state(self) -> dict[str, Any]:
        """Return everything needed to go on."""
        return {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "epoch": self.epoch,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.epoch = state["step"], state["epoch"]

    def train_on(self, batch: U8) -> float:
        """Take one step."""
        done = self.step / self.steps
        rate = min(1, self.step / WARM_UP) * (0.5 + 0.5 * np.cos(np.pi * min(done, 1)))
        self.optimiser.param_groups[0]["lr"] = float(LR * max(rate, 0.01))
        tensor = torch.from_numpy(batch)
        self.network.train()
        with torch.autocast("cpu", torch.bfloat16):
            logits = self.network(tensor[..., :5])
        value = loss(logits, tensor, self.step)
        self.optimiser.zero_grad(set_to_none=True)
        value.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimiser.step()
        keep = min(EMA, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for mean, new in zip(
                self.average.state_dict().values(), self.network.state_dict().values(), strict=True
            ):
                if mean.dtype.is_floating_point:
                    mean.lerp_(new, 1 - keep)
                else:
                    mean.copy_(new)
        self.step += 1
        return float(value.detach())


def batches(shards: list[Path], epoch: int) -> Iterator[U8]:
    """Yield the batches of one pass over some shards, in an order that the pass decides."""
    rng = np.random.default_rng(epoch)
    loaded = [np.load(path, mmap_mode="r") for path in shards]
    where = np.array([(a, b) for a, one in enumerate(loaded) for b in range(len(one))])
    rng.shuffle(where)
    for start in range(0, len(where) - BATCH + 1, BATCH):
        chosen = where[start : start + BATCH]
        yield augmented(np.stack([loaded[a][b] for a, b in chosen]), rng)


def measure(network: OcclusionNet, shards: list[Path]) -> dict[str, float]:
    """Return intersection over union in faces: of each kind, and of all that is in front."""
    names = (*OCCLUSION_CLASSES, "front")
    front = np.isin(np.arange(len(OCCLUSION_CLASSES)), (HAIR, GLASSES, HAND, THING))
    kinds = np.vstack([np.eye(len(OCCLUSION_CLASSES), dtype=bool), front])
    both = np.zeros((len(kinds), 2))  # intersection, union
    network.eval()
    for path in shards:
        held = np.load(path)
        for start in range(0, len(held), BATCH):
            batch = held[start : start + BATCH]
            with torch.no_grad():
                got = network(torch.from_numpy(batch[..., :5])).argmax(1).numpy()
            true = batch[..., 5:-1].argmax(-1)
            valid = (batch[..., -1] > SURE_WEIGHT) & (batch[..., 3] > 127)
            one, two = kinds[:, got] & valid, kinds[:, true] & valid
            both += np.stack([(one & two).sum((1, 2, 3)), (one | two).sum((1, 2, 3))], axis=1)
    return {
        name: round(float(a) / max(float(b), 1.0), 3)
        for name, (a, b) in zip(names, both, strict=True)
    }


@click.command()
@click.argument("run", type=click.Path(file_okay=False, path_type=Path))
@click.option("--data", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--steps", default=3500, show_default=True, help="Of the whole run.")
def command(run: Path, data: Path, steps: int) -> None:
    """Train in the folder RUN on what `occlusion-prepare` made; a run that was stopped goes on."""
    torch.set_flush_denormal(True)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    shards = sorted(data.glob("*.npy"))
    if len(shards) <= HELD_OUT:
        raise UsageError(
            f"{data} has {len(shards)} shards, wanted more than {HELD_OUT}: make some with "
            "`python -m training occlusion-prepare`"
        )
    run.mkdir(parents=True, exist_ok=True)
    file = run / "state.pt"
    held = Run(steps)
    if file.exists():
        held.load(torch.load(file, weights_only=True))
    while held.step < steps:
        losses = [held.train_on(batch) for batch in batches(shards[HELD_OUT:], held.epoch)]
        held.epoch += 1
        unfinished = file.with_suffix(".part")
        torch.save(held.state(), unfinished)
        unfinished.replace(file)
        figures = measure(held.average, shards[:HELD_OUT])
        click.echo(f"step {held.step} of {steps}: loss {np.mean(losses):.4f}, {figures}")


@click.command()
@click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
def export(run: Path, out: Path) -> None:
    """Write the averaged network of RUN to OUT as ONNX."""
    held = Run(1)
    held.load(torch.load(run / "state.pt", weights_only=True))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Probabilities(held.average).eval(),
            (torch.zeros(1, 128, 128, 5, dtype=torch.uint8),),
            str(out),
            input_names=["input"],
            output_names=["classes"],
            dynamo=False,  # the other exporter leaves batch norms apart from their convolutions
        )
