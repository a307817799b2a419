"""Plots and strips of pictures are drawn, from the results and by the methods themselves."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.report import page, pictures
from benchmarks.report.records import Record
from testkit.paths import PHOTOS


def test_every_plot_is_drawn_on_white(records: dict[str, Record | None], tmp_path: Path) -> None:
    plots = page.planned(records)
    assert {plot.name for plot in plots} == {
        *("privacy-realism.png", "stability.png", "speed-faces.png", "stages.png")
    }
    for plot in plots:
        plot.write(tmp_path)
        image = cv2.imread(str(tmp_path / plot.name))
        assert image is not None
        assert image.shape[1] > 600
        assert (image[:4] == 255).all()
        assert 0.01 < (image.min(axis=2) < 200).mean() < 0.5
        assert plot.caption


def test_a_plot_of_nothing_is_not_planned(records: dict[str, Record | None]) -> None:
    nothing: dict[str, Record | None] = dict.fromkeys(records)
    assert page.planned(nothing) == []


@pytest.mark.parametrize("name", ["none", "pixelation10", "mosaic"])
def test_strips_show_what_a_method_does(name: str, face_clip: Path, tmp_path: Path) -> None:
    shown = pictures.Sources(
        [PHOTOS / "london_001_neutral.webp"], face_clip, clip_view=(0.0, 0.0, 1.0)
    )
    for method in ("none", name):
        pictures.write(method, tmp_path, shown)
    for ours, source in zip(pictures.files(name), pictures.files("none"), strict=True):
        after, before = (cv2.imread(str(tmp_path / file)) for file in (ours, source))
        assert after is not None
        assert before is not None
        assert after.shape == before.shape
        assert after.shape[1] % after.shape[0] == 0
        changed = np.abs(after.astype(int) - before).max(axis=2) > 40
        assert bool(changed.mean() > 0.01) == (name != "none")


def test_only_pictures_that_may_be_published_are_shown() -> None:
    sources = pictures.bundled()
    assert len(sources.stills) == 9
    assert all(path.is_file() for path in [*sources.stills, sources.clip])
