import numpy as np
import pytest

from streamanon.detectors.age import AgeNet
from streamanon.identities.gallery import load_builtin
from streamanon.imaging.picture import as_picture
from streamanon.tracking.identity_assigner import OLDEST_CHILD
from testkit.photos import turned

ADULTS = [one for one in load_builtin() if one.years > OLDEST_CHILD]
"""The age of a child is the one that it was made for, that of the others was seen by looking."""


@pytest.fixture(scope="module")
def seen(age_net: AgeNet) -> list[float]:
    return [age_net.years(as_picture(one.portrait), one.mesh.points) for one in ADULTS]


def test_the_ages_of_portraits_are_those_that_they_look(seen: list[float]) -> None:
    looked = [one.years for one in ADULTS]
    assert np.corrcoef(seen, looked)[0, 1] > 0.85
    assert np.abs(np.subtract(seen, looked)).mean() < 10


def test_a_smaller_darker_and_turned_face_looks_about_as_old(
    age_net: AgeNet, seen: list[float]
) -> None:
    apart = []
    for one, years in zip(ADULTS[::6], seen[::6], strict=True):
        image, points = turned(one.portrait, one.mesh.points, 20, 0.5)
        apart.append(age_net.years(as_picture(image // 3), points) - years)
    assert np.abs(apart).mean() < 6
