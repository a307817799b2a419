"""People who get the same new face again, by a key."""

import stat
from pathlib import Path

import numpy as np
import pytest

import streamanon
from streamanon import Config
from streamanon.errors import UsageError
from streamanon.identities.gallery import load_builtin
from streamanon.sealed.people import KeyedPeople
from streamanon.tracking.identity_assigner import IdentityAssigner
from streamanon.types import F32, Identity

PEOPLE = 6


def _face(person: int, view: int) -> F32:
    """Return what a recogniser says of a view of somebody: 0.75 like any other view of them."""
    own = np.random.default_rng(person).normal(size=128)
    other = np.random.default_rng((person + 1) * 1000 + view).normal(size=128)
    face = own + 0.55 * other
    return (face / np.linalg.norm(face)).astype(np.float32)


def _key(folder: Path, name: str, text: str = "") -> Path:
    file = folder / name
    file.write_bytes((text or f"{name} that no one can guess").encode())
    return file


def _given(key: Path | None, view: int, order: tuple[int, ...]) -> dict[int, Identity]:
    """Show people to a new stream, one after the other; return whom they become."""
    known = KeyedPeople(key) if key else None
    assigner = IdentityAssigner(load_builtin(), known=known)
    found = {}
    for person in order:
        for sample in range(3):
            assigner.add_evidence(person, _face(person, 10 * view + sample), 1.0)
        identity = assigner.identity_of(person, [person])
        assert identity
        found[person] = identity
    return found


def _looks(found: dict[int, Identity]) -> dict[int, tuple[str, str, float]]:
    return {
        person: (one.name, one.kin[0].name, one.kin[1]) for person, one in found.items() if one.kin
    }


def test_the_same_key_gives_the_same_people_the_same_faces(tmp_path: Path) -> None:
    key = _key(tmp_path, "a.key")
    first = _looks(_given(key, 1, (0, 1, 2)))
    again = _looks(_given(key, 2, (5, 2, 4, 0, 3, 1)))
    third = _looks(_given(key, 3, (3, 1, 5, 4, 2, 0)))
    assert len(third) == PEOPLE
    assert {person: again[person] for person in first} == first
    assert again == third
    assert len({name for name, *_ in third.values()}) == PEOPLE


def test_another_key_gives_others(tmp_path: Path) -> None:
    order = tuple(range(PEOPLE))
    one, other = (_looks(_given(_key(tmp_path, name), 1, order)) for name in ("a.key", "b.key"))
    assert all(one[person] != other[person] for person in order)
    assert sum(one[person][0] == other[person][0] for person in order) <= 3


def test_streams_at_the_same_time_learn_of_each_other(tmp_path: Path) -> None:
    key, gallery = _key(tmp_path, "a.key"), load_builtin()
    left, right = (IdentityAssigner(gallery, known=KeyedPeople(key)) for _ in range(2))
    left.add_evidence(1, _face(0, 1), 1.0)
    right.add_evidence(7, _face(0, 2), 1.0)
    here, there = left.identity_of(1, [1]), right.identity_of(7, [7])
    assert here
    assert there
    assert _looks({0: here}) == _looks({0: there})


def test_nothing_of_a_face_can_be_read_without_the_key(tmp_path: Path) -> None:
    key = _key(tmp_path, "a.key")
    _given(key, 1, (0, 1))
    _given(_key(tmp_path, "b.key"), 1, (0, 1))
    stored = (tmp_path / "a.key.people").read_bytes()
    assert len(stored) == 2 * 584
    assert stat.S_IMODE((tmp_path / "a.key.people").stat().st_mode) == 0o600
    assert stored != (tmp_path / "b.key.people").read_bytes()
    (_, evidence), _ = KeyedPeople(key).since(0)
    assert evidence[:4].tobytes() not in stored
    (tmp_path / "b.key.people").write_bytes(stored)
    with pytest.raises(UsageError, match="made with another key, or is damaged"):
        KeyedPeople(tmp_path / "b.key")


def test_keys_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has 5 bytes: wanted 16 or more"):
        KeyedPeople(_key(tmp_path, "short", "guess\n"))
    with pytest.raises(UsageError, match="cannot be read"):
        KeyedPeople(tmp_path / "missing")
    with pytest.raises(UsageError, match="--identity gives everyone one face"):
        Config(identity="ann", identity_key=tmp_path / "a.key")


def test_runs_know_somebody_again(face_clip: Path, tmp_path: Path) -> None:
    settings = Config(method="warp", identity_key=_key(tmp_path, "a.key"))
    given = []
    for number in range(2):
        report = streamanon.anonymise(face_clip, tmp_path / f"{number}.mp4", settings)
        given.append(report.ledger.tracks[1].identities)
        assert (tmp_path / "a.key.people").stat().st_size == 584
    assert given[0] == given[1] != []
