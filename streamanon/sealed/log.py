"""The signed log of what was revealed, beside the sidecar."""

import hashlib
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from streamanon.atomic_write import OWNER_ONLY
from streamanon.errors import MediaError
from streamanon.sealed.cipher import derived
from streamanon.sealed.records import Header


def log_key(file_key: bytes | bytearray) -> Ed25519PrivateKey:
    """Return the key that signs the log, which all have who can open the sidecar."""
    return Ed25519PrivateKey.from_private_bytes(derived(file_key, "log"))


def log_of(sidecar: Path) -> Path:
    """Return the name of the log of a sidecar."""
    return sidecar.with_name(sidecar.name + ".log")


def append_entry(path: Path, header: Header, key: Ed25519PrivateKey, entry: dict[str, Any]) -> None:
    """Sign an entry with a key of :func:`log_key` and write it to the disk, after those there.

    Raises:
        MediaError: it cannot be written.
    """
    try:
        lines = path.read_bytes().splitlines() if path.exists() else []
        before = lines[-1] if lines else header.pack()
        signed = {
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            **entry,
            "previous": hashlib.sha256(before).hexdigest(),
        }
        signature = key.sign(_canonical(signed)).hex()
        path.touch(OWNER_ONLY)
        with path.open("ab") as file:
            file.write(_canonical({**signed, "signature": signature}) + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise MediaError(
            f"the log {path} cannot be written ({error.strerror}): nothing was revealed"
        ) from error


def read_log(path: Path, header: Header) -> list[tuple[dict[str, Any], bool]]:
    """Return the entries of a log, each with whether it is as it was signed, in its place."""
    if not path.exists():
        return []
    public, before, entries = Ed25519PublicKey.from_public_bytes(header.log_key), header.pack(), []
    for line in path.read_bytes().splitlines():
        try:
            entry = json.loads(line)
            signature = bytes.fromhex(entry.pop("signature"))
            public.verify(signature, _canonical(entry))
            good = entry["previous"] == hashlib.sha256(before).hexdigest()
        except (ValueError, KeyError, TypeError, AttributeError, InvalidSignature):
            entry, good = {}, False
        entries.append((entry, good))
        before = line
    return entries


def _canonical(entry: dict[str, Any]) -> bytes:
    return json.dumps(entry, sort_keys=True, separators=(",", ":")).encode()
