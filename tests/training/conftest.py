"""A handful of prepared faces that may be passed on, and small runs."""

import shutil

import pytest

pytest.importorskip("torch", reason="the extra train is not installed")

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from testkit.paths import PHOTOS
from training.data.dataset import PairDataset
from training.data.loader import batches
from training.data.prepare import prepare
from training.data.shards import load
from training.options import PRESETS, Options, changed


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    """Compute on one core, which gives the same bits each time; leave PyTorch as it was found."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    torch.set_flush_denormal(False)


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people with two photographs each, and one with one, a folder a person."""
    folder = tmp_path_factory.mktemp("photos")
    for file in PHOTOS.glob("*.webp"):
        person = folder / file.stem.rpartition("_")[0]
        person.mkdir(exist_ok=True)
        shutil.copy(file, person)
    return folder


@pytest.fixture(scope="session")
def data(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, prepared."""
    out = tmp_path_factory.mktemp("prepared") / "faces"
    prepare([photos], out, licences={}, processes=1)
    return out


@pytest.fixture(scope="session")
def small() -> Options:
    """A run that does everything in each step, on three samples."""
    settings = """
        batch=3 workers=0 network.width=16 network.blocks=2 adversarial_from=0 consistency_from=0
        mix=[0.3,0.3,0.4] rows.discriminator=2 rows.identity=1 rows.pose=1 rows.consistency=1
        r1_every=2 augment=true
    """
    return changed(PRESETS["live"], settings.split())


@pytest.fixture(scope="session")
def some(data: Path, small: Options) -> list[dict[str, Tensor]]:
    """Four batches."""
    arriving = batches(PairDataset(load(data), mix=small.mix), small.batch, workers=0)
    return [next(arriving) for _ in range(4)]
