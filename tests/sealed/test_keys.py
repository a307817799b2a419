"""Recipients, private keys, and sharing a secret among several."""

import itertools
import subprocess
from pathlib import Path

import pytest

from streamanon.errors import UsageError
from streamanon.sealed.cipher import KEY_BYTES, SegmentCipher, size_class
from streamanon.sealed.keys import (
    Keyring,
    Recipients,
    from_passphrase,
    joined,
    private_keys,
    split,
    write_new_key,
)
from streamanon.sealed.records import Header, Segment
from testkit.sealing import Holder

HEADER, SEGMENT = Header.new(bytes(32)), Segment(1, 1, 0)


def test_any_k_points_give_the_secret_and_fewer_fit_every_other() -> None:
    secret = 2**256 - 12345
    points = split(secret, 3, 5)
    for chosen in itertools.combinations(points, 3):
        assert joined(dict(chosen)) == secret
    for two in itertools.combinations(points, 2):
        assert joined(dict(two)) != secret
        assert joined({**dict(two), 9: 1234}) != secret


def test_one_of_one_is_the_secret_itself() -> None:
    assert split(7, 1, 2) == [(1, 7), (2, 7)]


@pytest.mark.parametrize("size", [0, 1, 1024, 1025, 1152, 5000, 123_456, 10_000_001])
def test_size_classes_hold_and_waste_an_eighth_at_most(size: int) -> None:
    padded = size_class(size)
    assert padded >= max(size, 1024)
    assert padded <= max(1024, size * 1.126)
    assert size_class(padded) == padded


def test_there_are_few_size_classes() -> None:
    assert len({size_class(size) for size in range(0, 1 << 20, 97)}) == 81


@pytest.mark.parametrize("chosen", [(0, 1), (0, 2), (1, 2)])
def test_two_of_three_open_together(holders: list[Holder], chosen: tuple[int, int]) -> None:
    recipients = Recipients.of([one.public for one in holders], threshold=2)
    cipher = SegmentCipher(HEADER, SEGMENT)
    keys = recipients.wrap(HEADER, SEGMENT, cipher)
    found = [key for one in chosen for key in private_keys(holders[one].file)]
    opened = Keyring(recipients.access, found, "x").unwrap(HEADER, SEGMENT, keys)
    assert opened.key == cipher.key
    for alone in found:
        with pytest.raises(UsageError, match="x takes the keys of 2 of its recipients, 1 given"):
            Keyring(recipients.access, [alone], "x").unwrap(HEADER, SEGMENT, keys)


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_ssh_keys_open(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "id"
    command = ["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(file), "-C", "ann@home"]
    try:
        subprocess.run(command, check=True)
    except FileNotFoundError:
        pytest.skip("ssh-keygen is not installed")
    recipients = Recipients.of([str(file.with_suffix(".pub"))])
    assert "ann@home" not in recipients.access.recipients[0]
    cipher = SegmentCipher(HEADER, SEGMENT)
    keys = recipients.wrap(HEADER, SEGMENT, cipher)
    keyring = Keyring(recipients.access, private_keys(file), "x")
    assert keyring.unwrap(HEADER, SEGMENT, keys).key == cipher.key


def test_a_passphrase_opens(tmp_path: Path, holders: list[Holder]) -> None:
    (tmp_path / "words").write_text("correct horse\nnot this\n")
    (tmp_path / "wrong").write_text("incorrect horse\n")
    recipients = Recipients.of([holders[0].public], secret=tmp_path / "words")
    assert "correct" not in recipients.access.pack().decode()
    cipher = SegmentCipher(HEADER, SEGMENT)
    keys = recipients.wrap(HEADER, SEGMENT, cipher)
    key = from_passphrase(recipients.access, tmp_path / "words", "x")
    assert Keyring(recipients.access, [key], "x").unwrap(HEADER, SEGMENT, keys).key == cipher.key
    with pytest.raises(UsageError, match="does not open x"):
        from_passphrase(recipients.access, tmp_path / "wrong", "x")


def test_a_wrap_opens_only_in_its_place(holders: list[Holder]) -> None:
    recipients = Recipients.of([holders[0].public])
    keys = recipients.wrap(HEADER, SEGMENT, SegmentCipher(HEADER, SEGMENT))
    keyring = Keyring(recipients.access, private_keys(holders[0].file), "x")
    for header, segment in ((Header.new(bytes(32)), SEGMENT), (HEADER, Segment(2, 1, 0))):
        with pytest.raises(UsageError, match="belong elsewhere"):
            keyring.unwrap(header, segment, keys)


def test_a_new_key_is_for_its_owner_only_and_replaces_nothing(tmp_path: Path) -> None:
    public = write_new_key(tmp_path / "key")
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert str(private_keys(tmp_path / "key")[0].to_public()) == public
    with pytest.raises(UsageError, match="File exists"):
        write_new_key(tmp_path / "key")


def test_wrong_recipients_are_named_in_one_line(tmp_path: Path, holders: list[Holder]) -> None:
    good = holders[0].public
    secret = private_keys(holders[0].file)[0]
    (tmp_path / "empty").write_text("# nobody\n")
    (tmp_path / "typo").write_text(f"# court\n{good}\n\nage1bad\n")
    (tmp_path / "video").write_bytes(b"\0\xff" * 99)
    wrong = {
        good[:-1] + ("q" if good[-1] != "q" else "p"): "look for a typo",
        good[:-5]: "look for a typo",
        "ssh-ed25519 AAAA": "look for a typo",
        "ssh-dss AAAA": "look for a typo",
        "ann@example.org": "neither a public key nor a file",
        str(secret): "a recipient is a private key",
        str(tmp_path / "empty"): "names no recipient",
        str(tmp_path / "typo"): "typo line 4: recipient age1bad is no public key",
        str(tmp_path / "video"): "is no text",
        str(holders[0].file): "a recipient is a private key",
    }
    for text, message in wrong.items():
        with pytest.raises(UsageError, match=message) as refused:
            Recipients.of([text])
        assert str(secret) not in str(refused.value)
    with pytest.raises(UsageError, match="named twice"):
        Recipients.of([good, good])
    for threshold in (0, 3):
        with pytest.raises(UsageError, match=f"threshold is {threshold} of 2"):
            Recipients.of([good, holders[1].public], threshold=threshold)


def test_wrong_private_keys_are_named_in_one_line(tmp_path: Path, holders: list[Holder]) -> None:
    cases = {
        "public": (holders[0].public, "holds a public key"),
        "empty": ("\n", "holds no key"),
        "typo": ("AGE-SECRET-KEY-1ABC", "line 1 is no private key"),
        "ssh": ("-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n", "cannot be used"),
        "long": ("#" * (1 << 20), "is no file of keys"),
    }
    for name, (text, message) in cases.items():
        (tmp_path / name).write_text(text)
        with pytest.raises(UsageError, match=message):
            private_keys(tmp_path / name)
    with pytest.raises(UsageError, match="cannot be read"):
        private_keys(tmp_path / "missing")


def test_a_key_is_overwritten_when_it_is_forgotten() -> None:
    cipher = SegmentCipher(HEADER, SEGMENT)
    cipher.forget()
    assert cipher.key == bytes(KEY_BYTES)
