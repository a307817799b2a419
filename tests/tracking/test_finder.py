"""Faces that the edge of a panorama cuts in two, and meshes fitted where a face was detected."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from streamanon.detectors.mesh import MeshFitter
from streamanon.detectors.yunet import YuNetDetector
from streamanon.face import landmarks as lm
from streamanon.imaging.boxes import side
from streamanon.imaging.picture import as_picture
from streamanon.tracking.finder import Finder, has_kept_still
from streamanon.types import F32, Picture
from testkit.photos import read_photo

WIDTH = 638


def panorama(moved: int) -> Picture:
    """Return a picture with a face whose middle is moved from the edge that cuts it, in px."""
    view = np.full((320, WIDTH, 3), 128, np.uint8)
    left = WIDTH // 2 - 140
    view[20:300, left : left + 280] = cv2.resize(read_photo("london_001_neutral"), (280, 280))
    turned = np.roll(view, WIDTH // 2 + moved, axis=1)
    return replace(as_picture(np.ascontiguousarray(turned)), wraps=True)


@pytest.mark.parametrize("moved", [-30, -15, 0, 15, 30])
def test_both_parts_of_a_face_that_the_edge_of_a_panorama_cuts_are_found(
    yunet: YuNetDetector, moved: int
) -> None:
    (whole,) = yunet.detect(replace(panorama(WIDTH // 2), wraps=False))
    x0, y0, x1, y1 = whole.box + np.array([1, 0, 1, 0]) * (moved - WIDTH // 2)
    picture, finder = panorama(moved), Finder(yunet, None)
    found = finder.find_all(picture)
    for left, right in ((0, x1), (x0 + WIDTH, WIDTH)):
        inner, outer = np.array([left + 8, y0 + 8, right - 8, y1 - 8]), [one.box for one in found]
        assert any((box[:2] < inner[:2]).all() and (box[2:] > inner[2:]).all() for box in outer)
    assert len(finder.find_all(replace(picture, wraps=False))) == len(found) - 2


def test_a_face_that_no_edge_cuts_is_found_once(yunet: YuNetDetector) -> None:
    for moved in (WIDTH // 2, 90):
        assert len(Finder(yunet, None).find_all(panorama(moved))) == 1


@pytest.mark.parametrize("share", [0.8, 1.25])
def test_where_points_tell_a_wrong_size_the_mesh_is_fitted_once_more(
    yunet: YuNetDetector, mesher: MeshFitter, share: float
) -> None:
    picture = as_picture(read_photo("london_001_neutral"))
    (face,) = yunet.detect(picture)
    assert face.points is not None
    middle = face.points.mean(axis=0)
    points = np.asarray(middle + share * (face.points - middle), np.float32)
    misled = replace(face, points=points)
    finder = Finder(yunet, mesher)
    wanted, found = (finder.fit_mesh(picture, one, None) for one in (face, misled))
    assert wanted is not None
    assert found is not None
    once = mesher.fit(picture, lm.roi_from_points(points))
    off, off_once = (
        np.linalg.norm((mesh.points - wanted.points)[:, :2], axis=1).mean()
        for mesh in (found, once)
    )
    assert off < 0.5 * off_once


def test_where_no_face_is_fits_that_wander_are_not_believed(
    yunet: YuNetDetector, mesher: MeshFitter
) -> None:
    picture = as_picture(read_photo("london_001_neutral"))
    (face,) = yunet.detect(picture)
    assert face.points is not None
    hair = np.array([0, -0.75 * np.ptp(face.box[1::2])], np.float32)
    moved = replace(face, box=face.box + np.tile(hair, 2), points=face.points + hair)
    assert Finder(yunet, mesher).fit_mesh(picture, moved, None) is None


@pytest.mark.parametrize("name", ["london_001_neutral", "london_002_smiling"])
@pytest.mark.parametrize("degrees", [0, 45, 90, 135, 180, 225, 270])
def test_a_face_that_lies_on_its_side_or_hangs_upside_down_gets_its_mesh(
    yunet: YuNetDetector, mesher: MeshFitter, degrees: int, name: str
) -> None:
    image = cv2.copyMakeBorder(read_photo(name), 160, 160, 160, 160, cv2.BORDER_REPLICATE)
    height, width = image.shape[:2]
    finder = Finder(yunet, mesher)

    def mesh_of(picture: Picture) -> F32:
        face = max(finder.find_all(picture), key=lambda one: one.score)
        mesh = finder.fit_mesh(picture, face, None)
        assert mesh is not None
        return mesh.points[:, :2]

    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    turned = cv2.warpAffine(image, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)
    upright = mesh_of(as_picture(np.asarray(image, np.uint8)))
    wanted = upright @ turn[:, :2].T + turn[:, 2]
    found = mesh_of(as_picture(np.asarray(turned, np.uint8)))
    apart = np.linalg.norm(found - wanted, axis=1).mean()
    assert apart < 0.03 * float(np.ptp(upright, axis=0).max())


@pytest.mark.parametrize(
    ("px", "moved", "still"), [(50, 0.02, True), (50, 0.1, False), (80, 0.02, False)]
)
def test_a_small_face_keeps_still_while_its_points_do(
    yunet: YuNetDetector, mesher: MeshFitter, px: float, moved: float, *, still: bool
) -> None:
    photo = read_photo("portrait_man")
    (large,) = yunet.detect(as_picture(photo))
    size = round(photo.shape[1] * px / side(large.box))
    shrunk = cv2.resize(photo, (size, size), interpolation=cv2.INTER_AREA)
    picture = as_picture(np.asarray(shrunk, np.uint8))
    (face,) = yunet.detect(picture)
    before = replace(face, mesh=Finder(yunet, mesher).fit_mesh(picture, face, None))
    assert before.mesh is not None
    assert face.points is not None
    points = face.points + np.float32(20)  # the whole face, and more its nose
    points[2, 0] += moved * side(face.box)
    assert has_kept_still(before, replace(face, points=points)) == still
