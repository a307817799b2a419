"""From a photograph to an identity: find the only face, check that it is usable, crop the head."""

from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from streamanon.errors import UsageError
from streamanon.face import landmarks as lm
from streamanon.face import mouth
from streamanon.identities.mouth_corners import with_true_corners
from streamanon.imaging.boxes import side
from streamanon.imaging.picture import as_picture
from streamanon.imaging.picture_header import stated_sizes
from streamanon.media.pixel_limit import PICTURE, check_pixels
from streamanon.protocols import AgeEstimator, Detector, Embedder, Mesher, SexClassifier
from streamanon.tracking.identity_assigner import AppearanceProbes, skin_lab
from streamanon.types import F32, U8, Face, Identity, Mesh, Picture

MIN_FACE_PX = 160
"""Minimum height of the face, chin to top of the forehead."""

MAX_FACE_PX = 320
"""Height to which a larger face is scaled down."""

CROP_HEIGHTS = 1.6
"""Side of the crop in face heights."""

SECOND_FACE_RATIO = 0.3
"""Size of a second face, relative to the largest, that makes the portrait ambiguous."""

MIN_PRESENCE = 0.9
MAX_YAW_DEG = 15.0
MAX_PITCH_DEG = 25.0
MAX_ROLL_DEG = 20.0

MAX_BLINK = 0.5
"""Largest eyeBlink blendshape; the built-in portraits reach 0.34."""

MAX_MOUTH_OPENING = 0.25
"""Widest gap between the lips in mouth widths; a smile that shows teeth has about 0.15."""

MAX_FOREHEAD_CONTRAST = 45.0
"""Largest CIELAB distance of a spot of the forehead from the face's usual colour."""

_EYE_BLINKS = (9, 10)
_FOREHEAD = (9, 151, 10, 108, 337)
_BARE_SKIN = (*_FOREHEAD, 50, 205, 280, 425)


@dataclass(frozen=True)
class PortraitReader:
    """Reads portraits with the networks of the product."""

    detector: Detector
    mesher: Mesher
    embedder: Embedder
    sex: SexClassifier
    age: AgeEstimator
    probes: AppearanceProbes

    def read(self, path: Path) -> Identity:
        """Return the identity of a photograph, cropped to the head and named like the file.

        Raises:
            UsageError: The portrait is not usable; the message gives the reason.
        """
        image = read_image(path)
        mesh = self.fit(image, path)
        _check(image, mesh, path)
        return self._identity(path.stem.lower(), image, mesh)

    def _only_face(self, picture: Picture, path: Path) -> Face:
        faces = [face for face in self.detector.detect(picture) if face.points is not None]
        largest = max((side(face.box) for face in faces), default=0.0)
        faces = [face for face in faces if side(face.box) >= SECOND_FACE_RATIO * largest]
        if len(faces) != 1:
            raise UsageError(
                f"portrait {path} shows {len(faces) or 'no'} face{'s' * (len(faces) > 1)}, wanted "
                "exactly one: crop it to one head seen from the front"
            )
        return faces[0]

    def fit(self, image: U8, path: Path) -> Mesh:
        """Return the mesh of the one face of a picture.

        Args:
            image: (h, w, 3) uint8 BGR.
            path: file of the portrait, for messages.

        Raises:
            UsageError: there is no face, more than one, or none that is clear.
        """
        picture = as_picture(image)
        face = self._only_face(picture, path)
        assert face.points is not None
        mesh = self.mesher.fit(picture, lm.roi_from_points(face.points))
        mesh = self.mesher.fit(picture, lm.roi_from_mesh(mesh.points), blendshapes=True)
        if mesh.presence < MIN_PRESENCE or not np.isfinite(mesh.points).all():
            raise UsageError(
                f"portrait {path} shows a face only with probability {mesh.presence:.2f}, wanted "
                f"{MIN_PRESENCE}: use a clear photograph from the front"
            )
        points = with_true_corners(image, mesh.points)
        return replace(mesh, points=points)

    def _identity(self, name: str, image: U8, mesh: Mesh) -> Identity:
        """Return an identity whose portrait is the square around the head."""
        height = face_height_px(mesh)
        centre = (mesh.points[lm.CHIN, :2] + mesh.points[lm.FOREHEAD, :2]) / 2
        low = np.maximum(np.floor(centre - CROP_HEIGHTS / 2 * height), 0).astype(int)
        high = np.minimum(
            np.ceil(centre + CROP_HEIGHTS / 2 * height).astype(int), image.shape[1::-1]
        )
        head = image[low[1] : high[1], low[0] : high[0]]
        scale = min(1.0, MAX_FACE_PX / height)
        width, rows = np.rint(scale * (high - low)).astype(int).tolist()
        portrait = np.asarray(
            cv2.resize(head, (width, rows), interpolation=cv2.INTER_AREA), np.uint8
        )
        points = mesh.points.copy()
        points[:, :2] = (points[:, :2] - low + 0.5) * scale - 0.5
        points[:, 2] *= scale
        small = Mesh(points, mesh.presence)
        picture = as_picture(portrait)
        skin = skin_lab(picture, small)
        assert skin is not None
        embedding = self.embedder.embed(picture, lm.five_points(points))
        views = picture, as_picture(_face_alone(portrait, points))
        return Identity(
            name,
            lambda: portrait,
            small,
            skin,
            embedding,
            p_female=float(np.mean([self.sex.p_female(view, points) for view in views])),
            years=self.age.years(picture, points),
            descent=self.probes.descent_of(embedding),
            teeth=mouth.teeth_shown(portrait, points[:, :2]),
        )


