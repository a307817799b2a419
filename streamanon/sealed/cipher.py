"""Encrypts chunks: the only module that makes ciphertext of raw pixels, or gives them back."""

import hashlib
import hmac
import secrets
import struct
from dataclasses import replace

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from streamanon.sealed.records import Chunk, Header, Keys, Segment

KEY_BYTES = 32
_EIGHTH = 128


def size_class(size: int) -> int:
    """Return the size to which so many bytes are padded: eight classes an octave."""
    eighths = max(8, -(-size // _EIGHTH))
    step = 1 << (eighths.bit_length() - 4)
    return -(-eighths // step) * step * _EIGHTH


def derived(key: bytes | bytearray, purpose: str) -> bytes:
    """Return 32 bytes that are derived from a data key for one purpose."""
    return HKDF(SHA256(), KEY_BYTES, None, f"streamanon {purpose}".encode()).derive(bytes(key))


class SegmentCipher:
    """Encrypts or decrypts the chunks of one segment.

    Attributes:
        key: the data key, 32 bytes; zeros after :meth:`forget`.
    """

    def __init__(self, header: Header, segment: Segment, key: bytes | None = None) -> None:
        """Take the data key of a segment, or make one up."""
        self.key = bytearray(key or secrets.token_bytes(KEY_BYTES))
        self._aead = ChaCha20Poly1305(self.key)
        self._bound = header.digest + segment.pack()
        self._segment, self._counter = segment.number, 0

    def seal(self, data: bytes | bytearray, until_us: int, *, last: bool) -> Chunk:
        """Return the next chunk, up to the time of its newest frame."""
        chunk = Chunk(self._segment, self._counter, last, until_us)
        self._counter += 1
        padded = bytearray(size_class(len(data) + 4))
        padded[: len(data) + 4] = struct.pack(">I", len(data)) + data
        ciphertext = self._aead.encrypt(_nonce(chunk), padded, self._bound + chunk.pack_fields())
        padded[:] = bytes(len(padded))
        return replace(chunk, ciphertext=ciphertext)

    def open(self, chunk: Chunk) -> bytes:
        """Return the plaintext of a chunk.

        Raises:
            InvalidTag: it was changed, or is not that of this place.
        """
        data = self._aead.decrypt(
            _nonce(chunk), chunk.ciphertext, self._bound + chunk.pack_fields()
        )
        (size,) = struct.unpack_from(">I", data)
        if size + 4 > len(data) or any(data[size + 4 :]):
            raise InvalidTag
        return data[4 : size + 4]

    def authenticate(self, keys: Keys) -> Keys:
        """Return wraps with the code that shows that they belong to this data key."""
        mac_key = derived(self.key, "wraps")
        return replace(keys, mac=hmac.digest(mac_key, keys.pack_wraps(), hashlib.sha256))

    def owns(self, keys: Keys) -> bool:
        """Tell whether wraps are unchanged."""
        return hmac.compare_digest(self.authenticate(keys).mac, keys.mac)

    def forget(self) -> None:
        """Overwrite the data key."""
        self.key[:] = bytes(KEY_BYTES)


def _nonce(chunk: Chunk) -> bytes:
    return chunk.counter.to_bytes(11) + bytes([chunk.last])
