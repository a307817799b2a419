"""Who wears whom. The people of these tests are portraits of the gallery: real embeddings."""

import numpy as np
import pytest

from streamanon.config import Config
from streamanon.detectors.age import AgeNet
from streamanon.errors import UsageError
from streamanon.factory import Factory
from streamanon.identities.gallery import load_builtin
from streamanon.imaging.picture import as_picture
from streamanon.tracking import identity_assigner as module
from streamanon.tracking.identity_assigner import AppearanceProbes, IdentityAssigner, skin_lab
from streamanon.types import F32, Identity
from testkit.gallery_truth import women

EVERYBODY = load_builtin()
ADULTS = tuple(one for one in EVERYBODY if one.years > module.OLDEST_CHILD)
GALLERY = ADULTS[:9]


def _strangers() -> tuple[Identity, ...]:
    """Return identities none of which could be taken for another, apart from the gallery's."""
    found: list[Identity] = []
    for one in ADULTS[len(GALLERY) :]:
        if all(float(one.embedding @ other.embedding) < 0.3 for other in found):
            found.append(one)
    return tuple(found)


PEOPLE = _strangers()

SKIN_BGR, SKIN_LAB = (92, 120, 170), (54.8, 16.1, 23.1)
"""One colour twice; the second from the definitions of sRGB and CIELAB (D65)."""


OLD_FROM = 55.0
"""Years."""


def probes() -> AppearanceProbes:
    return Factory(Config()).appearance_probes


def meet(
    assigner: IdentityAssigner, track_id: int, who: Identity, visible: list[int]
) -> Identity | None:
    assigner.add_evidence(track_id, who.embedding, 1.0, who.skin_lab, who.p_female, who.years)
    return assigner.identity_of(track_id, visible)


def given(seed: int) -> list[str]:
    assigner = IdentityAssigner(EVERYBODY, seed=seed)
    worn = [meet(assigner, track_id, who, [track_id]) for track_id, who in enumerate(PEOPLE[:8])]
    return [identity.name for identity in worn if identity]


def test_the_same_seed_gives_the_same_identities_and_another_seed_others() -> None:
    assert given(0) == given(0)
    assert len({tuple(given(seed)) for seed in range(6)}) >= 5


def _as_child(who: Identity, probe: F32) -> F32:
    """Return the embedding of somebody like another person, but a child."""
    away = probe[:-1] / np.linalg.norm(probe[:-1])
    face = who.embedding + (1.0 - float(who.embedding @ away)) * away
    return np.asarray(face / np.linalg.norm(face), np.float32)


@pytest.mark.parametrize("p_female", [0.0, 1.0])
def test_children_become_children_and_nobody_else_does(p_female: float) -> None:
    known = probes()
    for who in ADULTS:
        for face, years in (
            (_as_child(who, known.child), 9.0),
            (_as_child(who, known.child), 61.0),
            (who.embedding, 19.0),
        ):
            is_child = known.is_child(face, years)
            assert is_child == (years == 9)
            assigner = IdentityAssigner(EVERYBODY, probes=known)
            assigner.add_evidence(0, face, 1.0, who.skin_lab, p_female, years)
            worn = assigner.identity_of(0, [0])
            assert worn is not None
            assert (worn not in ADULTS) == is_child


def test_the_youngest_children_become_the_youngest() -> None:
    known, worn = probes(), []
    for years in (4.0, 12.0):
        for seed, who in enumerate(ADULTS[:30]):
            assigner = IdentityAssigner(EVERYBODY, probes=known, seed=seed)
            assigner.add_evidence(0, _as_child(who, known.child), 1.0, who.skin_lab, 0.5, years)
            found = assigner.identity_of(0, [0])
            assert found is not None
            worn.append(found.years)
    assert np.mean(worn[:30]) + 1 < np.mean(worn[30:])


def test_without_a_portrait_of_a_child_a_child_gets_another() -> None:
    known = probes()
    assigner = IdentityAssigner(ADULTS, probes=known)
    assigner.add_evidence(0, _as_child(ADULTS[0], known.child), 1.0, ADULTS[0].skin_lab, 0.5, 5.0)
    assert assigner.identity_of(0, [0]) in ADULTS


