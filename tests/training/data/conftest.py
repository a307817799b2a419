"""A tar file of faces that may be passed on, prepared once."""

import tarfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import pytest

from testkit.paths import PHOTOS, PORTRAITS
from training.data.prepare import prepare
from training.data.shards import Faces, load

INDEX = """file,person,lfw_folds,frame,fps
london/1n.webp,anna,1,,
london/1s.webp,anna,,,
london/2n.webp,bert,,,
london/2s.webp,bert,,,
video/0.webp,maya,,0,25.0
video/1.webp,maya,,5,25.0
video/2.webp,maya,,25,25.0
kept/tested.webp,cleo,1 7,,
kept/again.webp,cleo,,,
bad/torn.jpg,dora,,,
bad/empty.webp,dora,,,
"""


def write_tar(path: Path, files: Mapping[str, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, BytesIO(data))
    return path


@pytest.fixture(scope="session")
def faces_tar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tar file of seven good faces, two of somebody kept for testing, and two bad pictures."""
    maya, nia = ((PORTRAITS / f"{name}.webp").read_bytes() for name in ("maya", "nia"))
    london = {
        f"london/{person}{mood[0]}.webp": (PHOTOS / f"london_00{person}_{mood}.webp").read_bytes()
        for person in (1, 2)
        for mood in ("neutral", "smiling")
    }
    files = {
        **london,
        **{f"video/{number}.webp": maya for number in range(3)},
        "kept/tested.webp": nia,
        "kept/again.webp": nia,
        "bad/torn.jpg": b"\xff\xd8\xff\xe0 torn off",
        "bad/empty.webp": b"",
        "index.csv": INDEX.encode(),
    }
    return write_tar(tmp_path_factory.mktemp("faces") / "small.tar", files)


@pytest.fixture(scope="session")
def prepared(faces_tar: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That tar file, prepared by two processes."""
    out = tmp_path_factory.mktemp("prepared") / "faces"
    prepare([faces_tar], out, licences={"small": "CC-BY 4.0"}, processes=2)
    return out


@pytest.fixture(scope="session")
def faces(prepared: Path) -> Faces:
    """The seven faces."""
    return load(prepared)
