import numpy as np
import pytest

from streamanon.detectors.gender import GenderNet
from streamanon.identities.gallery import load_builtin
from streamanon.imaging.picture import as_picture
from testkit.gallery_truth import women
from testkit.photos import turned


def test_every_portrait_of_the_gallery_is_classified_right(gender_net: GenderNet) -> None:
    for identity in load_builtin():
        p_female = gender_net.p_female(as_picture(identity.portrait), identity.mesh.points)
        assert (p_female > 0.5) == women()[identity.name], identity.name
        assert (identity.p_female > 0.5) == women()[identity.name], identity.name


@pytest.mark.parametrize("angle", [-30.0, 20.0])
def test_a_turned_and_scaled_face_gets_the_same_answer(gender_net: GenderNet, angle: float) -> None:
    for one in load_builtin()[::10]:
        image, points = turned(one.portrait, one.mesh.points, angle, 0.6)
        assert (gender_net.p_female(as_picture(image), points) > 0.5) == (one.p_female > 0.5)


def test_in_a_fifth_of_the_light_the_answer_is_the_same(gender_net: GenderNet) -> None:
    for one in load_builtin()[::5]:
        dim = as_picture(np.asarray(one.portrait // 5, np.uint8))
        assert (gender_net.p_female(dim, one.mesh.points) > 0.5) == (one.p_female > 0.5), one.name
