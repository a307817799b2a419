"""Data the benchmarks' tests share."""

import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from streamanon.identities.gallery import load_builtin
from streamanon.types import U8
from testkit.paths import PHOTOS

SIDE_PX = 194
PHOTOS_EACH = 8


@pytest.fixture(scope="session")
def small_lfw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like LFW's: portraits of the gallery as 13 people a fold, 8 photos each."""
    folder: Path = tmp_path_factory.mktemp("small_lfw")
    random = np.random.default_rng(0)
    rows = ["file,person,lfw_folds"]
    for number, identity in enumerate(load_builtin()):
        (folder / "lfw" / identity.name).mkdir(parents=True)
        for photo in range(1, PHOTOS_EACH + 1):
            name = f"lfw/{identity.name}/{identity.name}_{photo:04d}.png"
            cv2.imwrite(str(folder / name), _photo(identity.portrait, random))
            rows.append(f"{name},{identity.name},{7 + number % 2}")
    (folder / "index.csv").write_text("\n".join(rows) + "\n")
    return folder


def _photo(portrait: U8, random: np.random.Generator) -> U8:
    """Return another view: moved, turned, lit and sometimes mirrored."""
    height, width = portrait.shape[:2]
    scale = SIDE_PX / max(height, width) * random.uniform(0.8, 1.0)
    to_view = cv2.getRotationMatrix2D((width / 2, height / 2), random.uniform(-8, 8), scale)
    shift = np.array([SIDE_PX - width, SIDE_PX - height]) / 2 + random.uniform(-5, 5, 2)
    view = cv2.warpAffine(
        portrait,
        to_view + np.pad(shift[:, None], ((0, 0), (2, 0))),
        (SIDE_PX, SIDE_PX),
        flags=cv2.INTER_AREA,
        borderMode=cv2.BORDER_REPLICATE,
    )
    if random.random() < 0.5:
        view = cv2.flip(view, 1)
    lit = cv2.convertScaleAbs(view, alpha=random.uniform(0.8, 1.1), beta=random.uniform(-15, 15))
    return np.asarray(lit, np.uint8)


@pytest.fixture(scope="session")
def london(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like the London set's, of two people."""
    folder: Path = tmp_path_factory.mktemp("london")
    for file in sorted(PHOTOS.glob("london_*.webp")):
        _, number, which = file.stem.split("_")
        (folder / f"{which}_front").mkdir(exist_ok=True)
        shutil.copy(file, folder / f"{which}_front" / f"{number}_03.webp")
    return folder


@pytest.fixture(scope="session")
def shared_lfw() -> Path:
    """The real data, where it is there."""
    default = Path(__file__).parents[2].parent / "shared"
    path = Path(os.environ.get("STREAMANON_SHARED", default)) / "data" / "lfw.tar"
    if not path.is_file():
        pytest.skip(f"no LFW data at {path}: set STREAMANON_SHARED")
    return path
