"""Train recovery: ``python -m training recovery RUN lfw.tar synthetic.tar``."""

import itertools
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from streamanon.errors import UsageError
from streamanon.face.network_input import CROP
from streamanon.types import F32
from training.data.dataset import kept_for_validation
from training.loop import stop_at
from training.losses import discriminator_loss, generator_loss, identity_pull, reconstruction
from training.patch_discriminator import PatchDiscriminator
from training.recogniser import NODES, Recogniser
from training.recovery.model import (
    CODE,
    SIDE_PX,
    Appearance,
    Codec,
    Geometry,
    Recovery,
    as_tensor,
    begin_wide,
    from_bytes,
)
from training.recovery.pairs import Pair, Pairs, make_pairs
from training.run_folder import RunFolder

BATCH = 16

STRANGERS = 8
"""Of a batch, those that are recovered with a random code, too: they must look like faces."""

KNOWN = 1
"""Of a batch, those whose identity is compared."""

WEIGHTS = {"reconstruction": 10.0, "identity": 0.1, "adversarial": 0.2}
RATE, DISCRIMINATOR_RATE, AVERAGE = 5e-4, 5e-4, 0.998
ADVERSARIAL_FROM, R1, R1_EVERY = 200, 0.5, 16
WARM_UP, COOL_DOWN = 100, 0.25
"""Steps over which the rate rises, and last share of the steps over which it falls to nothing."""

VALIDATION = 0.03
"""Share of people held out."""

LOG_EVERY, SAVE_EVERY = 50, 250


class Batches:
    """Batches of pairs; a batch depends on its number alone, so that a run can be resumed."""

    def __init__(self, pairs: Pairs, codec: Codec, rows: Any) -> None:
        """Use some rows of pairs."""
        self._pairs, self._rows, self._codec = pairs, np.flatnonzero(rows), codec
        self._seen: dict[tuple[int, bool], dict[str, Any]] = {}

    def __getitem__(self, number: int) -> dict[str, Tensor]:
        """Return a batch of 16, and what random codes make of the first 8 of them.

        Returns:
            ``original``, ``anonymised``, ``likely`` (16, 3, 64, 64) in 0..1, ``code`` (16, 256),
            ``maps`` (16, 3, 64, 64), ``nodes`` (16, 70, 2) of originals in px of 128, and of random
            codes ``stranger_code`` (8, 256), ``stranger_likely`` and ``stranger_maps``.
        """
        random = np.random.default_rng((1, number))
        rows, mirrored = random.choice(self._rows, BATCH), random.random(BATCH) < 0.5
        used = [self._example(int(row), bool(way)) for row, way in zip(rows, mirrored, strict=True)]
        strangers = [
            self._drawn(one["pair"], random.standard_normal(CODE).astype(np.float32), "stranger_")
            for one in used[:STRANGERS]
        ]
        return {
            name: _as_tensor(np.stack([one[name] for one in several]))
            for several in (used, strangers)
            for name in several[0]
            if name != "pair"
        }

    def _example(self, row: int, mirrored: bool) -> dict[str, Any]:  # noqa: FBT001
        """Return a pair with what the network sees of it, made once."""
        if (row, mirrored) not in self._seen:
            pair = self._pairs[row].mirrored() if mirrored else self._pairs[row]
            self._seen[row, mirrored] = {
                "pair": pair,
                "original": pair.original,
                "anonymised": pair.anonymised,
                "nodes": pair.mesh[NODES, :2] * np.float32(CROP / SIDE_PX),
                **self._drawn(pair, from_bytes(self._codec.code(pair)), ""),
            }
        return self._seen[row, mirrored]

    def _drawn(self, pair: Pair, code: F32, prefix: str) -> dict[str, Any]:
        found = self._codec.drawn(pair.anonymised, pair.points, code)
        named = {"likely": found.image, "maps": found.maps.transpose(1, 2, 0), "code": code}
        return {prefix + name: value for name, value in named.items()}


def _as_tensor(values: NDArray[Any]) -> Tensor:
    return as_tensor(values) if values.dtype == np.uint8 else torch.from_numpy(values)