def test_who_came_before_seldom_changes_an_identity() -> None:
    orders = (range(8), reversed(range(8)))
    worn: list[dict[int, str]] = []
    for order in orders:
        assigner = IdentityAssigner(EVERYBODY, probes=probes())
        given_now = {number: meet(assigner, number, PEOPLE[number], [number]) for number in order}
        worn.append({number: one.name for number, one in given_now.items() if one})
    assert len(set(worn[0].values())) == len(set(worn[1].values())) == 8
    assert sum(worn[0][number] == worn[1][number] for number in range(8)) >= 6


def test_people_who_differ_get_identities_that_differ() -> None:
    assert len(set(given(1))) == 8


def test_no_identity_is_like_the_own_face_and_skins_fit() -> None:
    for seed, who in enumerate(ADULTS):
        worn = meet(IdentityAssigner(EVERYBODY, seed=seed, probes=probes()), 0, who, [0])
        assert worn is not None
        assert float(worn.embedding @ who.embedding) <= module.LOOK_ALIKE
        assert abs(worn.skin_lab[0] - who.skin_lab[0]) < 35


def test_apparent_sex_is_kept_and_age_fits_better_than_by_skin_alone(age_net: AgeNet) -> None:
    seen = {one.name: age_net.years(as_picture(one.portrait), one.mesh.points) for one in ADULTS}
    same_age, apart = [], []
    for known in (False, True):
        pairs = []
        for who in ADULTS:
            others = [identity for identity in ADULTS if identity is not who]
            for seed in range(3):
                assigner = IdentityAssigner(others, seed=seed, probes=probes())
                years = seen[who.name] if known else None
                assigner.add_evidence(0, who.embedding, 1.0, who.skin_lab, who.p_female, years)
                worn = assigner.identity_of(0, [0])
                assert worn is not None
                assert women()[who.name] == women()[worn.name]
                pairs.append((who.years, worn.years))
        same_age.append(np.mean([(a >= OLD_FROM) == (b >= OLD_FROM) for a, b in pairs]))
        apart.append(np.mean([abs(a - b) for a, b in pairs]))
    assert same_age[1] > same_age[0] + 0.1
    assert apart[1] < apart[0] - 5


def test_descent_fits_more_often_than_by_skin_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def given_to() -> tuple[F32, F32]:
        """Return the mean descent given to those who look African, and to all who look neither."""
        pairs = []
        for who in ADULTS:
            others = [identity for identity in ADULTS if identity is not who]
            for seed in range(3):
                worn = meet(IdentityAssigner(others, seed=seed, probes=probes()), 0, who, [0])
                assert worn is not None
                pairs.append((who.descent, worn.descent))
        before, after = (np.stack(side) for side in zip(*pairs, strict=True))
        return after[before[:, 1] > 0.5].mean(axis=0), after[before.max(axis=1) < 0.5].mean(axis=0)

    african, others = given_to()
    monkeypatch.setattr(module, "_DESCENT_WEIGHT", 0.0)
    african_by_skin, others_by_skin = given_to()
    assert african[1] > african_by_skin[1] + 0.1
    assert (others < others_by_skin - 0.03).all()


def test_without_skin_sex_and_age_alone_choose() -> None:
    for name in ("edith", "jin"):
        (who,) = (identity for identity in EVERYBODY if identity.name == name)
        for seed in range(4):
            assigner = IdentityAssigner(EVERYBODY, seed=seed, probes=probes())
            assigner.add_evidence(0, who.embedding, 1.0, p_female=who.p_female, years=who.years)
            worn = assigner.identity_of(0, [0])
            assert worn is not None
            assert women()[worn.name] == women()[name]


def test_the_other_sex_is_given_only_when_nothing_else_is_left() -> None:
    men = tuple(one for one in EVERYBODY if not women()[one.name])
    (who,) = (identity for identity in EVERYBODY if identity.name == "edith")
    assert meet(IdentityAssigner(men), 0, who, [0]) in men


def test_one_uncertain_frame_does_not_change_the_sex_of_many() -> None:
    (who,) = (identity for identity in EVERYBODY if identity.name == "edith")
    assigner = IdentityAssigner(EVERYBODY)
    assigner.add_evidence(0, who.embedding, 0.2, who.skin_lab, 0.1)
    for _ in range(3):
        assigner.add_evidence(0, who.embedding, 1.0, who.skin_lab, 0.9)
    worn = assigner.identity_of(0, [0])
    assert worn is not None
    assert women()[worn.name]


