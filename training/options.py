"""Options of a training run, their defaults, and the presets."""

from __future__ import annotations

import dataclasses
import json
import typing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from streamanon.anonygan.config import GeneratorConfig
from streamanon.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


@dataclass(frozen=True)
class Weights:
    """Weight of each term of the objective; a term of weight 0 is not computed where it is costly.

    Attributes:
        appearance: adversarial loss on image and condition (equation 2).
        landmark: adversarial loss on image and landmarks (equation 3).
        matching: weak feature matching (equation 4).
        reconstruction: L1 where the target is known (equation 5).
        pull: cosine distance of the identity from the condition's.
        push: cosine similarity of the identity to the source's.
        pose: distance of the landmarks found in the result.
        ring: L1 on the frame around the face, and colour step to it.
        trust: generated pixels where the warp can be trusted.
        roughness: total variation of the attention.
        equivariance: difference of the outputs for a moved and the original input.
        noise: difference of the outputs for a noisy and the original input.
    """

    appearance: float = 0.5
    landmark: float = 0.5
    matching: float = 1.0
    reconstruction: float = 10.0
    pull: float = 0.5
    push: float = 1.0
    pose: float = 5.0
    ring: float = 5.0
    trust: float = 0.5
    roughness: float = 0.01
    equivariance: float = 4.0
    noise: float = 2.0


@dataclass(frozen=True)
class Rows:
    """Number of samples of a batch on which the costly terms are computed.

    Attributes:
        discriminator: samples for the discriminators.
        identity: samples for the recogniser.
        pose: samples for the landmark network.
        consistency: samples that are run again, moved and with noise in turn.
    """

    discriminator: int = 8
    identity: int = 3
    pose: int = 4
    consistency: int = 2


@dataclass(frozen=True)
class Options:
    """Options of a run; ``options.json`` in its folder.

    Attributes:
        network: configuration of the generator; cannot change within a run.
        objective: "hinge" or the paper's "bce".
        weights: weights of the terms.
        rows: numbers of samples on which costly terms are computed.
        r1_every: steps between two R1 penalties.
        matching_from_layer: first layer of feature matching.
        paper_losses: whether losses and discriminators are the paper's: plain L1, wide
            discriminators on whole images, no mismatched pairs.
        augment: whether discriminators see augmented images, which keeps them from overfitting in
            long runs, and makes them learn slowly in short ones.
        r1_gamma: gamma of R1.
        adversarial_from: step at which the discriminators enter.
        consistency_from: step at which the stability terms enter.
        batch: samples per step, over all processes.
        lr: learning rate of the generator.
        discriminator_lr: learning rate of the discriminators.
        betas: betas of Adam.
        clip_norm: maximum norm of a gradient; 0 does not clip.
        ema_decay: decay per step of the moving average of the weights.
        steps: number of steps of the run; learning rates fall to 0 over the last fifth.
        mix: shares of samples whose condition is the same photo, another photo of the person, and
            another person.
        precision: "bf16", where the device supports it, or "fp32".
        workers: processes that prepare samples.
        seed: seed of everything random.
        save_every: steps between checkpoints; each tenth is kept for good.
        sample_every: steps between sample grids.
    """

    network: GeneratorConfig = field(default_factory=GeneratorConfig.live)
    objective: Literal["hinge", "bce"] = "hinge"
    weights: Weights = field(default_factory=Weights)
    rows: Rows = field(default_factory=Rows)
    r1_every: int = 16
    matching_from_layer: int = 2
    paper_losses: bool = False
    augment: bool = False
    r1_gamma: float = 2.0
    adversarial_from: int = 300
    consistency_from: int = 10_000
    batch: int = 16
    lr: float = 2e-4
    discriminator_lr: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.99)
    clip_norm: float = 5.0
    ema_decay: float = 0.999
    steps: int = 30_000
    mix: tuple[float, float, float] = (0.35, 0.3, 0.35)
    precision: Literal["bf16", "fp32"] = "bf16"
    workers: int = 1
    seed: int = 0
    save_every: int = 250
    sample_every: int = 500


