"""The classifier finds what differs, and nothing where nothing does."""

import json
from pathlib import Path

import cv2
import numpy as np
from click.testing import CliRunner

from benchmarks.judges.telltale import Describer, area_under_curve
from benchmarks.telltale.command import command
from streamanon.identities.gallery import load_builtin
from streamanon.types import U8

FACES: list[U8] = [
    np.asarray(cv2.resize(one.portrait, (128, 128)), np.uint8) for one in load_builtin()[:40]
]
NAMES = [f"{index // 2}" for index in range(40)]


def slightly_brighter(image: U8) -> U8:
    return np.asarray(cv2.convertScaleAbs(image, beta=1), np.uint8)


def with_a_seam(image: U8) -> U8:
    seamed = image.copy()
    cv2.ellipse(seamed, (64, 64), (40, 52), 0, 0, 360, (60, 60, 60), 2)
    return seamed


def test_a_seam_is_distinguished_from_none() -> None:
    describe = Describer()
    real = describe(FACES)
    same = area_under_curve(real, describe(map(slightly_brighter, FACES)), NAMES)
    seamed = area_under_curve(real, describe(map(with_a_seam, FACES)), NAMES)
    assert same.mean() < 0.75
    assert seamed.mean() > 0.95


def test_a_quick_run_writes_a_row_a_method(small_lfw: Path, tmp_path: Path) -> None:
    arguments = ["pixelation10", "--quick", "--data", str(small_lfw), "--out", str(tmp_path)]
    done = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    row = json.loads((tmp_path / "telltale.json").read_text())["results"]["rows"]["pixelation10"]
    assert row["stills"]["faces"] > 12
    assert row["stills"]["area"]["mean"] > 0.9
