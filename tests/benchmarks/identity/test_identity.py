"""Who is still known: two people of the London set, and none of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks.identity.command import command
from benchmarks.identity.people import Person, read_people
from benchmarks.identity.suite import GEOMETRY, Suite
from benchmarks.judges.geometry import descriptors
from benchmarks.judges.recognisers import recogniser
from benchmarks.methods import Anonymised, method
from benchmarks.report import identity
from benchmarks.report.records import Record
from streamanon.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from streamanon.types import U8


@pytest.fixture(scope="module")
def people(london: Path) -> list[Person]:
    return read_people(london)


def suite(people: list[Person]) -> Suite:
    return Suite(people, [recogniser("mobilefacenet")], lambda: None)


def _mean(row: dict[str, dict[str, dict[str, float]]], judge: str, kind: str) -> float:
    return row[judge][kind]["mean"]


def test_both_photographs_of_everybody_are_read(people: list[Person]) -> None:
    assert [person.name for person in people] == ["001", "002"]
    assert people[0].neutral.shape == people[0].smiling.shape
    assert (people[0].neutral != people[0].smiling).any()


def test_a_data_set_without_pairs_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no one both neutral and smiling"):
        read_people(tmp_path)
    (tmp_path / "no.tar").write_bytes(b"no tar file")
    with pytest.raises(UsageError, match="no readable tar file"):
        read_people(tmp_path / "no.tar")


def test_the_originals_are_known_and_covers_are_not(people: list[Person]) -> None:
    judged = suite(people)
    known = judged.row(method("none"), lambda: None)
    assert known["seen"] == 2
    for judge in (GEOMETRY, "mobilefacenet"):
        assert _mean(known["known"], judge, "same_rank_1") == 1
        assert _mean(known["known"], judge, "same_far") == 1
    hidden = judged.row(lambda _, image: Anonymised(np.zeros_like(image), 1, 0), lambda: None)
    assert hidden["seen"] == 0
    for kind in ("other_rank_1", "other_far", "same_rank_1", "same_far"):
        assert _mean(hidden["known"], GEOMETRY, kind) == 0


def test_faces_that_change_places_are_known_as_each_other(people: list[Person]) -> None:
    others = {one.name: other.neutral for one, other in zip(people, people[::-1], strict=True)}

    def swap(name: str, _: U8) -> Anonymised:
        return Anonymised(others[name], 1, 0)

    known = suite(people).row(swap, lambda: None)["known"]
    assert _mean(known, "mobilefacenet", "same_far") == 0
    assert _mean(known, GEOMETRY, "same_rank_1") == 0


def test_geometry_does_not_see_place_size_and_turn(people: list[Person]) -> None:
    judged = suite(people)
    seen = [pair[0].points for pair in judged._originals.seen]
    turn = np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1]], np.float32)
    moved = [np.asarray(1.5 * points @ turn.T + 40, np.float32) for points in seen]
    both = descriptors([*seen, *moved])
    assert np.allclose(both[:2], both[2:], atol=1e-3)


def test_the_command_writes_what_the_report_reads(london: Path, tmp_path: Path) -> None:
    words = ["none", "solid", "--data", str(london), "--out", str(tmp_path)]
    result = CliRunner().invoke(command, [*words, "--faceres", str(tmp_path / "none.onnx")])
    assert result.exit_code == 0, result.output
    document = json.loads((tmp_path / "identity.json").read_text())
    assert list(document["results"]["rows"]) == ["none", "solid"]
    found = list(identity.tables(Record("identity", document)))
    assert found[0].title == "Known by geometry alone"
    assert found[0].rows == ["none", "solid"]
    assert "apparent sex" not in found[-1].title
    rows = document["results"]["rows"]
    assert rows["none"]["appearance"]["sex"]["n"] == 0
    for row in rows.values():
        row["appearance"] = dict.fromkeys(("sex", "age"), row["known"]["geometry"]["same_far"])
    looks = list(identity.tables(Record("identity", document)))[-1]
    assert "apparent sex" in looks.title
    assert looks.rows == ["none", "solid"]
    assert "none" in Record("identity", document).provider_of_rows()


def test_another_network_is_no_faceres(tmp_path: Path) -> None:
    path = tmp_path / "faceres.onnx"
    path.write_bytes(b"no network")
    with pytest.raises(UsageError, match="not a network"):
        recogniser(f"faceres:{path}")
