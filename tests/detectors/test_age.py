import numpy as np
import pytest

from streamanon.detectors.age import AgeNet
from streamanon.identities.gallery import load_builtin
from streamanon.imaging.picture import as_picture
from testkit.gallery_truth import ages
from testkit.photos import turned


def test_the_ages_of_portraits_are_those_that_they_look(age_net: AgeNet) -> None:
    gallery = load_builtin()
    seen = [age_net.years(as_picture(one.portrait), one.mesh.points) for one in gallery]
    assert seen == pytest.approx([one.years for one in gallery], abs=2)
    looked = [ages()[one.name] for one in gallery]
    assert np.corrcoef(seen, looked)[0, 1] > 0.85
    assert np.abs(np.subtract(seen, looked)).mean() < 10


def test_a_smaller_darker_and_turned_face_looks_about_as_old(age_net: AgeNet) -> None:
    apart = []
    for one in load_builtin()[::6]:
        image, points = turned(one.portrait, one.mesh.points, 20, 0.5)
        apart.append(age_net.years(as_picture(image // 3), points) - one.years)
    assert np.abs(apart).mean() < 6
