"""Recipients and private keys, and how a data key is shared among recipients.

Wraps are plain age messages (https://age-encryption.org/v1). Shares are Shamir's (1979): the secret
is the value at 0 of a random polynomial, of which each recipient has one other point.
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import pyrage
from pyrage import passphrase, ssh, x25519

from streamanon.errors import UsageError
from streamanon.sealed.cipher import KEY_BYTES, SegmentCipher
from streamanon.sealed.records import Access, DamagedError, Header, Keys, Segment, packed

PRIME = 2**521 - 1
_SHARE_BYTES = 66
MOST_RECIPIENTS = 255

Recipient: TypeAlias = "x25519.Recipient | ssh.Recipient"
Identity: TypeAlias = "x25519.Identity | ssh.Identity"

_FORMS = "wanted age1..., ssh-ed25519 ..., ssh-rsa ..., or a file with one a line"


@dataclass(frozen=True)
class Recipients:
    """Who a sidecar is made for.

    Attributes:
        access: what the sidecar says of them.
        keys: their public keys, in the same order.
    """

    access: Access
    keys: tuple[Recipient, ...]

    @classmethod
    def of(
        cls, given: Sequence[str], *, secret: Path | None = None, threshold: int = 1
    ) -> Recipients:
        """Read recipients as a user names them.

        Args:
            given: public keys, and files of them.
            secret: file whose first line is a passphrase for one more; None for none.
            threshold: number of recipients who must come together.

        Raises:
            UsageError: one is none, or the threshold cannot be met.
        """
        names = [_comparable(name) for text in given for name in _listed(text)]
        locked = None
        if secret:
            identity = x25519.Identity.generate()
            message = passphrase.encrypt(str(identity).encode(), read_passphrase(secret))
            locked = base64.b64encode(message).decode()
            names.append(str(identity.to_public()))
        return cls._checked(Access(threshold, tuple(names), locked))

    @classmethod
    def _checked(cls, access: Access) -> Recipients:
        names, threshold = access.recipients, access.threshold
        keys = tuple(public_key(name) for name in names)
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            raise UsageError(f"recipient {short(twice)} is named twice: name each once")
        if not 1 <= threshold <= len(names) or len(names) > MOST_RECIPIENTS:
            raise UsageError(
                f"threshold is {threshold} of {len(names)} recipients: wanted 1 to "
                f"{len(names) or 'their number, and at least one recipient'}"
            )
        return cls(access, keys)

    @classmethod
    def changed(cls, access: Access, add: Sequence[str], drop: Sequence[str]) -> Recipients:
        """Return the recipients of a sidecar with some more, and without others.

        Raises:
            UsageError: one is no recipient, or too few are left.
        """
        names = list(access.recipients)
        for name in (_comparable(one) for text in drop for one in _listed(text)):
            if name not in names:
                raise UsageError(
                    f"recipient {short(name)} cannot be dropped, it is none: "
                    "`streamanon seal list` names them"
                )
            names.remove(name)
        locked = access.passphrase if access.recipients[-1] in names else None
        at = len(names) - 1 if locked else len(names)  # the passphrase stays last
        names[at:at] = [_comparable(one) for text in add for one in _listed(text)]
        return cls._checked(Access(access.threshold, tuple(names), locked))

    def wrap(self, header: Header, segment: Segment, cipher: SegmentCipher) -> Keys:
        """Share the data key of a segment among them."""
        bind = binding(header, self.access, segment)
        points = split(int.from_bytes(cipher.key), self.access.threshold, len(self.keys))
        wraps = tuple(
            pyrage.encrypt(bytes([x]) + y.to_bytes(_SHARE_BYTES) + bind, [key])
            for (x, y), key in zip(points, self.keys, strict=True)
        )
        return cipher.authenticate(Keys(segment.number, wraps))


def binding(header: Header, access: Access, segment: Segment) -> bytes:
    """Return what ties a wrap to its place."""
    return hashlib.sha256(header.pack() + packed(access) + packed(segment)).digest()


class Keyring:
    """Private keys that are tried on a sidecar."""

    def __init__(self, access: Access, identities: Sequence[Identity], name: str) -> None:
        self._access, self._identities, self._name = access, identities, name
        self._fits: dict[int, Identity] = {}
        self.opened_with: tuple[str, ...] = ()

    def unwrap(self, header: Header, segment: Segment, keys: Keys) -> SegmentCipher:
        """Return the cipher of a segment whose key was not destroyed.

        Raises:
            UsageError: too few of the keys fit.
            DamagedError: they fit, and what they open is wrong.
        """
        points = dict(self._points(keys, binding(header, self._access, segment)))
        wanted = self._access.threshold
        if len(points) < wanted:
            raise UsageError(self._why_closed(len(points)))
        chosen = dict(list(points.items())[:wanted])
        self.opened_with = tuple(self._access.names[x - 1] for x in chosen)
        secret = joined(chosen)
        cipher = None
        if secret < 1 << (8 * KEY_BYTES):
            cipher = SegmentCipher(header, segment, secret.to_bytes(KEY_BYTES))
        if cipher is None or not cipher.owns(keys):
            raise self._damaged(segment)
        return cipher

    def _points(self, keys: Keys, bind: bytes) -> Iterable[tuple[int, int]]:
        """Yield the shares that the private keys open."""
        if len(keys.wraps) != len(self._access.recipients):
            raise DamagedError(f"{self._name} is damaged: keys and recipients differ in number")
        for number, wrap in enumerate(keys.wraps, 1):
            known = self._fits.get(number)
            for identity in [known] if known else self._identities:
                try:
                    share = pyrage.decrypt(wrap, [identity])
                except pyrage.DecryptError as error:
                    if known or "No matching keys" not in str(error):
                        raise DamagedError(
                            f"{self._name} is damaged: the keys of segment {keys.segment} "
                            "cannot be opened"
                        ) from error
                    continue
                x, y = share[0], int.from_bytes(share[1 : 1 + _SHARE_BYTES])
                if share[1 + _SHARE_BYTES :] != bind or x != number:
                    raise DamagedError(
                        f"{self._name} is damaged: the keys of segment {keys.segment} belong "
                        "elsewhere, or its recipients were changed"
                    )
                self._fits[number] = identity
                yield x, y
                break

    def _damaged(self, segment: Segment) -> DamagedError:
        return DamagedError(
            f"{self._name} is damaged: the keys of segment {segment.number} were changed"
        )

    def _why_closed(self, fitting: int) -> str:
        names, wanted = ", ".join(map(short, self._access.names)), self._access.threshold
        if wanted > 1:
            return (
                f"{self._name} takes the keys of {wanted} of its recipients, {fitting} given: it "
                f"is sealed for {names}; give -i once for each, --seal-passphrase for a passphrase"
            )
        return f"no key given opens {self._name}: it is sealed for {names}"


def split(secret: int, threshold: int, count: int) -> list[tuple[int, int]]:
    """Return points (x, y) of a random polynomial; any ``threshold`` of them give the secret."""
    factors = [secret] + [secrets.randbelow(PRIME) for _ in range(threshold - 1)]
    return [
        (x, sum(factor * pow(x, power, PRIME) for power, factor in enumerate(factors)) % PRIME)
        for x in range(1, count + 1)
    ]


def joined(points: dict[int, int]) -> int:
    """Return the secret of enough points: Lagrange's polynomial at 0."""
    secret = 0
    for x, y in points.items():
        above = below = 1
        for other in points:
            if other != x:
                above = above * other % PRIME
                below = below * (other - x) % PRIME
        secret += y * above * pow(below, -1, PRIME)
    return secret % PRIME