def _face_alone(image: U8, points: F32) -> U8:
    """Return a portrait without its hair, which stays behind: grey beside the (478, 3) mesh."""
    hull = cv2.convexHull(np.rint(points[list(lm.FACE_OVAL), :2]).astype(np.int32))
    face = cv2.fillConvexPoly(np.zeros(image.shape[:2], np.uint8), hull, 1)
    return np.asarray(cv2.copyTo(image, face, np.full_like(image, 128)), np.uint8)


def read_image(path: Path) -> U8:
    """Return (h, w, 3) uint8 BGR, turned upright by its EXIF orientation.

    Raises:
        UsageError: The file cannot be read, or is not a picture.
    """
    return decode(read_bytes(path), path)


def read_bytes(path: Path) -> bytes:
    """Return the content of a portrait's file; refuse one that cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"portrait {path} cannot be read: {error.strerror or error}") from error


def decode(data: bytes, path: Path) -> U8:
    """Return an encoded picture as :func:`read_image` does.

    Raises:
        UsageError: It is not a picture.
        MediaError: It is too large.
    """
    for size in stated_sizes(data):
        check_pixels(f"portrait {path}", size, PICTURE)
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    if image is None:
        raise UsageError(f"portrait {path} is not a picture: wanted jpg, png or webp")
    return np.asarray(image, np.uint8)


def face_height_px(mesh: Mesh) -> float:
    """Return the distance from the chin to the top of the forehead."""
    return float(np.linalg.norm(mesh.points[lm.CHIN, :2] - mesh.points[lm.FOREHEAD, :2]))


def _check(image: U8, mesh: Mesh, path: Path) -> None:
    """Refuse a face that is small, turned, not neutral or hidden."""
    assert mesh.blendshapes is not None
    yaw, pitch, roll = (abs(angle) for angle in lm.head_pose(mesh.points))
    blink = float(mesh.blendshapes[list(_EYE_BLINKS)].max())
    height = face_height_px(mesh)
    most = (
        ("turns aside by", yaw, MAX_YAW_DEG, "degrees: look into the camera"),
        ("looks up or down by", pitch, MAX_PITCH_DEG, "degrees: look into the camera"),
        ("leans by", roll, MAX_ROLL_DEG, "degrees: hold the head upright"),
        ("closes its eyes by", blink, MAX_BLINK, "(0..1): open both eyes"),
        (
            "opens its mouth by",
            mouth.opening(mesh.points[:, :2]),
            MAX_MOUTH_OPENING,
            "widths: close it",
        ),
        (
            "changes colour on the forehead by",
            _forehead_contrast(image, mesh),
            MAX_FOREHEAD_CONTRAST,
            "CIELAB units: free the forehead of hair, hats and hard shadows",
        ),
    )
    if height < MIN_FACE_PX:
        raise UsageError(
            f"portrait {path} shows a face {height:.0f} px high, wanted at least "
            f"{MIN_FACE_PX} px: use a larger picture"
        )
    for what, got, wanted, advice in most:
        if got > wanted:
            raise UsageError(
                f"portrait {path}: the face {what} {got:.3g}, wanted at most {wanted:g} {advice}"
            )


def _forehead_contrast(image: U8, mesh: Mesh) -> float:
    """Return the largest CIELAB distance of a spot of the forehead from the bare skin's median."""
    reach = max(1, round(0.05 * lm.inter_ocular_px(mesh.points)))
    spots = []
    for x, y in np.rint(mesh.points[list(_BARE_SKIN), :2]).astype(int).tolist():
        rows = slice(max(0, y - reach), max(0, y + reach + 1))
        patch = image[rows, max(0, x - reach) : max(0, x + reach + 1)]
        if not patch.size:
            return float("inf")
        lab = cv2.cvtColor(patch.astype(np.float32) / 255, cv2.COLOR_BGR2LAB)
        spots.append(np.median(lab.reshape(-1, 3), axis=0))
    usual = np.median(spots, axis=0)
    return float(np.linalg.norm(np.array(spots[: len(_FOREHEAD)]) - usual, axis=1).max())
