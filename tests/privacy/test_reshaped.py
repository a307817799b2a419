"""Painted faces that get another shape: nothing of the paint reaches the output."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

from streamanon.config import Config
from streamanon.factory import Factory
from streamanon.imaging.picture import whole_bgr
from streamanon.safety.compose import compose
from streamanon.types import ColourSpace, Frame, Picture, Treatment
from testkit.painted import SHOWS, SIZE, loud_pixels, painted_frames

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def _picture(planes: NDArray[np.uint8]) -> Picture:
    width, height = SIZE
    chroma = planes[height:].reshape(2, height // 2, width // 2)
    return Picture((planes[:height], chroma[0], chroma[1]), ColourSpace("bt601"))


@pytest.mark.parametrize("identity", ["hugo", "mei", "ruth"])
@pytest.mark.parametrize("method", ["warp", "anonygan"])
def test_the_paint_shows_nowhere(method: str, identity: str) -> None:
    factory = Factory(Config(method=method, identity=identity))
    anonymiser = factory.anonymiser()
    observer = factory.observer(anonymiser, live=True)
    treatments = set()
    for index, planes in enumerate(painted_frames()[::3]):
        picture = _picture(planes)
        assert loud_pixels(whole_bgr(picture)) > 20 * SHOWS
        for scene in observer.push(Frame(index, picture, index, Fraction(1, 10))):
            safe = compose(scene, anonymiser.replace(scene))
            assert loud_pixels(whole_bgr(safe.picture)) < SHOWS
            treatments |= {done.treatment for done in safe.treated}
    assert Treatment.REPLACED in treatments
