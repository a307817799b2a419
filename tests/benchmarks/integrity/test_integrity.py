"""The suite that compares files with what the ffmpeg command decodes of them."""

import shutil
import subprocess
from pathlib import Path

import pytest

from benchmarks.integrity.comparison import (
    Decoded,
    colour_difference,
    decode,
    differences,
    tag_differences,
)
from benchmarks.integrity.recipes import RECIPES, make
from streamanon.config import Config
from streamanon.files.run import anonymise

pytestmark = pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg is not installed")


def named(file: str, folder: Path) -> Path:
    return make(next(recipe for recipe in RECIPES if recipe.file == file), folder)


def compared(before: Decoded, after: Decoded) -> str:
    found = differences(before, after, frames=None, covered=0, allowed=0)
    return "; ".join([*found, *tag_differences(before, after)])


def spoilt(path: Path, *arguments: str) -> Path:
    """Return a file that the ffmpeg command made worse."""
    output = path.with_name(f"spoilt{path.suffix}")
    command = ["ffmpeg", "-v", "error", "-y", "-i", str(path), *arguments, str(output)]
    subprocess.run(command, check=True)
    return output


def test_there_are_fifty_kinds_each_with_its_own_name() -> None:
    assert len({recipe.file for recipe in RECIPES}) == len(RECIPES) >= 50


@pytest.mark.parametrize("file", ["h264_b_mp3.avi", "wrap.ts"])
def test_files_come_out_as_they_went_in(tmp_path: Path, file: str) -> None:
    path, output = named(file, tmp_path), tmp_path / "out.mp4"
    report = anonymise(path, output, Config(method="mosaic"))
    before, after = decode(path), decode(output)
    assert report.ledger.whole_frames == 0
    assert compared(before, after) == ""
    assert colour_difference((path, output), (before, after)) == []


_ALL = ("-fps_mode", "passthrough")
FAULTS = {
    "a frame is missing": (("-vf", "select=not(eq(n\\,20))", *_ALL), "49 frames"),
    "the sound is gone": (("-an",), "0 sound tracks"),
    "the sound is late": (("-af", "adelay=300:all=1"), "sound from 0.0"),
    "the picture is slow": (("-vf", "setpts=1.1*PTS", *_ALL), "from their time"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_found(tmp_path: Path, fault: str) -> None:
    path = named("h264_aac.mp4", tmp_path)
    arguments, expected = FAULTS[fault]
    assert expected in compared(decode(path), decode(spoilt(path, *arguments)))


def test_other_colours_are_found(tmp_path: Path) -> None:
    path = named("h264_aac.mp4", tmp_path)
    other = spoilt(path, "-vf", "eq=saturation=0.95")
    pair = [decode(one) for one in (path, other)]
    (found,) = colour_difference((path, other), pair)
    assert "levels away" in found
