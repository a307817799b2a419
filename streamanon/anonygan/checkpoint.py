"""Networks on disk: weights with their configuration and a hash of the architecture."""

import hashlib
import pickle
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from streamanon.anonygan.config import GeneratorConfig
from streamanon.anonygan.network import AnonyGan
from streamanon.errors import UsageError


def architecture(network: AnonyGan) -> str:
    """Return a hash that is equal for networks that can load each other's weights."""
    shapes = [(name, tuple(value.shape)) for name, value in sorted(network.state_dict().items())]
    described = repr((sorted(asdict(network.config).items()), shapes))
    return hashlib.sha256(described.encode()).hexdigest()[:16]


def pack(network: AnonyGan) -> dict[str, Any]:
    """Return the content of a network's file, for ``torch.save``."""
    return {
        "config": asdict(network.config),
        "architecture": architecture(network),
        "weights": network.state_dict(),
    }


def unpack(content: dict[str, Any], origin: str, wanted: GeneratorConfig | None = None) -> AnonyGan:
    """Return the network of a file's content.

    Args:
        content: content made by :func:`pack`.
        origin: name of the file, for messages.
        wanted: required configuration, or None to accept any.

    Raises:
        UsageError: The content is not a network, or one of another version or configuration.
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
    """Return the network in a file, see :func:`unpack`."""
    return unpack(read(path), str(path), wanted)


def read(path: Path) -> dict[str, Any]:
    """Return the content of a file that ``torch.save`` wrote.

    Raises:
        UsageError: The file cannot be read.
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
