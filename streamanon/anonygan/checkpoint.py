"""Networks on disk: weights with what they are weights of."""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import torch

from streamanon.anonygan.config import GeneratorConfig
from streamanon.anonygan.network import AnonyGan
from streamanon.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


def architecture(network: AnonyGan) -> str:
    """Return a hash that two networks share if one can take the other's weights."""
    shapes = [(name, tuple(value.shape)) for name, value in sorted(network.state_dict().items())]
    described = repr((sorted(asdict(network.config).items()), shapes))
    return hashlib.sha256(described.encode()).hexdigest()[:16]


def packed(network: AnonyGan) -> dict[str, Any]:
    """Return what ``torch.save`` is to write of a network."""
    return {
        "config": asdict(network.config),
        "architecture": architecture(network),
        "weights": network.state_dict(),
    }


def unpacked(
    content: dict[str, Any], origin: str, wanted: GeneratorConfig | None = None
) -> AnonyGan:
    """Return the network that was packed.

    Args:
        content: from :func:`packed`.
        origin: where it comes from, for messages.
        wanted: the only configuration that will do, or None when any will.

    Raises:
        UsageError: it is not a network, or not one this version or the caller can use.
    """
    if not isinstance(content, dict) or not {"config", "architecture", "weights"} <= set(content):
        raise UsageError(f"{origin} holds no AnonyGAN network; give a file that training wrote")
    try:
        config = GeneratorConfig(**content["config"])
    except TypeError as error:
        raise UsageError(f"{origin} was made by another version of streamanon: {error}") from error
    if wanted is not None and config != wanted:
        raise UsageError(f"{origin} has another architecture: {differences(config, wanted)}")
    network = AnonyGan(config)
    if architecture(network) != content["architecture"]:
        raise UsageError(
            f"{origin} has architecture {content['architecture']}, this version of streamanon "
            f"builds {architecture(network)}: use the version that trained it, or train again"
        )
    network.load_state_dict(content["weights"])
    return network


def load(path: Path, wanted: GeneratorConfig | None = None) -> AnonyGan:
    """Return the network in a file, see :func:`unpacked`."""
    return unpacked(read(path), str(path), wanted)


def read(path: Path) -> dict[str, Any]:
    """Return what ``torch.save`` wrote into a file.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise UsageError(f"cannot read the network {path}: {error.strerror}") from error
    except (RuntimeError, EOFError, KeyError, pickle.UnpicklingError) as error:
        raise UsageError(f"{path} holds no AnonyGAN network, or is damaged") from error
    return content if isinstance(content, dict) else {}


def differences(found: GeneratorConfig, wanted: GeneratorConfig) -> str:
    """Return in words where two configurations differ."""
    ours, theirs = asdict(found), asdict(wanted)
    return ", ".join(
        f"{name} is {ours[name]} where {theirs[name]} is wanted"
        for name in ours
        if ours[name] != theirs[name]
    )
