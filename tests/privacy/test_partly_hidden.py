"""A face of which a third shows beside something is hidden, though the detector only doubts it."""

import numpy as np
import pytest

import streamanon
from streamanon.imaging.picture import as_picture
from streamanon.tracking.tracker import DETECTED_SCORE
from streamanon.types import U8
from testkit import networks
from testkit.photos import read_photo

GREY = (85, 85, 80)


def _shown(photo: str, part: str, share: float) -> tuple[U8, tuple[slice, slice]]:
    """Return a photograph with a share of its face on one side, and where that lies."""
    image = read_photo(photo)
    x0, y0, x1, y1 = networks.yunet().detect(as_picture(image))[0].box.astype(int).tolist()
    width, height = int(share * (x1 - x0)), int(share * (y1 - y0))
    if part == "left":
        image[:, x0 + width :] = GREY
        return image, np.s_[y0:y1, x0 : x0 + width]
    image[: y1 - height] = GREY
    return image, np.s_[y1 - height : y1, x0:x1]


@pytest.mark.parametrize(
    ("photo", "part", "share"),
    [
        ("london_001_smiling", "left", 0.33),
        ("london_001_smiling", "lower", 0.3),
        ("london_002_neutral", "lower", 0.3),
        ("london_002_smiling", "lower", 0.3),
    ],
)
def test_a_third_of_a_face_is_hidden(photo: str, part: str, share: float) -> None:
    image, where = _shown(photo, part, share)
    faces = networks.yunet().detect(as_picture(image))
    assert not [face for face in faces if face.score >= DETECTED_SCORE]
    with streamanon.Anonymiser(streamanon.Config(method="solid")) as anonymiser:
        assert np.mean(anonymiser.image(image)[where].max(axis=-1) == 0) > 0.9
