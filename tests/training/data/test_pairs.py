"""Which face is shown with which condition."""

import dataclasses

import numpy as np
import pytest

from streamanon.errors import UsageError
from training.data.pairs import Kind, Pair, PairDrawer, openings
from training.data.shards import Faces

MIX = (0.5, 0.2, 0.3)


def drawn(faces: Faces, mix: tuple[float, float, float], count: int) -> list[Pair]:
    drawer, random = PairDrawer(faces, mix, np.arange(len(faces))), np.random.default_rng(0)
    return [drawer.draw(random) for _ in range(count)]


def test_shares_of_the_kinds_are_those_asked_for(faces: Faces) -> None:
    kinds = np.bincount([pair.kind for pair in drawn(faces, MIX, 2000)]) / 2000
    assert kinds.tolist() == pytest.approx(MIX, abs=0.05)


@pytest.mark.parametrize(
    ("kind", "mix"), [(Kind.SELF, (1, 0, 0)), (Kind.SAME, (0, 1, 0)), (Kind.CROSS, (0, 0, 1))]
)
def test_each_kind_pairs_whom_it_says(
    faces: Faces, kind: Kind, mix: tuple[float, float, float]
) -> None:
    for pair in drawn(faces, mix, 100):
        people = faces.person[[pair.source, pair.condition]]
        assert pair.kind == kind
        assert (people[0] == people[1]) == (kind != Kind.CROSS)
        assert (pair.source == pair.condition) == (kind == Kind.SELF)
        apart = abs(faces.time_s[pair.source] - faces.time_s[pair.condition])
        assert kind != Kind.SAME or not apart < 0.3


def test_a_stranger_is_a_frontal_neutral_portrait(faces: Faces) -> None:
    turned = dataclasses.replace(faces, pose=faces.pose.copy())
    turned.pose[[0, 2], 0] = 25
    conditions = {pair.condition for pair in drawn(turned, (0, 0, 1), 200)}
    assert not conditions & {0, 2}
    assert len(conditions) >= 3


def test_a_far_turned_face_is_a_source_but_no_condition(faces: Faces) -> None:
    turned = dataclasses.replace(faces, pose=faces.pose.copy())
    turned.pose[0, 0] = -50
    pairs = drawn(turned, (0, 1, 0), 300)
    assert 0 in {pair.source for pair in pairs}
    assert 0 not in {pair.condition for pair in pairs}


def test_rare_expressions_are_drawn_more_often(faces: Faces) -> None:
    gaping = dataclasses.replace(faces, points=faces.points.copy())
    gaping.points[0, 14, 1] += 20 * 128
    assert openings(gaping.points)[1][0] > 0.3
    counts = np.bincount([pair.source for pair in drawn(gaping, (1, 0, 0), 3000)])
    assert counts[0] / counts[1] == pytest.approx(3, rel=0.25)


def test_strangers_have_similar_skin(faces: Faces) -> None:
    skins = dataclasses.replace(faces, skin_lab=np.zeros_like(faces.skin_lab))
    skins.skin_lab[faces.person == "small/bert"] = 50
    pairs = drawn(skins, (0, 0, 1), 600)
    like = [
        faces.person[pair.condition] == "small/maya"
        for pair in pairs
        if faces.person[pair.source] == "small/anna"
    ]
    assert np.mean(like) > 0.75


def test_too_few_people_are_refused(faces: Faces) -> None:
    alone = np.flatnonzero(faces.person == faces.person[0])
    with pytest.raises(UsageError, match="strangers cannot be paired"):
        PairDrawer(faces, MIX, alone)
    with pytest.raises(UsageError, match="no person is in two pictures"):
        PairDrawer(faces, MIX, np.array([0, 2]))
    with pytest.raises(UsageError, match="no face"):
        PairDrawer(faces, MIX, np.array([], np.int64))