class Trainer:
    """The network, its average, and a discriminator.

    Attributes:
        step: steps done.
        codec: the linear models, with the averaged network.
    """

    def __init__(self, geometry: Geometry, appearance: Appearance, steps: int) -> None:
        """Begin with random weights."""
        torch.manual_seed(0)
        self.step, self._steps = 0, steps
        self._recogniser, self._network = Recogniser(), Recovery()
        for weight in self._network.parameters():
            if weight.ndim == 4:
                weight.data = weight.data.contiguous(memory_format=torch.channels_last)
        self.codec = Codec(geometry, appearance, Recovery().eval())
        self.codec.recovery.load_state_dict(self._network.state_dict())
        self._critic = PatchDiscriminator(6, (32, 64, 128, 128), normalised=False)
        self._critic.apply(begin_wide)
        self._optimiser = torch.optim.Adam(self._network.parameters(), RATE, (0.9, 0.99))
        self._critics = torch.optim.Adam(self._critic.parameters(), DISCRIMINATOR_RATE, (0.5, 0.99))
        self._rate = torch.optim.lr_scheduler.LambdaLR(self._optimiser, self._share)

    def train(self, batch: dict[str, Tensor]) -> dict[str, float]:
        """Take one step and return its terms."""
        original, maps = batch["original"], batch["maps"]
        with torch.autocast("cpu", torch.bfloat16):
            made = self._network(batch["anonymised"], batch["likely"], maps, batch["code"]).float()
        features = maps[:, 1:].amax(1, keepdim=True)
        terms = {
            "reconstruction": reconstruction(made, original, 0.5 + maps[:, :1], features),
            "identity": self._identity(made[:KNOWN], original[:KNOWN], batch["nodes"][:KNOWN]),
        }
        if self.step >= ADVERSARIAL_FROM:
            fakes = self._fakes(batch, made)
            terms["adversarial"] = generator_loss(self._scores(fakes), "hinge")
        loss = torch.stack([WEIGHTS[name] * terms[name] for name in WEIGHTS if name in terms]).sum()
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()
        self._rate.step()
        if "adversarial" in terms:
            real = _stacked(original, maps)[:STRANGERS]
            terms["critic"] = self._train_critic(real, fakes.detach())
        self.step += 1
        self._follow()
        return {name: float(term.detach()) for name, term in terms.items()}

    def state(self) -> dict[str, Any]:
        """Return everything that is needed to go on."""
        return {name: part.state_dict() for name, part in self._parts().items()} | {
            "step": self.step
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        self.step = state["step"]

    def _parts(self) -> dict[str, Any]:
        return {
            "network": self._network,
            "average": self.codec.recovery,
            "critic": self._critic,
            "optimiser": self._optimiser,
            "critics": self._critics,
            "rate": self._rate,
        }

    def _share(self, step: int) -> float:
        left = (self._steps - step) / (COOL_DOWN * self._steps)
        return max(min((step + 1) / WARM_UP, left, 1.0), 0.0)

    def _fakes(self, batch: dict[str, Tensor], made: Tensor) -> Tensor:
        """Return what was recovered, and what random codes give, with their maps."""
        anonymised, maps = batch["anonymised"][:STRANGERS], batch["stranger_maps"]
        likely, code = batch["stranger_likely"], batch["stranger_code"]
        with torch.autocast("cpu", torch.bfloat16):
            other: Tensor = self._network(anonymised, likely, maps, code)
        known = _stacked(made, batch["maps"])[:STRANGERS]
        return torch.cat([known, _stacked(other.float(), maps)])

    def _identity(self, made: Tensor, original: Tensor, nodes: Tensor) -> Tensor:
        larger = [functional.interpolate(one, (CROP, CROP)) for one in (made, original)]
        with torch.autocast("cpu", torch.bfloat16):
            return identity_pull(*(self._recogniser(one, nodes) for one in larger))

    def _scores(self, stacked: Tensor) -> Tensor:
        scores: Tensor = self._critic(stacked)[-1]
        return scores

    def _train_critic(self, real: Tensor, fakes: Tensor) -> Tensor:
        real.requires_grad_()
        scores = self._scores(real)
        loss = discriminator_loss(scores, self._scores(fakes), "hinge")
        if self.step % R1_EVERY == 0:
            (slope,) = torch.autograd.grad(scores.mean((1, 2, 3)).sum(), real, create_graph=True)
            loss = loss + R1 * R1_EVERY / 2 * slope.square().sum((1, 2, 3)).mean()
        self._critics.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._critics.step()
        return loss.detach()

    @torch.no_grad()
    def _follow(self) -> None:
        now = self._network.state_dict()
        for name, mean in self.codec.recovery.state_dict().items():
            mean.lerp_(now[name], 1 - min(AVERAGE, self.step / (self.step + 10)))


def _stacked(image: Tensor, maps: Tensor) -> Tensor:
    return torch.cat([2 * image - 1, maps], 1)


def grid(codec: Codec, pairs: Pairs, rows: Any) -> Any:
    """Return a picture: originals, anonymised, recovered, and what two wrong keys give."""
    columns = []
    random = np.random.default_rng(0)
    for row in rows:
        anonymised, points = pairs.anonymised[row], pairs.points[row]
        code = codec.code(pairs[row])
        wrong = random.integers(0, 256, (2, CODE)).astype(np.uint8)
        made = [codec.recover(anonymised, points, one) for one in (code, *wrong)]
        columns.append(np.vstack([pairs.original[row], anonymised, *made]))
    return np.hstack(columns)


@click.command()
@click.argument("run", type=click.Path(file_okay=False, path_type=Path))
@click.argument("inputs", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--pairs", "count", default=12000, show_default=True, help="Pictures to make pairs of."
)
@click.option("--method", default="anonygan", show_default=True, help="By which to anonymise them.")
@click.option("--processes", default=2, show_default=True, help="That make pairs.")
@click.option("--steps", default=12000, show_default=True, type=click.IntRange(1))
@click.option("--minutes", type=float, default=float("inf"), help="Stop after so long.")
def command(run: Path, inputs: tuple[Path, ...], **how: Any) -> None:
    """Train recovery of originals in the folder RUN, or go on there.

    INPUTS are tar files or folders of faces, of which pairs are made once. RUN/network.pt is what
    `python -m benchmarks sealed` measures.
    """
    folder, made = RunFolder(run), run / "pairs"
    if not made.exists():
        if not inputs:
            raise UsageError(f"{run} holds no pairs yet: name sets of faces to make them of")
        make_pairs(
            inputs, made, count=how["count"], method=how["method"], processes=how["processes"]
        )
    (run / "samples").mkdir(exist_ok=True)
    torch.set_flush_denormal(True)
    pairs = Pairs.load(made)
    held_out = kept_for_validation(pairs, VALIDATION)
    used = np.flatnonzero(~held_out)
    textures = zip(*(pairs[row].textures for row in used.tolist()), strict=True)
    appearance = Appearance.fit(*map(np.stack, textures))
    trainer = Trainer(Geometry.fit(pairs.offsets[used]), appearance, how["steps"])
    if folder.started:
        trainer.resume(folder.state())
    batches, shown = (
        Batches(pairs, trainer.codec, ~held_out),
        np.flatnonzero(held_out)[:16],
    )
    with stop_at(how["minutes"]) as reason:
        sums: dict[str, float] = {}
        for number in itertools.count(trainer.step):
            if number >= how["steps"] or reason():
                break
            terms = trainer.train(batches[number])
            sums = {name: sums.get(name, 0) + value / LOG_EVERY for name, value in terms.items()}
            if trainer.step % LOG_EVERY == 0:
                folder.log({"step": trainer.step, **sums})
                figures = "  ".join(f"{name} {value:.3f}" for name, value in sums.items())
                click.echo(f"step {trainer.step}/{how['steps']}  {figures}")
                sums = {}
            if trainer.step % SAVE_EVERY == 0:
                _save(folder, trainer, pairs, shown)
    _save(folder, trainer, pairs, shown)
    click.echo(f"stopped at step {trainer.step}: {reason() or 'all steps are done'}")


def _save(folder: RunFolder, trainer: Trainer, pairs: Pairs, shown: Any) -> None:
    folder.save(trainer.state())
    folder.save_network(trainer.codec.pack(), trainer.step)
    folder.save_samples(grid(trainer.codec, pairs, shown), trainer.step)
