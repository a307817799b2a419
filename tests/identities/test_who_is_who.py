"""The identity assigner with real photographs of real people."""

import pytest

from streamanon.config import Config
from streamanon.face import landmarks as lm
from streamanon.factory import Factory
from streamanon.identities.gallery import load_builtin
from streamanon.identities.portrait import PortraitReader, read_image
from streamanon.imaging.picture import as_picture
from streamanon.tracking.identity_assigner import IdentityAssigner, skin_lab
from testkit.gallery_truth import women
from testkit.paths import PHOTOS


def show(assigner: IdentityAssigner, track_id: int, name: str, reader: PortraitReader) -> None:
    """Let a track look like a photograph."""
    picture = as_picture(read_image(PHOTOS / f"{name}.webp"))
    (face,) = reader.detector.detect(picture)
    assert face.points is not None
    mesh = reader.mesher.fit(picture, lm.roi_from_points(face.points))
    embedding = reader.embedder.embed(picture, lm.five_points(mesh.points))
    p_female = reader.sex.p_female(picture, mesh.points)
    years = reader.age.years(picture, mesh.points)
    assigner.add_evidence(track_id, embedding, 1.0, skin_lab(picture, mesh), p_female, years)


@pytest.mark.parametrize("seed", range(3))
def test_who_comes_back_smiling_keeps_the_identity_and_another_gets_another(
    seed: int, reader: PortraitReader
) -> None:
    assigner = IdentityAssigner(load_builtin(), seed=seed)
    given = []
    names = ("001_neutral", "002_neutral", "001_smiling", "002_smiling")
    for track_id, name in enumerate(names):
        show(assigner, track_id, f"london_{name}", reader)
        given.append(assigner.identity_of(track_id, [track_id]))
        assigner.forget(track_id)
    assert given[0] is given[2] is not None
    assert given[1] is given[3] is not None
    assert given[0] is not given[1]


@pytest.mark.parametrize(
    ("photo", "sex", "youngest", "oldest"),
    [("london_002_neutral", "female", 18, 45), ("portrait_man", "male", 35, 85)],
)
def test_the_identity_fits_apparent_sex_and_mostly_age(
    photo: str, sex: str, youngest: int, oldest: int, reader: PortraitReader
) -> None:
    fits = 0
    for seed in range(8):
        probes = Factory(Config()).appearance_probes
        assigner = IdentityAssigner(load_builtin(), seed=seed, probes=probes)
        show(assigner, 0, photo, reader)
        worn = assigner.identity_of(0, [0])
        assert worn is not None
        assert women()[worn.name] == (sex == "female")
        fits += youngest <= worn.years <= oldest
    assert fits >= 7
