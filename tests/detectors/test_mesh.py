"""The mesh on photographs, moved and turned."""

import cv2
import numpy as np
import pytest

from streamanon.detectors.mesh import MeshFitter
from streamanon.detectors.yunet import YuNetDetector
from streamanon.face import landmarks as lm
from streamanon.imaging.picture import as_picture
from streamanon.types import Mesh, Picture
from testkit.networks import ChangedNetwork, network, without_numbers
from testkit.photos import read_photo, turned

SMILE_LEFT, SMILE_RIGHT = 44, 45


def fit(yunet: YuNetDetector, mesher: MeshFitter, picture: Picture) -> Mesh:
    (face,) = yunet.detect(picture)
    assert face.points is not None
    return mesher.fit(picture, lm.roi_from_points(face.points), blendshapes=True)


@pytest.mark.parametrize("name", ["london_001_neutral", "london_002_smiling", "portrait_man"])
def test_the_mesh_lies_where_the_detector_saw_the_face(
    yunet: YuNetDetector, mesher: MeshFitter, name: str
) -> None:
    picture = as_picture(read_photo(name))
    (face,) = yunet.detect(picture)
    mesh = fit(yunet, mesher, picture)
    assert mesh.presence > 0.99
    assert face.points is not None
    gap = np.linalg.norm(lm.five_points(mesh.points) - face.points, axis=1)
    assert (gap < 0.12 * lm.inter_ocular_px(mesh.points)).all()
    for lids, iris in ((lm.RIGHT_EYE, lm.RIGHT_IRIS_CENTRE), (lm.LEFT_EYE, lm.LEFT_IRIS_CENTRE)):
        hull = cv2.convexHull(mesh.points[list(lids), :2])
        assert cv2.pointPolygonTest(hull, mesh.points[iris, :2].tolist(), False) > 0  # noqa: FBT003


def test_a_second_fit_from_the_first_hardly_moves(yunet: YuNetDetector, mesher: MeshFitter) -> None:
    picture = as_picture(read_photo("london_001_neutral"))
    first = fit(yunet, mesher, picture)
    second = mesher.fit(picture, lm.roi_from_mesh(first.points))
    gap = np.linalg.norm(second.points[:, :2] - first.points[:, :2], axis=1)
    assert np.median(gap) < 0.015 * lm.inter_ocular_px(first.points)


@pytest.mark.parametrize("name", ["london_001_neutral", "london_002_smiling", "portrait_man"])
def test_the_region_of_the_detector_is_that_of_the_mesh(
    yunet: YuNetDetector, mesher: MeshFitter, name: str
) -> None:
    picture = as_picture(read_photo(name))
    (face,) = yunet.detect(picture)
    assert face.points is not None
    first = lm.roi_from_points(face.points)
    second = lm.roi_from_mesh(mesher.fit(picture, first).points)
    side = float(np.linalg.norm(second[1] - second[0]))
    assert np.linalg.norm(first[1] - first[0]) == pytest.approx(side, rel=0.08)
    assert np.abs(first - second).max() < 0.08 * side


def test_a_mesh_that_is_not_finite_is_not_believed() -> None:
    mesh = ChangedNetwork("face_mesh.onnx", lambda answer: without_numbers(answer, "points"))
    broken = MeshFitter(mesh, network("face_blendshapes.onnx"))
    roi = np.array([[120, 120], [390, 120], [120, 390]], np.float32)
    assert broken.fit(as_picture(read_photo("london_001_neutral")), roi).presence == 0


@pytest.mark.parametrize("degrees", [20, -35])
def test_a_turned_photo_gives_the_same_mesh_turned(
    yunet: YuNetDetector, mesher: MeshFitter, degrees: float
) -> None:
    image = read_photo("london_002_neutral")
    upright = fit(yunet, mesher, as_picture(image))
    leaning_image, expected = turned(image, upright.points, -degrees)
    leaning = fit(yunet, mesher, as_picture(leaning_image))
    gap = np.linalg.norm(leaning.points[:, :2] - expected[:, :2], axis=1)
    assert np.median(gap) < 0.03 * lm.inter_ocular_px(upright.points)
    rolls = [lm.head_pose(mesh.points)[2] for mesh in (upright, leaning)]
    assert rolls[1] - rolls[0] == pytest.approx(degrees, abs=3)


@pytest.mark.parametrize("scale", [0.2, 4.0])
def test_the_mesh_scales_with_the_photo(
    yunet: YuNetDetector, mesher: MeshFitter, scale: float
) -> None:
    image = read_photo("london_001_neutral")
    mesh = fit(yunet, mesher, as_picture(image))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    scaled_image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=how)
    scaled = fit(yunet, mesher, as_picture(np.asarray(scaled_image, np.uint8)))
    gap = np.linalg.norm((scaled.points[:, :2] + 0.5) / scale - 0.5 - mesh.points[:, :2], axis=1)
    assert np.median(gap) < 0.03 * lm.inter_ocular_px(mesh.points)


def test_a_smile_raises_the_smile_coefficients(yunet: YuNetDetector, mesher: MeshFitter) -> None:
    neutral, smiling = (
        fit(yunet, mesher, as_picture(read_photo(name))).blendshapes
        for name in ("london_002_neutral", "london_002_smiling")
    )
    assert neutral is not None
    assert smiling is not None
    for values in (neutral, smiling):
        assert values.shape == (52,)
        assert ((values >= 0) & (values <= 1)).all()
    assert smiling[SMILE_LEFT] > neutral[SMILE_LEFT] + 0.3
    assert smiling[SMILE_RIGHT] > neutral[SMILE_RIGHT] + 0.3


@pytest.mark.parametrize("corner", [(0, 0), (900, 900), (-900, 200)])
def test_a_region_without_a_face_is_not_believed(
    mesher: MeshFitter, corner: tuple[int, int]
) -> None:
    x, y = corner
    roi = np.array([[x, y], [x + 100, y], [x, y + 100]], np.float32)
    mesh = mesher.fit(as_picture(read_photo("london_001_neutral")), roi)
    assert mesh.presence < 0.1
    assert mesh.blendshapes is None


def test_a_face_cut_by_the_edge_is_still_fitted_where_it_is_seen(
    yunet: YuNetDetector, mesher: MeshFitter
) -> None:
    image = read_photo("london_002_neutral")
    whole = fit(yunet, mesher, as_picture(image))
    left = 215
    cut = mesher.fit(as_picture(image[:, left:]), lm.roi_from_mesh(whole.points) - (left, 0))
    assert cut.presence > 0.5
    seen = whole.points[:, 0] > left + 20
    gap = np.linalg.norm(cut.points[seen, :2] + (left, 0) - whole.points[seen, :2], axis=1)
    assert np.median(gap) < 0.06 * lm.inter_ocular_px(whole.points)
