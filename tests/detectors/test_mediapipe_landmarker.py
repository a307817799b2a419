"""MediaPipe's own run of the model beside the built-in one."""

import sys

import numpy as np
import pytest

from streamanon import weights
from streamanon.detectors.mediapipe_landmarker import MediapipeDetector
from streamanon.detectors.mesh import MeshFitter
from streamanon.detectors.yunet import YuNetDetector
from streamanon.errors import UsageError
from streamanon.face import landmarks as lm
from streamanon.imaging.picture import as_picture
from testkit.photos import read_photo
from testkit.staged import clip_frames

NAMES = ["london_001_neutral", "london_001_smiling", "london_002_neutral", "portrait_man"]


def test_without_mediapipe_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    with pytest.raises(UsageError, match=r"pip install 'mediapipe<2,>=1\.2'"):
        MediapipeDetector(weights.path("face_landmarker.task"))


def test_the_built_in_run_agrees_with_mediapipe(yunet: YuNetDetector, mesher: MeshFitter) -> None:
    pytest.importorskip("mediapipe", reason="the extra mediapipe is not installed")
    theirs = MediapipeDetector(weights.path("face_landmarker.task"))
    gaps = []
    for image in (*map(read_photo, NAMES), *clip_frames([0, 150, 300]).values()):
        picture = as_picture(image)
        (face,) = theirs.detect(picture)
        (seen,) = yunet.detect(picture)
        assert face.mesh is not None
        assert face.mesh.blendshapes is not None
        assert seen.points is not None
        ours = mesher.fit(picture, lm.roi_from_points(seen.points), blendshapes=True)
        assert ours.blendshapes is not None
        eyes = lm.inter_ocular_px(face.mesh.points)
        apart = np.abs(ours.points - face.mesh.points) / eyes
        gaps.append(float(np.median(np.linalg.norm(apart[:, :2], axis=1))))
        assert apart[:, 2].mean() < 0.03
        assert np.abs(ours.blendshapes - face.mesh.blendshapes).mean() < 0.06
    theirs.close()
    # The detectors differ, so the regions do: a region moved by 1 % of its side moves the points of
    # either run by 0.6 % of the eye distance. Measured over 44 faces: 0.6 % median, 1.3 % worst.
    assert np.median(gaps) < 0.01, gaps
    assert max(gaps) < 0.025, gaps