def public_key(text: str) -> Recipient:
    """Read one recipient.

    Raises:
        UsageError: it is none; a private key is not repeated in the message.
    """
    if text.startswith("AGE-SECRET-KEY") or "PRIVATE KEY" in text:
        raise UsageError(
            f"a recipient is a private key: {_FORMS}; keep the private one to yourself"
        )
    try:
        if text.startswith("age1"):
            return x25519.Recipient.from_str(text)
        if text.startswith("ssh-"):
            return ssh.Recipient.from_str(text)
    except pyrage.RecipientError as error:
        raise UsageError(
            f"recipient {short(text)} is no public key, look for a typo: {_FORMS}"
        ) from error
    raise UsageError(f"recipient {short(text)!r} is neither a public key nor a file: {_FORMS}")


def write_new_key(path: Path) -> str:
    """Write a new private key to a file that only its owner may read; return the public key.

    Raises:
        UsageError: the file exists, or cannot be written.
    """
    identity = x25519.Identity.generate()
    public = str(identity.to_public())
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(number, "w", encoding="ascii") as file:
            file.write(f"# public key: {public}\n{identity}\n")
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror}): name a new file") from error
    return public


def _comparable(name: str) -> str:
    """Return a public key without its comment."""
    return " ".join(name.split()[:2])


