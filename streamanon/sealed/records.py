"""The records of a sidecar, byte by byte (docs/sealed.md)."""

from __future__ import annotations

import hashlib
import json
import secrets
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, TypeAlias

from streamanon.errors import UsageError

MAGIC = b"SEALED\x00\x01"
WHOLE_FRAMES, FILE = 0, 0xFFFFFFFF
"""Person numbers of frames that were covered whole, and of the segment of the file itself."""

_HEADER = struct.Struct(">8s16s32s")
_RECORD = struct.Struct(">cI")
_SEGMENT = struct.Struct(">IIq")
_CHUNK = struct.Struct(">IIBq")
_LINK = struct.Struct(">II")
_MAC_BYTES = 32


class DamagedError(UsageError):
    """A sidecar is not what was written."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a sidecar begins with, and never changes.

    Attributes:
        file_id: 16 random bytes.
        log_key: Ed25519 public key of the log, 32 bytes.
    """

    file_id: bytes
    log_key: bytes

    @classmethod
    def new(cls, log_key: bytes) -> Header:
        """Return the header of a new sidecar."""
        return cls(secrets.token_bytes(16), log_key)

    def pack(self) -> bytes:
        """Return the 56 bytes."""
        return _HEADER.pack(MAGIC, self.file_id, self.log_key)

    @property
    def digest(self) -> bytes:
        """SHA-256 of it, which every chunk is bound to."""
        return hashlib.sha256(self.pack()).digest()


