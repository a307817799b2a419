"""Numbers and paint on the clips that are played as cameras."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.live.clips import STRIP_PX, magenta, number_of, painted, write_numbered
from streamanon import Config, anonymise
from testkit.paths import DEMO
from testkit.videos import read_images


def _read(path: Path) -> list[tuple[int | None, int]]:
    return [(number_of(image[..., 1]), magenta(image)) for image in read_images(path)]


def test_every_number_survives_the_encoder(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    images = [random.integers(0, 255, (64, 320, 3), np.uint8) for _ in range(70)]
    write_numbered(tmp_path / "clip.ts", images, 30)
    assert [number for number, _ in _read(tmp_path / "clip.ts")] == list(range(70))


def test_what_is_no_number_is_none() -> None:
    random = np.random.default_rng(0)
    assert number_of(np.full((64, 320), 128, np.uint8)) is None
    assert number_of(np.zeros((64, 320), np.uint8)) is None
    assert number_of(np.full((64, 320), 255, np.uint8)) is None
    assert number_of(random.integers(0, 255, (64, 320), np.uint8)) is None
    halves = np.zeros((64, 320), np.uint8)
    halves[:STRIP_PX, :160] = 255
    assert number_of(halves) is None


def test_a_pink_picture_is_not_paint() -> None:
    pink = np.full((240, 320, 3), (255, 0, 255), np.uint8)
    assert magenta(pink) == 0
    pink[100:106, 100:106] = (0, 255, 0)
    assert magenta(pink) > 100


@pytest.mark.parametrize("method", ["warp", "anonygan", "mosaic"])
def test_paint_is_on_every_frame_and_no_method_leaves_any(tmp_path: Path, method: str) -> None:
    write_numbered(tmp_path / "in.ts", painted(DEMO, 12), 24)
    config = Config(method=method, crf=20, preset="ultrafast")
    report = anonymise(tmp_path / "in.ts", tmp_path / "out.mp4", config)
    assert sum(track.replaced for track in report.ledger.tracks.values()) == 12
    assert min(pixels for _, pixels in _read(tmp_path / "in.ts")) > 100
    after = _read(tmp_path / "out.mp4")
    assert [number for number, _ in after] == list(range(12))
    assert [pixels for _, pixels in after] == [0] * 12
