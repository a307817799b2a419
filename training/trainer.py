"""One training step: the network, its running average, two discriminators, their optimisers."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor

from streamanon.anonygan.checkpoint import packed, unpacked
from streamanon.anonygan.network import AnonyGan
from streamanon.errors import StreamanonError
from training import parallel
from training.judges import Judges
from training.objective import Objective
from training.view import View

if TYPE_CHECKING:
    from torch import nn

    from training.options import Options

Module = TypeVar("Module", bound="nn.Module")

WARM_UP = 200
"""Steps over which the learning rates rise."""

FADE = 0.2
"""Last share of a run over which they fall to 0."""

RAMP = 10
"""The average forgets its first steps as if each were a tenth of all."""


class Trainer:
    """Everything that changes while training.

    Attributes:
        step: steps done so far.
        samples: seen by the network, in runs before this one too.
        network: what is trained.
        average: its exponential moving average: what is sampled, measured and shipped.
        judges: the discriminators.
    """

    def __init__(self, options: Options, device: torch.device) -> None:
        """Create everything from the options' seed."""
        torch.manual_seed(options.seed)
        self.options, self.device = options, device
        self.step = self.samples = 0
        self.network = _placed(AnonyGan(options.network), device)
        self.average = copy.deepcopy(self.network).eval().requires_grad_(requires_grad=False)
        self.judges = _placed(Judges(options), device)
        self.objective = Objective(options).to(device)
        parallel.share(self.network, self.average, self.judges)
        self._optimiser = torch.optim.Adam(self.network.parameters(), betas=options.betas)
        self._judge_optimiser = torch.optim.Adam(self.judges.parameters(), betas=options.betas)

    def train(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Do one step and return what each term came to, as () tensors.

        Raises:
            StreamanonError: a loss or gradient is not finite; the step has changed no weights.
        """
        # What is random depends on the step alone: a resumed run repeats an uninterrupted one.
        torch.manual_seed((self.options.seed * 1_000_003 + self.step) * 1009 + parallel.rank())
        self._set_rates()
        batch = self._arranged(batch)
        self.network.train()
        with self._autocast():
            view = View.of(batch, self.network(batch))
            terms = self.objective.terms(view, self.judges, self.step)
            terms |= self.objective.steadiness(self.network, batch, view, self.step)
        weights = self.options.weights
        loss = torch.stack([getattr(weights, name) * terms[name] for name in terms]).sum()
        norms = {"gradient": self._descend(loss, self.network, self._optimiser)}
        lessons: dict[str, Tensor] = {}
        if self.step >= self.options.adversarial_from:
            lessons = self._teach(view)
            norms["judge_gradient"] = lessons.pop("gradient")
        self._average()
        self.step += 1
        self.samples += self.options.batch
        attention = (view.attention * view.edge).sum() / view.edge.sum()
        answers: dict[str, Tensor] = {"loss": loss, **terms, **norms, "attention": attention}
        answers |= {f"judge_{name}": term for name, term in lessons.items()}
        return {name: value.detach() for name, value in answers.items()}

    def _teach(self, view: View) -> dict[str, Tensor]:
        """Do the discriminators' half of a step."""
        options, count = self.options, self.options.rows.judged
        judged, known = view.rows(slice(count)), view.rows(slice(-count, None))
        with self._autocast():
            terms = self.judges.lessons(judged, known)
        loss = torch.stack(list(terms.values())).sum()
        if options.penalty and self.step % options.penalty_every == 0:
            with self._autocast(enabled=False):
                terms["penalty"] = self.judges.penalty(known)
            loss = loss + options.penalty / 2 * options.penalty_every * terms["penalty"]
        return terms | {"gradient": self._descend(loss, self.judges, self._judge_optimiser)}

    def _descend(self, loss: Tensor, module: nn.Module, optimiser: torch.optim.Optimizer) -> Tensor:
        """Take one optimiser step; return the gradient's norm."""
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        parallel.average_gradients(module)
        norm = torch.nn.utils.clip_grad_norm_(module.parameters(), self.options.clip or torch.inf)
        if not torch.isfinite(loss + norm):
            raise StreamanonError(
                f"step {self.step}: the loss is {loss.item():.3g}, its gradient {norm.item():.3g}; "
                "lower the learning rate and resume from the last state"
            )
        optimiser.step()
        return norm

    def _set_rates(self) -> None:
        """Let the learning rates rise, stay, and fall at the end."""
        options = self.options
        warm = min(1.0, (self.step + 1) / WARM_UP)
        left = max(0.0, 1 - self.step / max(options.steps, 1)) / FADE
        for optimiser, rate in (
            (self._optimiser, options.rate),
            (self._judge_optimiser, options.judge_rate),
        ):
            for group in optimiser.param_groups:
                group["lr"] = rate * min(warm, left, 1.0)

    @torch.no_grad()
    def _average(self) -> None:
        decay = min(self.options.average, (1 + self.step) / (RAMP + self.step))
        for mean, now in zip(self.average.parameters(), self.network.parameters(), strict=True):
            mean.lerp_(now, 1 - decay)
        for held, newest in zip(self.average.buffers(), self.network.buffers(), strict=True):
            held.copy_(newest)

    def _arranged(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return a batch on the device, pairs of different people first."""
        order = torch.argsort(batch["same_person"].long(), stable=True)
        return {
            name: array[order].to(self.device, non_blocking=True) for name, array in batch.items()
        }

    def _autocast(self, *, enabled: bool = True) -> torch.autocast:
        wanted = enabled and self.options.precision == "bf16" and has_bf16(self.device)
        return torch.autocast(self.device.type, torch.bfloat16, enabled=wanted)

    def start_from(self, content: dict[str, Any], origin: str) -> None:
        """Take over a network, and discriminators where there are any, and begin at step 0.

        Args:
            content: of a file that training wrote.
            origin: its name, for messages.

        Raises:
            UsageError: it is no network, or one of another architecture.
        """
        known = content.get("average", content)
        held = unpacked(known, origin, self.network.config).state_dict()
        self.network.load_state_dict(held)
        self.average.load_state_dict(held)
        if "judges" in content:
            self.judges.load_state_dict(content["judges"])
        self.samples = content.get("samples", 0)

    def state(self) -> dict[str, Any]:
        """Return everything a later run needs to go on exactly here."""
        return {
            "step": self.step,
            "samples": self.samples,
            "network": packed(self.network),
            "average": packed(self.average),
            "judges": self.judges.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "judge_optimiser": self._judge_optimiser.state_dict(),
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Go on from a state.

        Raises:
            UsageError: it is of another architecture.
        """
        for name, network in (("network", self.network), ("average", self.average)):
            held = unpacked(state[name], f"the run's {name}", self.network.config)
            network.load_state_dict(held.state_dict())
        self.judges.load_state_dict(state["judges"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._judge_optimiser.load_state_dict(state["judge_optimiser"])
        self.step, self.samples = state["step"], state["samples"]


def has_bf16(device: torch.device) -> bool:
    """Return whether calculating in bfloat16 saves time; where it is imitated it costs tenfold."""
    capability = torch.backends.cpu.get_cpu_capability()
    return device.type != "cpu" or capability.startswith(("AVX512", "AMX", "SVE"))


def condensed(state: dict[str, Any]) -> dict[str, Any]:
    """Return what another run can start from: the averaged network and the discriminators, halved.

    Args:
        state: of a trainer.
    """
    average = state["average"]
    return {
        **average,
        "weights": _halved(average["weights"]),
        "judges": _halved(state["judges"]),
        "samples": state["samples"],
    }


def _halved(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        name: value.half() if value.is_floating_point() else value
        for name, value in weights.items()
    }


def _placed(module: Module, device: torch.device) -> Module:
    """Return a module on a device, in the layout convolutions are fastest in."""
    module.to(device)
    for weight in module.parameters():
        if weight.dim() == 4:
            weight.data = weight.contiguous(memory_format=torch.channels_last)
    return module
