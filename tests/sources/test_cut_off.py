"""A file whose end is missing says so by its own structure."""

from pathlib import Path

import av
import numpy as np
import pytest

from streamanon.sources.cut_off import missing_bytes
from testkit.paths import DEMO
from testkit.python import python


def film(path: Path, **options: str) -> Path:
    """Write two seconds of noise, which hardly compress."""
    noise = np.random.default_rng(0).integers(0, 255, (96, 128, 3), np.uint8)
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height = 128, 96
        for index in range(50):
            frame = av.VideoFrame.from_ndarray(np.roll(noise, index, axis=0), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv", "a.avi"])
def test_what_is_cut_off_is_counted(tmp_path: Path, name: str) -> None:
    flags = {} if name.endswith(("mkv", "avi")) else {"movflags": "faststart"}
    path = film(tmp_path / name, **flags)
    assert missing_bytes(path) == 0
    data = path.read_bytes()
    for share in (0.4, 0.95):
        path.write_bytes(data[: int(share * len(data))])
        assert missing_bytes(path) == len(data) - int(share * len(data))


def test_nothing_is_said_of_others(tmp_path: Path) -> None:
    with DEMO.open("rb") as file:
        start = file.read()
    appended = tmp_path / "appended.mp4"
    appended.write_bytes(start + b"\xff\xff\xff\xffjunk" + bytes(20))
    stream = film(tmp_path / "a.ts")
    stream.write_bytes(stream.read_bytes()[:5000])
    live = film(tmp_path / "live.mkv", live="1")
    short, empty = tmp_path / "short.mkv", tmp_path / "empty.mp4"
    short.write_bytes(b"\x1a\x45\xdf\xa3")
    empty.touch()
    others = (appended, stream, live, short, empty, tmp_path, tmp_path / "missing.mp4")
    assert [missing_bytes(path) for path in others] == [0] * len(others)


def test_a_run_says_it_and_its_report(tmp_path: Path) -> None:
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(film(tmp_path / "whole.mkv").read_bytes()[:-9000])
    out, report = tmp_path / "out.mp4", tmp_path / "report.json"
    words = ("run", cut, "-o", out, "--method", "mosaic", "--report", report)
    ended = python("-P", "-m", "streamanon", *words, check=True)
    assert "the input is cut off" in ended.stdout + ended.stderr
    assert "the input is cut off" in report.read_text()
