"""Every setting of a training run, its default, and the presets."""

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
    """What each term of the objective counts; 0 leaves it out.

    Attributes:
        appearance: adversarial, image beside condition (equation 2).
        landmark: adversarial, image beside landmarks (equation 3).
        matching: weak feature matching (equation 4).
        reconstruction: L1 where the truth is known (equation 5).
        pull: identity towards the condition's.
        push: identity away from the source's.
        pose: landmarks found in the result.
        ring: the frame around the face, and the colour step to it.
        trust: painting over a warp that can be trusted.
        roughness: total variation of the attention.
        equivariance: a moved input gives the moved answer.
        noise: noise of landmarks and sensor changes nothing.
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
    """On how many samples of a batch the costly terms are computed.

    Attributes:
        judged: by the discriminators.
        identity: by the recogniser.
        pose: by the landmark network.
        steady: shown again, moved or with noise in turn.
    """

    judged: int = 8
    identity: int = 3
    pose: int = 4
    steady: int = 2


@dataclass(frozen=True)
class Options:
    """What a run is made of; ``options.json`` in its folder.

    Attributes:
        network: what the generator is made of; cannot change within a run.
        objective: "hinge" or the paper's "bce".
        weights: of the terms.
        rows: on how many samples the costly ones are computed.
        penalty_every: steps between two R1 penalties.
        lowest_layer: first layer of feature matching.
        whole: whether losses and discriminators are the paper's: plain L1, wide discriminators
            that see whole images and no mismatched pairs.
        augment: whether discriminators see augmented images, which keeps them from learning faces
            by heart in long runs, and makes them learn slowly in short ones.
        penalty: gamma of R1.
        adversarial_from: step at which the discriminators enter.
        steady_from: step at which the stability terms enter.
        batch: samples a step, on all processes together.
        rate: learning rate of the generator.
        judge_rate: learning rate of the discriminators.
        betas: of Adam.
        clip: largest norm of a gradient; 0 does not clip.
        average: decay a step of the averaged weights.
        steps: of the whole run; learning rates fall to 0 over the last fifth.
        mix: shares of samples whose condition is the same photo, another photo of the person, and
            another person.
        precision: "bf16", where the device calculates in it, or "fp32".
        workers: processes that prepare samples.
        seed: of everything random.
        save_every: steps between checkpoints; each tenth is kept for good.
        sample_every: steps between sample grids.
    """

    network: GeneratorConfig = field(default_factory=GeneratorConfig.live)
    objective: Literal["hinge", "bce"] = "hinge"
    weights: Weights = field(default_factory=Weights)
    rows: Rows = field(default_factory=Rows)
    penalty_every: int = 16
    lowest_layer: int = 2
    whole: bool = False
    augment: bool = False
    penalty: float = 2.0
    adversarial_from: int = 300
    steady_from: int = 10_000
    batch: int = 16
    rate: float = 2e-4
    judge_rate: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.99)
    clip: float = 5.0
    average: float = 0.999
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
        steady_from=20_000,
        workers=8,
    ),
    "paper": Options(
        network=GeneratorConfig.paper(),
        objective="bce",
        weights=dataclasses.replace(
            _NOTHING, appearance=1.0, landmark=1.0, matching=1.0, reconstruction=5.0
        ),
        lowest_layer=0,
        rows=Rows(64, 0, 0, 0),
        whole=True,
        penalty=0.0,
        adversarial_from=0,
        batch=64,
        judge_rate=2e-6,
        betas=(0.5, 0.999),
        clip=0.0,
        average=0.0,
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
        UsageError: a setting does not exist or its value does not fit.
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
    """Return a value as its annotation wants it, or refuse it."""
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
    """Read what :func:`write` wrote; what is missing has its default.

    Raises:
        UsageError: the file is not what it should be.
    """
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read options {path}: {error}") from error
    options: Options = _built(Options, held, str(path))
    return options
