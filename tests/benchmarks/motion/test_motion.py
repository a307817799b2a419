"""Windows of curves that are made up, and two people whose photographs change into each other."""

import json
from itertools import chain, repeat
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

pytest.importorskip("torch", reason="the group bench is not installed")

from benchmarks.motion.command import command
from benchmarks.motion.features import describe, nearest, vectors, windows
from benchmarks.report import motion
from benchmarks.report.records import Record
from streamanon.errors import UsageError
from streamanon.types import F32, U8
from testkit.photos import read_photo
from testkit.videos import write_video

RATE = 10.0


def talking(person: int, frames: int = 100) -> F32:
    """Return curves in which ten blendshapes of a person's own move together."""
    random = np.random.default_rng(person)
    curves = np.abs(random.normal(0.2, 0.05, (frames, 52)))
    together = random.normal(0, 0.15, (frames, 1))
    curves[:, 10 * person : 10 * person + 10] += together
    return curves.astype(np.float32)


def found(
    probes: list[F32], originals: list[F32], features: str, *, same_moment: bool
) -> NDArray[np.intp]:
    here, there = (
        vectors([describe(one) for one in part], features) for part in (probes, originals)
    )
    return nearest(here, there, range(len(probes)), same_moment=same_moment)


def test_windows_are_whole_and_show_the_face() -> None:
    curves = talking(0, 80)
    curves[30:40] = np.nan  # of the second window
    curves[52:54] = np.nan  # of the third
    first, second, third = windows(curves, RATE)
    assert first is not None
    assert first.shape == (25, 52)
    assert second is None
    assert third is not None
    assert third.shape == (23, 52)


def test_people_are_found_by_what_moves_together_wherever_it_rests() -> None:
    parts = [part for person in range(3) for part in windows(talking(person), RATE)]
    originals = [part for part in parts if part is not None]
    assert len(originals) == 12
    for features in ("all", "changes"):
        other = found(originals, originals, features, same_moment=False)
        assert (other != range(12)).all()
        assert (other // 4 == np.arange(12) // 4).all()
    shifted = [part + np.float32(0.3) for part in originals]
    changes = found(shifted, originals, "changes", same_moment=True)
    assert (changes == range(12)).all()


def test_faces_that_move_as_others_do_are_taken_for_them() -> None:
    originals = [
        part for who in range(2) for part in windows(talking(who), RATE) if part is not None
    ]
    swapped = originals[4:] + originals[:4]
    other = found(swapped, originals, "all", same_moment=False)
    assert (other // 4 != np.arange(8) // 4).all()


def clip_of(number: str, path: Path) -> None:
    """Write six seconds in which somebody smiles now and then."""
    neutral, smiling = (
        cv2.resize(read_photo(f"london_{number}_{which}"), (256, 256))
        for which in ("neutral", "smiling")
    )
    images = [np.asarray(one, np.uint8) for one in (neutral, smiling, smiling, neutral)]
    write_video(path, list(chain.from_iterable(repeat(images, 6))), rate=4)


def test_the_command_writes_what_the_report_reads(tmp_path: Path) -> None:
    for number in ("001", "002"):
        clip_of(number, tmp_path / f"{number}.mp4")
    words = ["none", "solid", "--clips", str(tmp_path), "--cache", str(tmp_path / "cache")]
    done = CliRunner().invoke(
        command, [*words, "--out", str(tmp_path / "out")], catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    document = json.loads((tmp_path / "out" / "motion.json").read_text())
    assert document["settings"]["windows"] == {"001": 2, "002": 2}
    rows = document["results"]["rows"]
    assert rows["none"]["seen"] == 4
    assert rows["none"]["known"]["all"]["same"]["mean"] == 1
    assert rows["solid"]["seen"] == 0
    assert rows["solid"]["known"]["all"]["same"]["mean"] == 0
    (table,) = motion.tables(Record("motion", document))
    assert table.rows == ["none", "solid"]
    assert "2 people, each in a clip of their own, 4 windows" in table.note


def test_too_few_people_are_an_error(tmp_path: Path) -> None:
    grey: list[U8] = [np.full((64, 64, 3), 90, np.uint8)] * 8
    write_video(tmp_path / "grey.mp4", grey, rate=4)
    with pytest.raises(UsageError, match="fewer than two people"):
        CliRunner().invoke(
            command,
            ["none", "--clips", str(tmp_path), "--cache", str(tmp_path / "cache")],
            catch_exceptions=False,
        )
