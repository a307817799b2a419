"""People by whom a key remembers which new face they get, in all files and streams.

Beside the key file lies ``FILE.people``: for each person 16 random bytes and what was seen of them,
encrypted. HMAC-SHA256 of the key over those bytes chooses the portrait and the shape. Without the
key both look like noise, and nothing links one output with another.
"""

import hashlib
import hmac
import secrets
from pathlib import Path

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from filelock import FileLock

from streamanon.atomic_write import OWNER_ONLY
from streamanon.errors import MediaError, UsageError
from streamanon.sealed.cipher import derived
from streamanon.sealed.keys import read_key_file
from streamanon.types import F32

MIN_KEY_BYTES = 16
SUFFIX = ".people"

_ID_BYTES, _NONCE_BYTES, _TAG_BYTES = 16, 12, 16
_NUMBERS = 135
_RECORD_BYTES = _NONCE_BYTES + _ID_BYTES + 4 * _NUMBERS + _TAG_BYTES


class KeyedPeople:
    """Implements :class:`streamanon.protocols.KnownPeople` with a key and a file beside it."""

    def __init__(self, key_file: Path) -> None:
        """Read the key.

        Raises:
            UsageError: it cannot be read or is too short, or people were enrolled with another.
        """
        key = read_key_file(key_file, "a secret").strip()
        if len(key) < MIN_KEY_BYTES:
            raise UsageError(
                f"identity key {key_file} has {len(key)} bytes: wanted {MIN_KEY_BYTES} or more "
                f"that no one can guess (head -c 32 /dev/urandom > {key_file})"
            )
        self._key, self._path = key, key_file.with_name(key_file.name + SUFFIX)
        self._lock = FileLock(self._path.with_name(f".{self._path.name}.lock"))
        self._aead = ChaCha20Poly1305(derived(key, "people"))
        self.since(0)

    def since(self, count: int) -> list[tuple[bytes, F32]]:
        """Return the people enrolled after so many others, by any program that has the key.

        Raises:
            UsageError: the file cannot be read, or was made with another key.
        """
        try:
            with self._path.open("rb") as file:
                file.seek(count * _RECORD_BYTES)
                data = file.read()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise UsageError(f"{self._path} cannot be read: {error.strerror}") from error
        whole = range(0, len(data) // _RECORD_BYTES * _RECORD_BYTES, _RECORD_BYTES)
        return [self._opened(data[at : at + _RECORD_BYTES]) for at in whole]

    def enrol(self, evidence: F32) -> None:
        """Remember a person by (135,) evidence, as the assigner keeps it."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        plain = secrets.token_bytes(_ID_BYTES) + evidence.astype("<f4").tobytes()
        try:
            self._path.touch(OWNER_ONLY)
            with self._lock, self._path.open("ab") as file:
                file.write(nonce + self._aead.encrypt(nonce, plain, None))
        except OSError as error:
            raise MediaError(
                f"{self._path} cannot be written ({error.strerror}): new people would get other "
                "faces the next time"
            ) from error

    def number(self, person: bytes, purpose: str) -> int:
        """Return a number that only the key can make: 64 bits for a person and a purpose."""
        digest = hmac.digest(self._key, purpose.encode() + b"\0" + person, hashlib.sha256)
        return int.from_bytes(digest[:8])

    def _opened(self, record: bytes) -> tuple[bytes, F32]:
        try:
            plain = self._aead.decrypt(record[:_NONCE_BYTES], record[_NONCE_BYTES:], None)
        except InvalidTag as error:
            raise UsageError(
                f"{self._path} was made with another key, or is damaged: give the key it was made "
                "with, or move it away to begin again"
            ) from error
        return plain[:_ID_BYTES], np.frombuffer(plain[_ID_BYTES:], "<f4").astype(np.float32)