_NOTHING = Weights(**dict.fromkeys((entry.name for entry in dataclasses.fields(Weights)), 0.0))

PRESETS = {
    "live": Options(),
    "base": Options(
        network=GeneratorConfig.base(),
        augment=True,
        rows=Rows(32, 32, 32, 8),
        batch=32,
        steps=60_000,
        consistency_from=20_000,
        workers=8,
    ),
    "paper": Options(
        network=GeneratorConfig.paper(),
        objective="bce",
        weights=dataclasses.replace(
            _NOTHING, appearance=1.0, landmark=1.0, matching=1.0, reconstruction=5.0
        ),
        matching_from_layer=0,
        rows=Rows(64, 0, 0, 0),
        paper_losses=True,
        r1_gamma=0.0,
        adversarial_from=0,
        batch=64,
        discriminator_lr=2e-6,
        betas=(0.5, 0.999),
        clip_norm=0.0,
        ema_decay=0.0,
        steps=44_800,
        mix=(0.75, 0.25, 0.0),
        precision="fp32",
        workers=8,
    ),
}
"""``live`` trains the product's network on a CPU; ``base`` a teacher on a GPU; ``paper`` is the
published recipe (equations 1 to 5 and the weights of section 4; released code for the rest)."""


def changed(options: Options, settings: Iterable[str]) -> Options:
    """Return options with settings like ``batch=8`` or ``weights.pull=2`` applied.

    Raises:
        UsageError: A setting does not exist or its value does not fit.
    """
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise UsageError(f"--set {setting!r} has no value: write NAME=VALUE")
        options = _with(options, name.strip().split("."), text.strip(), setting)
    return options


def _with(part: Any, path: list[str], text: str, setting: str) -> Any:
    names = {entry.name for entry in dataclasses.fields(part)}
    if path[0] not in names or dataclasses.is_dataclass(getattr(part, path[0])) != (len(path) > 1):
        known = ", ".join(sorted(names))
        raise UsageError(f"--set {setting!r}: no setting {path[0]!r} there, but {known}")
    held = getattr(part, path[0])
    if len(path) > 1:
        return dataclasses.replace(part, **{path[0]: _with(held, path[1:], text, setting)})
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        value = text
    return _built(type(part), {**_plain(part), path[0]: value}, f"--set {setting!r}")


def _plain(part: Any) -> dict[str, Any]:
    return {entry.name: getattr(part, entry.name) for entry in dataclasses.fields(part)}


def _built(kind: Any, values: dict[str, Any], where: str) -> Any:
    """Build a dataclass, each value checked against its annotation."""
    hints = typing.get_type_hints(kind)
    if unknown := sorted(set(values) - set(hints)):
        raise UsageError(f"{where}: unknown setting {unknown[0]!r}")
    return kind(
        **{name: _fitted(hints[name], value, f"{where}: {name}") for name, value in values.items()}
    )


def _fitted(hint: Any, value: Any, where: str) -> Any:
    """Return a value converted to its annotated type, or refuse it."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return value if isinstance(value, hint) else _built(hint, value, where)
    if origin is Literal:
        if value in inner:
            return value
        raise UsageError(f"{where} is {value!r}: use one of {', '.join(map(repr, inner))}")
    if origin is tuple and isinstance(value, (list, tuple)):
        if len(inner) == len(value):
            return tuple(
                _fitted(kind, each, where) for kind, each in zip(inner, value, strict=True)
            )
    elif hint is float and type(value) in (int, float) and value >= 0:
        return float(value)
    elif hint in (int, bool) and type(value) is hint and value >= 0:
        return value
    raise UsageError(f"{where} is {value!r}, which does not fit: see training/options.py")


def write(options: Options, path: Path) -> None:
    """Write options as JSON."""
    path.write_text(json.dumps(dataclasses.asdict(options), indent=2) + "\n", encoding="utf-8")


def read(path: Path) -> Options:
    """Read options; missing ones have their defaults.

    Raises:
        UsageError: The file is not a valid options file.
    """
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read options {path}: {error}") from error
    options: Options = _built(Options, held, str(path))
    return options