def test_an_identity_stays_for_the_life_of_a_track_whatever_it_looks_like_later() -> None:
    assigner = IdentityAssigner(EVERYBODY)
    first = meet(assigner, 7, PEOPLE[0], [7])
    assert all(meet(assigner, 7, who, [7]) is first for who in PEOPLE[1:5])


def test_the_decision_needs_no_evidence_and_unknown_people_leave_no_trace() -> None:
    assigner = IdentityAssigner(GALLERY)
    for track_id in range(3 * len(GALLERY)):
        assert assigner.identity_of(track_id, [track_id]) is not None
        assigner.forget(track_id)
    assigner.add_evidence(98, PEOPLE[0].embedding, 0.01)
    assert assigner.identity_of(98, [98]) is not None
    assigner.forget(98)
    assert not assigner._people
    assigner.add_evidence(99, np.full(128, np.nan, np.float32), 1.0)
    assert assigner.identity_of(99, [99]) is not None
    assert not assigner._people


def test_who_comes_back_gets_the_old_identity_unless_a_visible_person_wears_it() -> None:
    assigner = IdentityAssigner(GALLERY)
    ann, twin = PEOPLE[0], PEOPLE[0]
    first = meet(assigner, 0, ann, [0])
    assert meet(assigner, 1, twin, [0, 1]) is not first
    assigner.forget(0)
    assert meet(assigner, 2, ann, [2]) is first


def test_a_sleeping_track_that_wakes_up_beside_its_double_is_covered() -> None:
    assigner = IdentityAssigner(GALLERY)
    first = meet(assigner, 0, PEOPLE[0], [0])
    assert meet(assigner, 1, PEOPLE[0], [1]) is first
    assert assigner.identity_of(0, [0, 1]) is first
    assert assigner.identity_of(1, [0, 1]) is None
    assert assigner.identity_of(1, [1]) is first


def test_visible_people_never_share_and_are_covered_when_the_gallery_runs_out() -> None:
    assigner = IdentityAssigner(GALLERY)
    visible = list(range(len(GALLERY) + 2))
    for track_id, who in enumerate(PEOPLE[: len(visible)]):
        assigner.add_evidence(track_id, who.embedding, 1.0, who.skin_lab)
    for _ in range(3):
        worn = [assigner.identity_of(track_id, visible) for track_id in visible]
        assert {i.name for i in worn if i} == {i.name for i in GALLERY}
        assert worn[len(GALLERY) :] == [None, None]


def test_when_all_are_used_the_one_longest_gone_is_used_again() -> None:
    assigner = IdentityAssigner(GALLERY)
    worn = []
    for track_id, who in enumerate(PEOPLE[: len(GALLERY)]):
        worn.append(meet(assigner, track_id, who, [track_id]))
        assigner.forget(track_id)
    assert {i.name for i in worn if i} == {i.name for i in GALLERY}
    assert meet(assigner, 50, PEOPLE[0], [50]) is worn[0]
    assigner.forget(50)
    newcomer, returned = PEOPLE[len(GALLERY)], PEOPLE[1]
    assert meet(assigner, 51, newcomer, [51]) is worn[1]
    assert meet(assigner, 52, returned, [51, 52]) is worn[2]


def test_one_identity_for_all() -> None:
    assigner = IdentityAssigner(EVERYBODY, only="zoe")
    worn = [assigner.identity_of(track_id, [0, 1, 2]) for track_id in range(3)]
    assert [identity.name for identity in worn if identity] == ["zoe"] * 3


def test_wrong_requests_say_what_is_meant() -> None:
    with pytest.raises(UsageError, match="no identity called 'felx': did you mean felix"):
        IdentityAssigner(EVERYBODY, only="felx")
    with pytest.raises(UsageError, match="holds no identity"):
        IdentityAssigner([])


