"""One training step: generator, its moving average, two discriminators, their optimisers."""

from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.optim import Adam
from torch.optim.swa_utils import AveragedModel

from streamanon.anonygan.checkpoint import pack, unpack
from streamanon.anonygan.network import AnonyGan
from streamanon.errors import StreamanonError
from training import parallel
from training.discriminators import Discriminators
from training.objective import Objective
from training.options import Options
from training.view import View

Module = TypeVar("Module", bound="nn.Module")

WARM_UP = 200
"""Steps over which the learning rates rise."""

FADE = 0.2
"""Last share of a run, over which the learning rates fall to 0."""

EMA_WARM_UP = 10
"""The EMA's decay is at most (1 + step) / (EMA_WARM_UP + step), to forget the first steps."""

DISCRIMINATORS = "judges"
"""Key of the discriminators' weights in files, as in ``training/live.pt``."""


class Trainer:
    """Networks, optimisers and counters of a run.

    Attributes:
        step: number of steps done.
        samples: number of samples that the network was trained on, including earlier runs.
        network: network in training.
        ema: exponential moving average of the network: what is sampled, measured and shipped.
        discriminators: both discriminators.
    """

    def __init__(self, options: Options, device: torch.device) -> None:
        """Create everything from the options' seed."""
        torch.manual_seed(options.seed)
        self.options, self.device = options, device
        self.step = self.samples = 0
        self.network = _placed(AnonyGan(options.network), device)
        self.discriminators = _placed(Discriminators(options), device)
        self._network = parallel.synchronised(self.network)
        self._discriminators = parallel.synchronised(self.discriminators)
        self._average = AveragedModel(self.network, avg_fn=self._averaged)
        self._average.eval().requires_grad_(requires_grad=False)
        self._average.n_averaged += 1  # else the first update copies
        self.ema = cast("AnonyGan", self._average.module)
        self.objective = Objective(options).to(device)
        self._optimiser = Adam(self.network.parameters(), betas=options.betas)
        self._discriminator_optimiser = Adam(self.discriminators.parameters(), betas=options.betas)

    def train(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Do one step and return losses, gradient norms and mean attention as () tensors.

        Raises:
            StreamanonError: A loss or gradient is not finite; the step has changed no weights.
        """
        # The seed depends on the step alone, so that a resumed run repeats an uninterrupted one.
        torch.manual_seed((self.options.seed * 1_000_003 + self.step) * 1009 + parallel.rank())
        self._set_learning_rates()
        batch = self._sorted(batch)
        self.network.train()
        with self._autocast():
            view = View.of(batch, self._network(batch))
            terms = self.objective.terms(view, self.discriminators, self.step)
            terms |= self.objective.consistency(self._network, batch, view, self.step)
        weights = self.options.weights
        loss = torch.stack([getattr(weights, name) * terms[name] for name in terms]).sum()
        stats = {"loss": loss, **terms}
        stats["gradient_norm"] = self._optimise(loss, self.network, self._optimiser)
        if self.step >= self.options.adversarial_from:
            stats |= self._train_discriminators(view)
        self._average.update_parameters(self.network)
        self.step += 1
        self.samples += self.options.batch
        stats["attention"] = (view.attention * view.edge).sum() / view.edge.sum()
        return {name: value.detach() for name, value in stats.items()}

    def _train_discriminators(self, view: View) -> dict[str, Tensor]:
        """Do the discriminators' half of a step and return its losses and gradient norm."""
        options, count = self.options, self.options.rows.discriminator
        generated, real = view.rows(slice(count)), view.rows(slice(-count, None))
        regularised = options.r1_gamma > 0 and self.step % options.r1_every == 0
        with self._autocast():
            terms = self._discriminators(generated, real, regularised=regularised)
        loss = torch.stack([term for name, term in terms.items() if name != "r1"]).sum()
        if regularised:
            loss = loss + options.r1_gamma / 2 * options.r1_every * terms["r1"]
        norm = self._optimise(loss, self.discriminators, self._discriminator_optimiser)
        return {f"discriminator_{name}": term for name, term in terms.items()} | {
            "discriminator_gradient_norm": norm
        }

    def _optimise(self, loss: Tensor, module: nn.Module, optimiser: Adam) -> Tensor:
        """Take one optimiser step; return the gradient's norm."""
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        limit = self.options.clip_norm or torch.inf
        norm = torch.nn.utils.clip_grad_norm_(module.parameters(), limit)
        if not torch.isfinite(loss + norm):
            raise StreamanonError(
                f"step {self.step}: the loss is {loss.item():.3g}, its gradient {norm.item():.3g}; "
                "lower the learning rate and resume from the last state"
            )
        optimiser.step()
        return norm

    def _set_learning_rates(self) -> None:
        """Set the learning rates: linear warm-up, constant, linear decay to 0."""
        options = self.options
        warm = min(1.0, (self.step + 1) / WARM_UP)
        left = max(0.0, 1 - self.step / max(options.steps, 1)) / FADE
        for optimiser, lr in (
            (self._optimiser, options.lr),
            (self._discriminator_optimiser, options.discriminator_lr),
        ):
            for group in optimiser.param_groups:
                group["lr"] = lr * min(warm, left, 1.0)

    def _averaged(self, mean: Tensor, now: Tensor, _: Tensor | int) -> Tensor:
        decay = min(self.options.ema_decay, (1 + self.step) / (EMA_WARM_UP + self.step))
        return mean.lerp(now, 1 - decay)

    def _sorted(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return a batch on the device, pairs of different people first."""
        order = torch.argsort(batch["same_person"].long(), stable=True)
        return {
            name: array[order].to(self.device, non_blocking=True) for name, array in batch.items()
        }

    def _autocast(self) -> torch.autocast:
        enabled = self.options.precision == "bf16" and has_bf16(self.device)
        return torch.autocast(self.device.type, torch.bfloat16, enabled=enabled)

    def start_from(self, content: dict[str, Any], origin: str) -> None:
        """Load a network, and discriminators if present, to begin at step 0.

        Args:
            content: content of a file that training wrote.
            origin: name of the file, for messages.

        Raises:
            UsageError: The file holds no network, or one of another architecture.
        """
        network = unpack(content.get("ema", content), origin, self.network.config)
        self.network.load_state_dict(network.state_dict())
        self.ema.load_state_dict(network.state_dict())
        if DISCRIMINATORS in content:
            self.discriminators.load_state_dict(content[DISCRIMINATORS])
        self.samples = content.get("samples", 0)

    def state(self) -> dict[str, Any]:
        """Return everything that is needed to resume exactly here."""
        return {
            "step": self.step,
            "samples": self.samples,
            "network": pack(self.network),
            "ema": pack(self.ema),
            DISCRIMINATORS: self.discriminators.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "discriminator_optimiser": self._discriminator_optimiser.state_dict(),
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Continue from a state.

        Raises:
            UsageError: The state is of another architecture.
        """
        for name, network in (("network", self.network), ("ema", self.ema)):
            held = unpack(state[name], f"the run's {name}", self.network.config)
            network.load_state_dict(held.state_dict())
        self.discriminators.load_state_dict(state[DISCRIMINATORS])
        self._optimiser.load_state_dict(state["optimiser"])
        self._discriminator_optimiser.load_state_dict(state["discriminator_optimiser"])
        self.step, self.samples = state["step"], state["samples"]


def has_bf16(device: torch.device) -> bool:
    """Return whether bfloat16 is fast on a device; where it is emulated it costs tenfold."""
    capability = torch.backends.cpu.get_cpu_capability()
    return device.type != "cpu" or capability.startswith(("AVX512", "AMX", "SVE"))


def condensed(state: dict[str, Any]) -> dict[str, Any]:
    """Return what another run can start from: the EMA and the discriminators, in half precision.

    Args:
        state: state of a trainer.
    """
    return {
        **state["ema"],
        "weights": _halved(state["ema"]["weights"]),
        DISCRIMINATORS: _halved(state[DISCRIMINATORS]),
        "samples": state["samples"],
    }


def _halved(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        name: value.half() if value.is_floating_point() else value
        for name, value in weights.items()
    }


def _placed(module: Module, device: torch.device) -> Module:
    """Return a module on a device, in the memory layout that is fastest for convolutions."""
    module.to(device)
    for weight in module.parameters():
        if weight.dim() == 4:
            weight.data = weight.contiguous(memory_format=torch.channels_last)
    return module