def _listed(text: str) -> list[str]:
    """Return the recipients that a text names: itself, or the lines of a file."""
    text = text.strip()
    if text.startswith(("age1", "ssh-", "AGE-SECRET-KEY")):
        return [text]
    path = Path(text)
    if not path.is_file():
        return [text]
    lines = _lines(path)
    for number, line in lines:
        try:
            public_key(line)
        except UsageError as error:
            raise UsageError(f"{path} line {number}: {error}") from error
    if not lines:
        raise UsageError(f"{path} names no recipient: {_FORMS}")
    return [line for _, line in lines]


def _lines(path: Path) -> list[tuple[int, str]]:
    """Return the lines of a file that are not empty and no comments, with their numbers."""
    try:
        text = read_key_file(path).decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is no text: wanted a file of keys, one a line") from error
    lines = ((number, line.strip()) for number, line in enumerate(text.splitlines(), 1))
    return [(number, line) for number, line in lines if line and not line.startswith("#")]


def read_key_file(path: Path, what: str = "keys") -> bytes:
    """Return the content of a file that holds keys, or something else as short.

    Raises:
        UsageError: it cannot be read, or is too long to be one.
    """
    try:
        with path.open("rb") as file:
            data = file.read(1 << 20)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read ({error.strerror}): name a file of {what}"
        ) from error
    if len(data) == 1 << 20:
        raise UsageError(f"{path} is no file of {what}: it has a megabyte or more")
    return data


def read_passphrase(path: Path) -> str:
    """Return the first line of a file.

    Raises:
        UsageError: it is empty or no text.
    """
    try:
        text = read_key_file(path, "a passphrase").decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is no text: wanted a passphrase in its first line") from error
    line = text.partition("\n")[0].strip("\r")
    if not line:
        raise UsageError(f"{path} has no passphrase in its first line: write one there")
    return line


def private_keys(path: Path) -> list[Identity]:
    """Read a file of private keys: of age, one a line, or one of OpenSSH.

    Raises:
        UsageError: there is none, or of another kind.
    """
    data = read_key_file(path)
    if b"PRIVATE KEY-----" in data:
        try:
            return [ssh.Identity.from_buffer(data)]
        except pyrage.IdentityError as error:
            raise UsageError(
                f"{path} cannot be used ({error}): wanted a private key of ssh-ed25519 or ssh-rsa "
                "without a passphrase (ssh-keygen -p removes it from a copy)"
            ) from error
    found: list[Identity] = []
    for number, line in _lines(path):
        if line.startswith(("age1", "ssh-")):
            raise UsageError(f"{path} holds a public key: wanted the private one that goes with it")
        try:
            found.append(x25519.Identity.from_str(line))
        except (pyrage.IdentityError, ValueError) as error:
            raise UsageError(
                f"{path} line {number} is no private key: wanted AGE-SECRET-KEY-1... or a file of "
                "OpenSSH"
            ) from error
    if not found:
        raise UsageError(f"{path} holds no key: wanted AGE-SECRET-KEY-1... or a file of OpenSSH")
    return found


def from_passphrase(access: Access, secret: Path, name: str) -> Identity:
    """Return the private key that the passphrase in the first line of a file opens.

    Raises:
        UsageError: it does not open the sidecar of that name.
    """
    if access.passphrase is None:
        raise UsageError(f"{name} was sealed without a passphrase: give a private key with -i")
    try:
        message = base64.b64decode(access.passphrase, validate=True)
        return x25519.Identity.from_str(
            passphrase.decrypt(message, read_passphrase(secret)).decode()
        )
    except (pyrage.DecryptError, ValueError) as error:
        raise UsageError(f"the passphrase in {secret} does not open {name}: try another") from error


def short(name: str) -> str:
    """Return a public key as messages show it."""
    return name if len(name) <= 80 else f"{name[:36]}...{name[-12:]}"
