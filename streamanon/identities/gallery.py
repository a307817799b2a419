"""Galleries of identities: the built-in one and folders of the user's own portraits.

A prepared gallery holds one webp per portrait and ``gallery.npz``, the index, with everything that
was measured on them: loading it needs no network. The index has the hash of each portrait.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import cv2
import numpy as np

from streamanon.errors import StreamanonError, UsageError
from streamanon.face import mouth
from streamanon.identities.portrait import PortraitReader, decode, read_bytes
from streamanon.types import Identity, Mesh

INDEX = "gallery.npz"

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")

TOO_SIMILAR = 0.6
"""Cosine of two portraits above which they are refused as the same person."""

WEBP_QUALITY = 92

_BUILTIN = Path(__file__).parent / "gallery"


def load_builtin() -> tuple[Identity, ...]:
    """Return the identities that ship with streamanon, none of a real person."""
    return _load_prepared(_BUILTIN)


def load_folder(path: Path, reader: PortraitReader) -> tuple[Identity, ...]:
    """Return the identities of a folder of portraits, one a person, which may be prepared.

    Raises:
        UsageError: The folder does not exist, or a portrait in it is not usable.
    """
    if not path.is_dir():
        raise UsageError(f"identities {path} is not a folder: give one that holds portraits")
    if (path / INDEX).is_file():
        return _load_prepared(path)
    return read_portraits(portraits_in(path), reader)


def portraits_in(folder: Path) -> list[Path]:
    """Return the pictures in a folder.

    Raises:
        UsageError: There are none.
    """
    portraits = _portraits(folder)
    if not portraits:
        raise UsageError(
            f"folder {folder} holds no portrait: put jpg, png or webp pictures into it"
        )
    return portraits


def read_portraits(
    portraits: Sequence[Path],
    reader: PortraitReader,
    refused: Callable[[StreamanonError], None] | None = None,
) -> tuple[Identity, ...]:
    """Return an identity for each portrait.

    Args:
        portraits: pictures of one person each; the file's name becomes the identity's.
        reader: reads portraits.
        refused: called with the reason for each that will not do; if left out, it is raised.

    Raises:
        UsageError: A portrait is not usable, or has the name or shows the person of one before.
    """
    identities: dict[Path, Identity] = {}
    for path in portraits:
        try:
            identities[path] = _another(path, identities, reader)
        except StreamanonError as error:
            if refused is None:
                raise
            refused(error)
    return tuple(identities.values())


def _another(path: Path, others: Mapping[Path, Identity], reader: PortraitReader) -> Identity:
    """Return the identity of a portrait, which none of the others has."""
    for other in others:
        if other.stem.lower() == path.stem.lower():
            raise UsageError(f"portraits {other} and {path} have the same name: rename one")
    identity = reader.read(path)
    for other, known in others.items():
        alike = float(identity.embedding @ known.embedding)
        if alike > TOO_SIMILAR:
            raise UsageError(
                f"portraits {other} and {path} look like one person (cosine {alike:.2f}, wanted at "
                f"most {TOO_SIMILAR}): leave one out"
            )
    return identity


def showing_most_teeth(identities: Sequence[Identity]) -> Identity | None:
    """Return the identity that shows most of its teeth, or None if none shows enough."""
    most = max(identities, key=lambda identity: identity.teeth, default=None)
    return most if most and most.teeth >= mouth.ENOUGH_TEETH else None


def write_gallery(identities: Sequence[Identity], folder: Path) -> None:
    """Write a prepared gallery: portraits without metadata, and their index."""
    folder.mkdir(parents=True, exist_ok=True)
    hashes = []
    for identity in identities:
        options = [cv2.IMWRITE_WEBP_QUALITY, WEBP_QUALITY]
        data = cv2.imencode(".webp", identity.portrait, options)[1].tobytes()
        (folder / f"{identity.name}.webp").write_bytes(data)
        hashes.append(hashlib.sha256(data).hexdigest())
    np.savez_compressed(
        folder / INDEX,
        names=np.array([identity.name for identity in identities]),
        sha256=np.array(hashes),
        points=np.stack([identity.mesh.points for identity in identities]),
        presence=np.array([identity.mesh.presence for identity in identities], np.float32),
        skin_lab=np.stack([identity.skin_lab for identity in identities]),
        embedding=np.stack([identity.embedding for identity in identities]),
        p_female=np.array([identity.p_female for identity in identities], np.float32),
        years=np.array([identity.years for identity in identities], np.float32),
        descent=np.stack([identity.descent for identity in identities]),
        teeth=np.array([identity.teeth for identity in identities], np.float32),
    )


def _portraits(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)


def _load_prepared(folder: Path) -> tuple[Identity, ...]:
    """Return the identities of a folder that has an index."""
    remedy = f"delete {INDEX}, or prepare the portraits again"
    try:
        with np.load(folder / INDEX) as index:
            measured = {name: index[name] for name in index.files}
        identities = tuple(
            _identity(folder, measured, row) for row in range(len(measured["names"]))
        )
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise UsageError(
            f"gallery index {folder / INDEX} is damaged ({error}): {remedy}"
        ) from error
    unknown = {path.stem for path in _portraits(folder)} - {i.name for i in identities}
    if unknown:
        raise UsageError(
            f"folder {folder} holds {', '.join(sorted(unknown))}, which its index does not know: "
            f"{remedy}"
        )
    return identities


def _identity(folder: Path, measured: dict[str, Any], row: int) -> Identity:
    path = folder / Path(f"{measured['names'][row]}.webp").name
    data = read_bytes(path)
    if hashlib.sha256(data).hexdigest() != measured["sha256"][row]:
        raise UsageError(
            f"portrait {path} was changed since the gallery was prepared: delete {INDEX}, or "
            "prepare the portraits again"
        )
    mesh = Mesh(measured["points"][row], float(measured["presence"][row]))
    return Identity(
        path.stem,
        partial(decode, data, path),
        mesh,
        measured["skin_lab"][row],
        measured["embedding"][row],
        float(measured["p_female"][row]),
        float(measured["years"][row]),
        measured["descent"][row],
        float(measured["teeth"][row]),
    )