@dataclass(frozen=True, slots=True)
class Access:
    """Who can open a sidecar.

    Attributes:
        threshold: recipients who must come together.
        recipients: public keys as text; the one of the passphrase last.
        passphrase: age message that holds its private key, in base64; None without one.
    """

    kind = b"R"
    threshold: int
    recipients: tuple[str, ...]
    passphrase: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The recipients, as messages name them."""
        if self.passphrase is None:
            return self.recipients
        return (*self.recipients[:-1], "a passphrase")

    def pack(self) -> bytes:
        """Return the body of the record."""
        document = {
            "threshold": self.threshold,
            "recipients": self.recipients,
            "passphrase": self.passphrase,
        }
        return json.dumps(document, separators=(",", ":")).encode()

    @classmethod
    def unpack(cls, body: bytes) -> Access:
        """Read a body."""
        document = json.loads(body)
        names = document["recipients"]
        if not isinstance(names, list) or not all(isinstance(one, str) for one in names):
            raise ValueError("recipients")
        return cls(int(document["threshold"]), tuple(names), document["passphrase"])


@dataclass(frozen=True, slots=True)
class Segment:
    """The begin of a segment.

    Attributes:
        number: number of the segment; 0 is that of the file.
        person: number of the person whose pixels it holds.
        start_us: time of its first frame.
    """

    kind = b"S"
    number: int
    person: int
    start_us: int

    def pack(self) -> bytes:
        """Return the body of the record."""
        return _SEGMENT.pack(self.number, self.person, self.start_us)

    @classmethod
    def unpack(cls, body: bytes) -> Segment:
        """Read a body."""
        return cls(*_SEGMENT.unpack(body))


@dataclass(frozen=True, slots=True)
class Keys:
    """The wrapped data key of a segment.

    Attributes:
        segment: number of the segment.
        wraps: an age message for each recipient; none when the key was destroyed.
        mac: 32 bytes that only the data key can make.
        blank: zeros where wraps were.
    """

    kind = b"K"
    segment: int
    wraps: tuple[bytes, ...]
    mac: bytes = b""
    blank: int = 0

    def pack_wraps(self) -> bytes:
        """Return the part of the body that ``mac`` is for."""
        listed = b"".join(struct.pack(">H", len(one)) + one for one in self.wraps)
        return struct.pack(">IB", self.segment, len(self.wraps)) + listed

    def pack(self) -> bytes:
        """Return the body of the record."""
        return self.pack_wraps() + self.mac + bytes(self.blank)

    @classmethod
    def unpack(cls, body: bytes) -> Keys:
        """Read a body."""
        segment, count = struct.unpack_from(">IB", body)
        wraps, at = [], 5
        for _ in range(count):
            (size,) = struct.unpack_from(">H", body, at)
            wraps.append(body[at + 2 : at + 2 + size])
            at += 2 + size
        rest = body[at:]
        if count == 0 and any(rest):
            raise ValueError("rest of a destroyed key")
        if count and len(rest) != _MAC_BYTES:
            raise ValueError("length")
        return cls(segment, tuple(wraps), rest if count else b"", 0 if count else len(rest))

    def destroyed(self) -> Keys:
        """Return it without the key, at the same length."""
        return Keys(self.segment, (), blank=len(self.pack()) - 5)


@dataclass(frozen=True, slots=True)
class Chunk:
    """About a second of a segment.

    Attributes:
        segment: number of its segment.
        counter: 0 for the first chunk of the segment.
        last: whether the segment ends with it.
        until_us: time of its newest frame.
        ciphertext: padded, with the tag.
    """

    kind = b"C"
    segment: int
    counter: int
    last: bool
    until_us: int
    ciphertext: bytes = b""

    def pack_fields(self) -> bytes:
        """Return the body without the ciphertext."""
        return _CHUNK.pack(self.segment, self.counter, self.last, self.until_us)

    def pack(self) -> bytes:
        """Return the body of the record."""
        return self.pack_fields() + self.ciphertext

    @classmethod
    def unpack(cls, body: bytes) -> Chunk:
        """Read a body."""
        segment, counter, last, until_us = _CHUNK.unpack_from(body)
        if last > 1:
            raise ValueError("last")
        return cls(segment, counter, bool(last), until_us, body[_CHUNK.size :])


@dataclass(frozen=True, slots=True)
class Link:
    """Two numbers that turned out to be one person; ``same`` was there first."""

    kind = b"L"
    person: int
    same: int

    def pack(self) -> bytes:
        """Return the body of the record."""
        return _LINK.pack(self.person, self.same)

    @classmethod
    def unpack(cls, body: bytes) -> Link:
        """Read a body."""
        return cls(*_LINK.unpack(body))


Record: TypeAlias = Access | Segment | Keys | Chunk | Link
_KINDS: dict[bytes, type[Record]] = {one.kind: one for one in (Access, Segment, Keys, Chunk, Link)}
_MOST_BYTES = {b"R": 1 << 20, b"S": 16, b"K": 1 << 18, b"C": 1 << 30, b"L": 8}
"""Longest body of each type, so that a damaged length is not believed."""


def packed(record: Record) -> bytes:
    """Return a record with type and length."""
    body = record.pack()
    return _RECORD.pack(record.kind, len(body)) + body


def read_header(file: IO[bytes], name: str) -> Header:
    """Read the header.

    Raises:
        DamagedError: the file is no sidecar.
    """
    data = file.read(_HEADER.size)
    if len(data) < _HEADER.size or data[:6] != MAGIC[:6]:
        raise DamagedError(f"{name} is no sidecar of sealed originals: wanted VIDEO.sealed")
    magic, file_id, log_key = _HEADER.unpack(data)
    if magic != MAGIC:
        raise DamagedError(
            f"{name} is damaged or of another version ({magic[6:].hex()}, wanted "
            f"{MAGIC[6:].hex()}): update streamanon, or take a copy of the sidecar"
        )
    return Header(file_id, log_key)


def read_records(file: IO[bytes], name: str) -> Iterator[tuple[int, Record]]:
    """Yield each record with the place of its body; a last one that was cut off is left out.

    Raises:
        DamagedError: something is no record.
    """
    while len(framing := file.read(_RECORD.size)) == _RECORD.size:
        kind, size = _RECORD.unpack(framing)
        at = file.tell()
        if kind not in _KINDS or size > _MOST_BYTES[kind]:
            raise _damaged(name, at)
        body = file.read(size)
        if len(body) < size:
            return
        try:
            record = _KINDS[kind].unpack(body)
        except (ValueError, KeyError, TypeError, struct.error) as error:
            raise _damaged(name, at) from error
        yield at, record


def _damaged(name: str, at: int) -> DamagedError:
    return DamagedError(f"{name} is damaged at byte {at}: nothing was opened; take a copy of it")