def test_skin_is_measured_beside_highlights_and_only_inside_the_picture() -> None:
    identity = EVERYBODY[0]
    height, width = identity.portrait.shape[:2]
    bgr = np.empty((height, width, 3), np.uint8)
    bgr[:] = SKIN_BGR
    cheek = np.rint(identity.mesh.points[[50, 205, 187], :2].mean(axis=0)).astype(int)
    bgr[cheek[1] - 3 : cheek[1] + 3, cheek[0] - 3 : cheek[0] + 3] = 255
    picture = as_picture(bgr)
    lab = skin_lab(picture, identity.mesh)
    assert lab == pytest.approx(SKIN_LAB, abs=0.5)
    away = type(identity.mesh)(identity.mesh.points + np.float32(5000), 1.0)
    assert skin_lab(picture, away) is None


def test_the_identity_of_all_can_be_changed_and_taken_back_while_the_stream_goes_on() -> None:
    assigner = IdentityAssigner(GALLERY)
    own = [meet(assigner, track_id, PEOPLE[track_id], [0, 1]) for track_id in (0, 1)]
    shared = GALLERY[3]
    assigner.give_everyone(shared.name)
    assert [assigner.identity_of(track_id, [0, 1, 2]) for track_id in (0, 1, 2)] == [shared] * 3
    with pytest.raises(UsageError, match="no identity called 'nobody'"):
        assigner.give_everyone("nobody")
    assert assigner.identity_of(0, [0, 1]) is shared
    assigner.add_evidence(2, PEOPLE[2].embedding, 1.0)
    assigner.give_everyone(None)
    assert [assigner.identity_of(track_id, [0, 1, 2]) for track_id in (0, 1)] == own
    newcomer = assigner.identity_of(2, [0, 1, 2])
    assert newcomer not in (None, *own)


def test_people_stay_known_when_tracks_are_numbered_from_the_start() -> None:
    assigner = IdentityAssigner(GALLERY)
    first, second = (meet(assigner, track_id, PEOPLE[track_id], [0, 1]) for track_id in (0, 1))
    assigner.add_evidence(2, PEOPLE[2].embedding, 1.0)  # seen, not yet asked about
    assigner.forget_tracks()
    assert meet(assigner, 0, PEOPLE[1], [0, 1]) is second
    assert meet(assigner, 1, PEOPLE[0], [0, 1]) is first
    assert meet(assigner, 2, PEOPLE[3], [0, 1, 2]) not in (None, first, second)


def test_a_book_does_not_grow_with_strangers() -> None:
    """Two thousand strangers at an entrance, and one who stands there all the time."""
    random = np.random.default_rng(0)
    assigner = IdentityAssigner(GALLERY)
    porter = meet(assigner, 0, PEOPLE[0], [0])
    for track_id in range(1, 2000):
        stranger = random.normal(size=128).astype(np.float32)
        assigner.add_evidence(track_id, stranger / np.linalg.norm(stranger), 1.0)
        worn = assigner.identity_of(track_id, [0, track_id])
        assert worn not in (None, porter)
        assert meet(assigner, 0, PEOPLE[0], [0, track_id]) is porter
        assigner.forget(track_id)
    assert len(assigner._people) <= len(GALLERY)
    assert (len(assigner._by_track), len(assigner._evidence)) == (1, 0)


def test_portraits_whose_sex_is_plain_only_with_their_hair_are_chosen_last() -> None:
    gallery = load_builtin()
    unclear = {one.name for one in gallery if 1 - module.PLAINLY < one.p_female < module.PLAINLY}
    assert {"abena", "cora"} <= unclear
    known = probes()
    chosen = [
        IdentityAssigner(gallery, seed=seed, probes=known)._unlike(list(gallery))
        for seed in range(20)
    ]
    share = np.mean([len(some & unclear) / len(some) for some in chosen])
    assert share < 0.6 * len(unclear) / len(gallery)


def test_portraits_that_smile_are_chosen_last() -> None:
    """Their cheeks smile in any expression: few of the people to choose from do."""
    gallery = load_builtin()
    shares = []
    for seed in range(20):
        assigner = IdentityAssigner(gallery, seed=seed, probes=probes())
        chosen = assigner._unlike(list(gallery))
        shares.append(
            np.mean([one.teeth > module.SMILING for one in gallery if one.name in chosen])
        )
    assert np.mean(shares) < 0.6 * np.mean([one.teeth > module.SMILING for one in gallery])
