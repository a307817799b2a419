"""Whatever is done to a sidecar, it says so in one line and gives nothing out."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from streamanon.errors import UsageError
from streamanon.sealed.keys import Keyring, Recipients, private_keys
from streamanon.sealed.opening import OpenSidecar
from streamanon.sealed.records import Chunk, Segment, packed, read_header, read_records
from streamanon.sealed.sidecar import Sidecar
from testkit.sealing import Holder, noise, scene, seal_scenes

BOX = (16.0, 16.0, 48.0, 48.0)
ALWAYS = range(-(2**62), 2**62)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, holders: list[Holder]) -> Path:
    """A sidecar of two segments, that two people can open."""
    path = tmp_path_factory.mktemp("made") / "out.mp4.sealed"
    frames = [0, 1, 60, 61]  # a person who is away for long begins another segment
    scenes = [scene(index, noise(index), [BOX]) for index in frames]
    return seal_scenes(path, scenes, Recipients.of([one.public for one in holders[:2]]))


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory, holders: list[Holder]) -> tuple[Path, Holder]:
    """A sidecar with a record of every kind, and the two keys that it takes together, in one file.

    Its recipients are an age key, an SSH key and a passphrase; somebody in it was recognised late,
    somebody else was forgotten, and one frame was covered whole.
    """
    folder = tmp_path_factory.mktemp("rich")
    ssh = Ed25519PrivateKey.generate()
    private = ssh.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    public = ssh.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    (folder / "ssh").write_bytes(private)
    (folder / "words").write_text("correct horse\n")
    given = [holders[0].public, public]
    recipients = Recipients.of(given, secret=folder / "words", threshold=2)
    boxes = [(0.0, 0.0, 30.0, 60.0), (34.0, 0.0, 64.0, 60.0)]
    scenes = [scene(index, noise(index), boxes) for index in range(3)]
    for at, first in ((0, 1), (1, 2), (2, 2)):  # the track of the one on the left is a new one
        left, right = scenes[at].subjects
        left = replace(left, track=replace(left.track, id=10 * first), person=(7, None, 7)[at])
        scenes[at] = replace(scenes[at], subjects=(left, right))
    scenes.append(scene(3, noise(3), boxes, distrust="unclear"))
    path = seal_scenes(folder / "out.mp4.sealed", scenes, recipients)
    sidecar = Sidecar(path)
    sidecar.forget(sidecar.people[2])
    return path, Holder(folder / "ssh", public)


def _is_refused(path: Path, data: bytes, keys: Sequence[Path]) -> None:
    path.write_bytes(data)
    with pytest.raises(UsageError) as refused:
        _opened(path, keys)
    assert "\n" not in str(refused.value)


def _opened(path: Path, keys: Sequence[Path], *, force: bool = False) -> int:
    """Open everything in a sidecar with some keys; return how many crops came out.

    Raises:
        UsageError: it is damaged, or has no end, which `streamanon reveal` takes with --force only.
    """
    sidecar = Sidecar(path)
    given = [one for key in keys for one in private_keys(key)]
    opened = OpenSidecar(sidecar, Keyring(sidecar.access, given, path.name))
    if not (sidecar.complete or force):
        raise UsageError("it has no end")
    entries = opened.entries([], ALWAYS)
    opened.verify(entries)
    return len(list(opened.crops(entries, ALWAYS, noise(0).colour)))


@pytest.mark.parametrize("every", [11, pytest.param(1, marks=pytest.mark.slow)])
def test_a_change_of_any_kind_of_record_is_refused(
    rich: tuple[Path, Holder], tmp_path: Path, holders: list[Holder], every: int
) -> None:
    data, path, keys = rich[0].read_bytes(), tmp_path / "x.sealed", [holders[0].file, rich[1].file]
    with rich[0].open("rb") as file:
        read_header(file, "")
        kinds = [record.kind for _, record in read_records(file, "")]
    assert set(kinds) == {b"R", b"S", b"K", b"C", b"L"}
    assert _opened(rich[0], keys) == 4
    for alone in keys:
        _is_refused(path, data, [alone])
    inside = _ciphertexts(rich[0])
    for at in range(0, len(data), every):
        if at not in inside or at % 97 == 0:
            _is_refused(path, _flipped(data, at, at % 8), keys)


def _flipped(data: bytes, at: int, bit: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]


def test_untouched_it_opens(made: Path, holders: list[Holder]) -> None:
    assert _opened(made, [holders[0].file]) == _opened(made, [holders[1].file]) == 4
    with pytest.raises(UsageError, match="no key given opens"):
        _opened(made, [holders[2].file])


def test_any_byte_that_is_changed_is_refused(
    made: Path, tmp_path: Path, holders: list[Holder]
) -> None:
    data, path = made.read_bytes(), tmp_path / "out.mp4.sealed"
    inside = _ciphertexts(made)
    for at in range(len(data)):
        if at in inside and at % 97:
            continue
        _is_refused(path, _flipped(data, at, at % 8), [holders[0].file])


@pytest.mark.slow
def test_any_bit_of_any_byte_that_is_changed_is_refused(
    made: Path, tmp_path: Path, holders: list[Holder]
) -> None:
    data, path = made.read_bytes(), tmp_path / "out.mp4.sealed"
    for at in range(len(data)):
        for bit in range(0, 8, 3):
            _is_refused(path, _flipped(data, at, bit), [holders[0].file])


def _ciphertexts(path: Path) -> set[int]:
    """Return the places of all bytes of ciphertext of pixels."""
    sidecar, found = Sidecar(path), set[int]()
    for entry in sidecar.segments.values():
        for at, chunk in zip(entry.chunks, sidecar.chunks(entry), strict=True):
            begin = at + len(chunk.pack_fields())
            found |= set(range(begin, begin + len(chunk.ciphertext)))
    return found


def test_a_cut_sidecar_is_refused_and_opens_up_to_there_with_force(
    made: Path, tmp_path: Path, holders: list[Holder]
) -> None:
    data, path = made.read_bytes(), tmp_path / "out.mp4.sealed"
    crops = []
    for size in range(0, len(data) - 1, 331):
        _is_refused(path, data[:size], [holders[0].file])
        if size > 1700:  # from where the segment of the file has begun
            crops.append(_opened(path, [holders[0].file], force=True))
    assert crops == sorted(crops)
    assert {0, 4} < set(crops)


def test_records_moved_repeated_left_out_or_added_are_noticed(
    made: Path, tmp_path: Path, holders: list[Holder]
) -> None:
    with made.open("rb") as file:
        head = read_header(file, "").pack()
        records = [packed(record) for _, record in read_records(file, "")]
    path = tmp_path / "out.mp4.sealed"
    path.write_bytes(head + b"".join(records))
    assert _opened(path, [holders[0].file]) == 4
    for at in range(len(records)):
        without = records[:at] + records[at + 1 :]
        twice = records[: at + 1] + records[at:]
        _is_refused(path, head + b"".join(twice), [holders[0].file])
        _is_refused(path, head + b"".join(without), [holders[0].file])
        if at < len(records) - 1:
            swapped = [*without[: at + 1], records[at], *without[at + 1 :]]
            _is_refused(path, head + b"".join(swapped), [holders[0].file])
    _is_refused(path, head + b"".join(records) + b"\0", [holders[0].file])


def test_parts_of_another_sidecar_are_noticed(
    made: Path, tmp_path: Path, holders: list[Holder]
) -> None:
    recipients = Recipients.of([one.public for one in holders[:2]])
    scenes = [scene(index, noise(index), [BOX]) for index in (0, 1, 60, 61)]
    other = seal_scenes(tmp_path / "other.mp4.sealed", scenes, recipients)
    heads, parts = [], []
    for one in (made, other):
        with one.open("rb") as file:
            heads.append(read_header(file, "").pack())
            parts.append([record for _, record in read_records(file, "")])
    path = tmp_path / "out.mp4.sealed"
    for at, (mine, theirs) in enumerate(zip(*parts, strict=True)):
        assert type(mine) is type(theirs)
        if packed(mine) == packed(theirs):
            assert not isinstance(mine, Chunk)  # the same begins of segments
            continue
        mixed = [*parts[0][:at], theirs, *parts[0][at + 1 :]]
        _is_refused(path, heads[0] + b"".join(map(packed, mixed)), [holders[0].file])
    _is_refused(path, heads[1] + b"".join(map(packed, parts[0])), [holders[0].file])


def test_what_is_no_sidecar_is_refused(tmp_path: Path, holders: list[Holder]) -> None:
    path = tmp_path / "out.mp4.sealed"
    for data in (b"", b"SEALED", bytes(5000), b"SEALED\x00\x02" + bytes(100)):
        _is_refused(path, data, [holders[0].file])
    with pytest.raises(UsageError, match="cannot be read"):
        Sidecar(tmp_path / "missing.sealed")


def test_bytes_tell_nothing_of_the_people(tmp_path: Path, holders: list[Holder]) -> None:
    """A nearest-mean classifier of byte histograms does not tell two people apart."""
    recipients = Recipients.of([holders[0].public])
    flat, busy = noise(0), noise(1)
    for plane in flat.planes:
        plane[:] = np.arange(64)
    right = total = 0
    for trial in range(24):
        histograms = []
        for name, picture in (("flat", flat), ("busy", busy)):
            for number in range(3):
                path = tmp_path / f"{trial}-{name}-{number}.sealed"
                scenes = [scene(index, picture, [BOX]) for index in range(2)]
                seal_scenes(path, scenes, recipients, lossless=False)
                data = np.frombuffer(b"".join(_pixel_chunks(path))[:1024], np.uint8)
                histograms.append(np.bincount(data, minlength=256).astype(float))
        means = [np.mean(histograms[:2], axis=0), np.mean(histograms[3:5], axis=0)]
        for truth, seen in ((0, histograms[2]), (1, histograms[5])):
            away = [float(np.linalg.norm(seen - mean)) for mean in means]
            right += int(np.argmin(away)) == truth
            total += 1
    assert abs(right / total - 0.5) < 0.3  # four standard deviations of a coin


def _pixel_chunks(path: Path) -> list[bytes]:
    sidecar = Sidecar(path)
    return [
        chunk.ciphertext
        for number, entry in sidecar.segments.items()
        if number
        for chunk in sidecar.chunks(entry)
    ]


def test_segments_name_only_numbers_and_times(made: Path) -> None:
    with made.open("rb") as file:
        read_header(file, "")
        kinds = {type(record) for _, record in read_records(file, "")}
    assert Segment in kinds
    clear = made.read_bytes()
    for at in sorted(_ciphertexts(made), reverse=True):
        clear = clear[:at] + clear[at + 1 :]
    for word in (b"width", b"yuv", b"ffv1", b"out.mp4", b"test"):
        assert word not in clear
