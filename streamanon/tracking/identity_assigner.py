"""Assigns identities: one a person for the whole stream, never the same to two visible people.

Everything is kept in memory only and dropped when the run ends.

People are distinguished by the weighted mean of their embeddings. Measured with MobileFaceNet on
LFW (turned by less than 35 degrees): at :data:`SAME_PERSON` 96.8 % of pairs of pictures of one
person match and 0.012 % of pairs of two; with means of three pictures, as after a few frames of a
track, 100 % and 0.06 %. Several templates a person, for several poses, were tried: hardly more
recall at twice the false matches.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cached_property

import cv2
import numpy as np

from streamanon.errors import UsageError
from streamanon.face import landmarks as lm
from streamanon.imaging.picture import clip_box, shrink
from streamanon.protocols import KnownPeople
from streamanon.types import F32, Identity, Mesh, Picture

SAME_PERSON = 0.40
"""Cosine similarity above which a track is a known person."""

POOR_WEIGHT = 0.05
"""Weight of evidence below which somebody is not remembered with the identity chosen by it."""

LOOK_ALIKE = 0.15
"""Cosine similarity above which a portrait resembles a person too much to hide them. With 0.30
another recogniser (faceres) finds 16 of 102 people at rank 1, with 0.15 ten or eleven."""

CHILDREN_ALIKE = 0.25
"""The same for children, who look alike to the recogniser: two have a cosine of 0.29 on average,
two adults one of 0.06. It leaves as large a share of the portraits."""

NEAREST = 8
"""Number of portraits nearest to a person from which the key picks one."""

ALIKE = 5
"""Number of portraits like each other, itself included, of which the seed picks one."""

SMILING = 0.1
"""Share of a full row of teeth from which a portrait smiles."""

PLAINLY = 0.975
"""Probability of its sex from which a portrait shows it: without its hair, others do not."""

_FIRST = 204
"""Added to the seed. Each number has about fifty-five identities unlike each other to choose from;
of 400 numbers these hold few portraits with odd light, frowns or pale brows, and of six such they
looked best on the people of nine clips and four portraits."""

_LAB_WEIGHTS = np.array([1.0, 0.7, 0.7], np.float32)
"""Weights of L, a and b when skin colours are compared: lightness is more visible than tint."""

_LIT_WEIGHT, _SKIN_WEIGHT = 0.25, 1.6
"""Weights of the distance of skin colours as they are lit, and as they would be in even light."""

_AGE_WEIGHT, _OLDER_WEIGHT = 0.9, 0.4
"""Weights, relative to the distance of skin colours, of a year of difference in apparent age, and
of each year by which a portrait is too old."""

_YOUNGER_YEARS = 2.0
"""A portrait is too old unless it looks so much younger: wrinkles on a young head look worse than
the reverse."""

_UNSURE, _UNSURE_YEARS = 0.2, 6.0
"""Differences of age that count for nothing, as a share of it and at most in years: ages are not
estimated better."""

_DESCENT_WEIGHT = 10.0
"""Weight of a face that looks to be of another descent, African or East Asian: light makes up for
the skin, but nothing for features and brows beneath fair hair."""

_ALIKE_WEIGHT = 30.0
"""Weight of the cosine similarity to the person: of identities that fit, the less alike hide
better. With it and what is unsure, a recogniser (faceres) finds 10 of 102 people at rank 1 where it
finds 17 without either (three seeds)."""

CHILDLIKE, AGED = 0.1, 36.0
"""Answer of the probe from which somebody is a child, and apparent age from which nobody is: the
probe takes some blurred old men for children."""

OLDEST_CHILD = 13.0
"""Age up to which a portrait is a child's; children get no other, and nobody else gets one."""

_CHEEKS = ((50, 205, 187), (280, 425, 411))
"""Mesh points around the middle of either cheek."""

_CHEEK_PX = 12
"""Side to which a patch of cheek is scaled before it is measured."""

KIN_SHARE = 0.5
"""Most that a key mixes another portrait's shape in."""

DULLEST = 0.25
"""Least share of its colourfulness a portrait keeps in a colourless scene."""


@dataclass(frozen=True, slots=True)
class AppearanceProbes:
    """Linear functions of an embedding, with the bias in the last row.

    Attributes:
        skin: (129, 3) float32, CIELAB of the cheeks in even light.
        child: (129,) float32, about 1 for a child and -1 for an adult.
        descent: (129, 2) float32, 0 for most people and 1 for most who look East Asian, and for
            most who look African.
    """

    skin: F32
    child: F32
    descent: F32

    def is_child(self, embedding: F32, years: float) -> bool:
        """Return whether somebody is a child, by a (128,) unit vector and an apparent age."""
        return years < AGED and float(embedding @ self.child[:-1] + self.child[-1]) > CHILDLIKE

    def descent_of(self, embedding: F32) -> F32:
        """Return (..., 2) float32 in 0..1: how East Asian, and how African, faces look.

        Args:
            embedding: (..., 128) float32 unit vectors.
        """
        return np.asarray(np.clip(embedding @ self.descent[:-1] + self.descent[-1], 0, 1))

    def skin_in_even_light(self, embedding: F32, skin_lab: F32 | None) -> F32:
        """Return the (..., 3) float32 CIELAB that skin would have in a portrait's light.

        The embedding knows little of the light. A dim scene makes skin look dark, so what is
        measured only counts where it is lighter than that, and then by half.

        Args:
            embedding: (..., 128) float32 unit vectors of people.
            skin_lab: (..., 3) float32 measured CIELAB, or None.
        """
        skin = np.asarray(embedding @ self.skin[:-1] + self.skin[-1], np.float32)
        if skin_lab is not None:
            lightness = skin[..., 0]
            skin[..., 0] = np.maximum(lightness, (lightness + skin_lab[..., 0]) / 2)
        return skin


@dataclass(slots=True)
class _Evidence:
    """What is known of a track or person, as weighted sums.

    Attributes:
        embeddings: (128,) float32 sum of unit vectors.
        skins: (4,) float32 sum of CIELAB colours and of their weights.
        sex: sum of 2 p - 1, where p is the probability of looking female.
        ages: (2,) float32 sum of apparent ages in years and of their weights.
    """

    embeddings: F32 = field(default_factory=lambda: np.zeros(128, np.float32))
    skins: F32 = field(default_factory=lambda: np.zeros(4, np.float32))
    sex: float = 0.0
    ages: F32 = field(default_factory=lambda: np.zeros(2, np.float32))

    def add(self, other: _Evidence) -> None:
        self.embeddings += other.embeddings
        self.skins += other.skins
        self.sex += other.sex
        self.ages += other.ages

    def packed(self) -> F32:
        """Return all of it as (135,) numbers."""
        parts = (self.embeddings, self.skins, [self.sex], self.ages)
        return np.concatenate(parts).astype(np.float32)

    @classmethod
    def unpacked(cls, numbers: F32) -> _Evidence:
        """Return what :meth:`packed` gave."""
        embeddings, skins, sex, ages = np.split(numbers.copy(), (128, 132, 133))
        return cls(embeddings, skins, float(sex[0]), ages)

    @property
    def embedding(self) -> F32 | None:
        """The mean embedding as a unit vector, or None before the first sample."""
        length = float(np.linalg.norm(self.embeddings))
        return self.embeddings / length if length > 0 else None

    @property
    def is_poor(self) -> bool:
        """Whether the person cannot be recognised by it."""
        return float(np.linalg.norm(self.embeddings)) < POOR_WEIGHT

    @property
    def skin_lab(self) -> F32 | None:
        """The mean CIELAB of the cheeks, or None before it was measured."""
        return self.skins[:3] / self.skins[3] if self.skins[3] > 0 else None

    @property
    def years(self) -> float | None:
        """The mean apparent age, or None before it was estimated."""
        return float(self.ages[0] / self.ages[1]) if self.ages[1] > 0 else None


@dataclass(slots=True, eq=False)
class _Person:
    """A person with an identity; ``last_used`` orders people by when they were last visible."""

    number: int
    identity: Identity
    evidence: _Evidence
    last_used: int


class IdentityAssigner:
    """Assigns an identity to each person of a stream and keeps it."""

    def __init__(
        self,
        gallery: Sequence[Identity],
        *,
        seed: int = 0,
        only: str | None = None,
        probes: AppearanceProbes | None = None,
        known: KnownPeople | None = None,
    ) -> None:
        """Create one for one stream.

        Args:
            gallery: identities to assign.
            seed: selects among the identities that fit.
            only: name of one identity that everyone gets; None to give each person their own.
            probes: estimators of skin; None to compare skins as they are lit.
            known: people of other files and streams, who get the identities they had there; None
                if there are none.

        Raises:
            UsageError: the gallery is empty, or holds no identity of that name.
        """
        if not gallery:
            raise UsageError("the gallery holds no identity: add portraits to it")
        self._gallery, self._seed = tuple(gallery), seed
        self._only = None if only is None else _by_name(self._gallery, only)
        self._probes, self._known, self._known_so_far = probes, known, 0
        self._evidence: dict[int, _Evidence] = {}
        self._by_track: dict[int, _Person] = {}
        self._people: list[_Person] = []
        self._people_so_far = 0
        self._calls = 0

    def give_everyone(self, name: str | None) -> None:
        """Change the assignment while the stream runs; called from any thread.

        Args:
            name: identity that everyone gets from now on; None to give each person their own,
                and known people the one they had.

        Raises:
            UsageError: the gallery holds no identity of that name; nothing changes.
        """
        self._only = None if name is None else _by_name(self._gallery, name)

    def add_evidence(
        self,
        track_id: int,
        embedding: F32,
        weight: float,
        skin_lab: F32 | None = None,
        p_female: float = 0.5,
        years: float | None = None,
    ) -> None:
        """Add what a track looks like in one frame.

        Args:
            track_id: track seen.
            embedding: (128,) float32 unit vector; ignored unless finite.
            weight: quality of the view, above 0.
            skin_lab: (3,) float32 CIELAB of the cheeks (:func:`skin_lab`), or None.
            p_female: probability of looking female, 0..1; 0.5 when unknown.
            years: apparent age, or None.
        """
        if not np.isfinite(embedding).all():
            return
        skin = np.zeros(4) if skin_lab is None else np.append(skin_lab, 1) * weight
        added = _Evidence(
            (weight * embedding).astype(np.float32),
            skin.astype(np.float32),
            weight * (2 * p_female - 1),
            np.array([0, 0] if years is None else [weight * years, weight], np.float32),
        )
        person = self._by_track.get(track_id)
        known = person.evidence if person else self._evidence.setdefault(track_id, _Evidence())
        known.add(added)
        if person:
            self._remember(person)

    def identity_of(self, track_id: int, visible: Collection[int]) -> Identity | None:
        """Return a track's identity; decided at the first call and kept for the track's life.

        Args:
            track_id: track to replace.
            visible: ids of all tracks in the same frame; may include its own.

        Returns:
            The identity, or None when others in this frame have them all: the face gets a cover.
        """
        only = self._only
        if only:
            return only
        self._calls += 1
        person = self._by_track.get(track_id)
        if person is None:
            evidence = self._evidence.get(track_id) or _Evidence()
            person = self._decide(evidence, self._in_use(visible))
            if person is None:
                return None
            self._evidence.pop(track_id, None)
            self._by_track[track_id] = person
        elif self._is_used_earlier(track_id, visible):
            return None
        person.last_used = self._calls
        return person.identity

    def person_of(self, track_id: int) -> int | None:
        """Return the number of a track's person; None before it has an identity of its own."""
        person = self._by_track.get(track_id)
        return person.number if person else None

    def has_identity(self, track_id: int) -> bool:
        """Return whether the identity of a track is decided."""
        return self._only is not None or track_id in self._by_track

    def recognises(self, track_id: int, visible: Collection[int]) -> bool:
        """Return whether a track without an identity is somebody known who is not in view."""
        evidence = self._evidence.get(track_id)
        absent = self._absent(self._in_use(visible))
        return evidence is not None and _recognised(evidence, absent) is not None

    def forget(self, track_id: int) -> None:
        """Drop a track that has ended, but keep its person."""
        self._evidence.pop(track_id, None)
        self._by_track.pop(track_id, None)

    def forget_tracks(self) -> None:
        """Drop all tracks, whose ids are about to be used again, but keep the people."""
        for track_id in [*self._by_track, *self._evidence]:
            self.forget(track_id)

    def _is_used_earlier(self, track_id: int, visible: Collection[int]) -> bool:
        """Tell whether a track in the same frame got the same identity before this one."""
        identity = self._by_track[track_id].identity
        for other, person in self._by_track.items():
            if other == track_id:
                return False
            if other in visible and person.identity is identity:
                return True
        return False

    def _in_use(self, visible: Collection[int]) -> set[str]:
        """Return the names of the identities that visible tracks have."""
        return {one.identity.name for key, one in self._by_track.items() if key in visible}

    def _absent(self, in_use: set[str]) -> list[_Person]:
        """Return the people whose identities are not in use."""
        return [person for person in self._people if person.identity.name not in in_use]

    def _decide(self, evidence: _Evidence, in_use: set[str]) -> _Person | None:
        """Return the known or new person of a track; None when no identity is left."""
        self._meet_known_people()
        absent = self._absent(in_use)
        known = _recognised(evidence, absent)
        if known:
            known.evidence.add(evidence)
            return known
        if self._known and evidence.embedding is not None:
            self._known.enrol(evidence.packed())
            self._meet_known_people()
            return self._people[-1]
        taken = in_use | {person.identity.name for person in self._people}
        if len(taken) < len(self._gallery):
            identity = self._pick(taken, evidence)
        elif absent:
            gone = min(absent, key=lambda person: person.last_used)
            self._people.remove(gone)
            identity = gone.identity
        else:
            return None
        self._people_so_far += 1
        person = _Person(self._people_so_far, identity, evidence, self._calls)
        self._remember(person)
        return person

    def _remember(self, person: _Person) -> None:
        """Have a person recognised from now on, whose identity no one else gets meanwhile."""
        if person not in self._people and not person.evidence.is_poor:
            self._people.append(person)

    def _meet_known_people(self) -> None:
        """Take over people enrolled since, by other streams too, each with the identity due."""
        for number, numbers in self._known.since(self._known_so_far) if self._known else ():
            self._known_so_far += 1
            self._people_so_far += 1
            evidence = _Evidence.unpacked(numbers)
            identity = self._due(number, evidence)
            self._people.append(_Person(self._people_so_far, identity, evidence, self._calls))

    def _due(self, person: bytes, evidence: _Evidence) -> Identity:
        """Return the identity that a key chooses for somebody: a portrait, and a shape near it.

        It depends on those enrolled before, whose portraits are taken as long as others are left.
        """
        assert self._known
        taken = {one.identity.name for one in self._people}
        free = [one for one in self._gallery if one.name not in taken] or list(self._gallery)
        fitting = self._nearest(self._allowed(free, evidence), evidence)[:NEAREST]
        choice = self._known.number(person, f"portrait {self._seed}")
        portrait = fitting[choice % len(fitting)]
        others = [one for one in fitting if one is not portrait]
        if not others:
            return portrait
        number = self._known.number(person, f"shape {self._seed}")
        share = KIN_SHARE * ((number >> 32) / 2**32)
        return replace(portrait, kin=(others[number % len(others)], share))

    def _pick(self, taken: set[str], evidence: _Evidence) -> Identity:
        """Return the nearest of a few identities that the seed chose; the next one if it is taken.

        Another recording of somebody, or other people before, seldom change the choice: these few
        are unlike each other, so that a person seldom stands between two of them.
        """
        fitting = self._allowed(self._gallery, evidence)
        if taken.issuperset(one.name for one in fitting):
            free = [one for one in self._gallery if one.name not in taken]
            fitting = self._allowed(free, evidence)
        nearest = self._nearest(fitting, evidence)
        while True:
            chosen = self._unlike(nearest)
            first = next(one for one in nearest if one.name in chosen)
            if first.name not in taken:
                return first
            nearest.remove(first)

    def _allowed(self, identities: Sequence[Identity], evidence: _Evidence) -> list[Identity]:
        """Return the identities of the same apparent sex that do not look too much like the person.

        Sex is a condition, not a weight: a beard on a woman is worse than a skin that light has to
        bridge. Children have a child's face, of either sex, as a face hardly shows theirs.
        """
        child, face = self._is_child(evidence), evidence.embedding
        fitting = [one for one in identities if (one.years <= OLDEST_CHILD) == child]
        fitting = fitting or list(identities)
        if evidence.sex and not child:
            fitting = [one for one in fitting if (one.p_female - 0.5) * evidence.sex > 0] or fitting
        if face is None:
            return fitting
        similarity = _similarities(fitting, face)
        limit = max(CHILDREN_ALIKE if child else LOOK_ALIKE, min(similarity))
        pairs = zip(fitting, similarity, strict=True)
        return [identity for identity, alike in pairs if alike <= limit]

    def _is_child(self, evidence: _Evidence) -> bool:
        face, years = evidence.embedding, evidence.years
        if self._probes is None or face is None or years is None:
            return False
        return self._probes.is_child(face, years)

    def _nearest(self, identities: list[Identity], evidence: _Evidence) -> list[Identity]:
        """Return identities by skin colour and age, nearest first."""
        face, skin, years = evidence.embedding, evidence.skin_lab, evidence.years
        if years is not None and self._is_child(evidence):
            years = min(years, OLDEST_CHILD)
        descent = self._probes.descent_of(face) if self._probes and face is not None else None
        distance = _distances(identities, face, skin, years, descent, self._probes)
        if face is not None:
            distance += _ALIKE_WEIGHT * np.array(_similarities(identities, face), np.float32)
        return [identities[index] for index in np.argsort(distance, kind="stable")]

    def _unlike(self, identities: list[Identity]) -> set[str]:
        """Return the names of some identities, in the seed's order, none like one before it.

        Those who smile come last, their cheeks do so in any expression, and those whose sex is not
        plain.
        """
        chosen: set[str] = set()
        like_chosen: set[str] = set()

        def order(one: Identity) -> tuple[bool, bytes]:
            plain = max(one.p_female, 1 - one.p_female) > PLAINLY
            return one.teeth > SMILING or not plain, self._rank(one.name)

        for one in sorted(identities, key=order):
            if one.name not in like_chosen:
                chosen.add(one.name)
                like_chosen |= self._like[one.name]
        return chosen

    @cached_property
    def _like(self) -> dict[str, set[str]]:
        """Names of the :data:`ALIKE` identities nearest to each one, of its own sex."""
        gallery = self._gallery
        faces, skins, years, descents = (
            np.stack([getattr(one, name) for one in gallery])
            for name in ("embedding", "skin_lab", "years", "descent")
        )
        female = np.array([one.p_female > 0.5 for one in gallery])
        known = descents if self._probes else None
        distances = _distances(gallery, faces, skins, years, known, self._probes)
        distances[female[:, None] != female] = np.inf
        nearest = np.argsort(distances, axis=1, kind="stable")[:, :ALIKE]
        return {
            one.name: {one.name, *(gallery[index].name for index in row)}
            for one, row in zip(gallery, nearest, strict=True)
        }

    def _rank(self, name: str) -> bytes:
        """Return the place of an identity in the seed's order."""
        return hashlib.blake2b(f"{self._seed + _FIRST}:{name}".encode(), digest_size=8).digest()


def _by_name(gallery: tuple[Identity, ...], name: str) -> Identity:
    names = {identity.name: identity for identity in gallery}
    if name in names:
        return names[name]
    close = get_close_matches(name, names, n=3, cutoff=0.5) or sorted(names)[:3]
    raise UsageError(
        f"no identity called {name!r}: did you mean {', '.join(close)}? "
        "`streamanon identities list` names them all"
    )


def _recognised(evidence: _Evidence, people: list[_Person]) -> _Person | None:
    """Return the person most similar to a track, or None when all differ too much."""
    embedding = evidence.embedding
    best, similarity = None, SAME_PERSON
    for person in people:
        known = person.evidence.embedding
        if embedding is not None and known is not None and float(embedding @ known) > similarity:
            best, similarity = person, float(embedding @ known)
    return best


def _similarities(identities: Sequence[Identity], face: F32) -> list[float]:
    """Return the cosines of identities with a (128,) embedding."""
    return [float(identity.embedding @ face) for identity in identities]


def _distances(
    identities: Sequence[Identity],
    face: F32 | None,
    skin: F32 | None,
    years: float | F32 | None,
    descent: F32 | None,
    probes: AppearanceProbes | None,
) -> F32:
    """Return how far identities are from people in skin colour, age and descent, (..., n) float32.

    Args:
        identities: n of them.
        face: (..., 128) float32 embeddings of people, or None.
        skin: (..., 3) float32 CIELAB of their cheeks, or None.
        years: (...) apparent ages of people, or None.
        descent: (..., 2) float32 what people look like (:meth:`AppearanceProbes.descent_of`), or
            None.
        probes: estimators of skin, or None.
    """
    distance = np.zeros(len(identities), np.float32)
    skins = np.stack([identity.skin_lab for identity in identities])
    if skin is not None:
        weight = _LIT_WEIGHT if probes else 1.0
        apart = skins - skin[..., None, :]
        distance = distance + weight * np.linalg.norm(apart * _LAB_WEIGHTS, axis=-1)
    if face is not None and probes:
        faces = np.stack([identity.embedding for identity in identities])
        estimated = faces @ probes.skin[:-1] + probes.skin[-1]
        apart = (skins + estimated) / 2 - probes.skin_in_even_light(face, skin)[..., None, :]
        distance = distance + _SKIN_WEIGHT * np.linalg.norm(apart * _LAB_WEIGHTS, axis=-1)
    if years is not None:
        age = np.asarray(years)[..., None]
        older = np.array([one.years for one in identities]) - age
        apart = np.abs(older) - np.minimum(_UNSURE * age, _UNSURE_YEARS)
        distance = distance + _AGE_WEIGHT * np.maximum(apart, 0)
        distance += _OLDER_WEIGHT * np.maximum(older + _YOUNGER_YEARS, 0)
    if descent is not None:
        descents = np.stack([one.descent for one in identities])
        apart = np.abs(descents - descent[..., None, :]).sum(axis=-1)
        distance = distance + _DESCENT_WEIGHT * apart
    return np.asarray(distance, np.float32)


def skin_lab(picture: Picture, mesh: Mesh) -> F32 | None:
    """Return the (3,) float32 CIELAB (L 0..100, a, b) of both cheeks, without their highlights.

    None when neither cheek lies in the picture.
    """
    reach = 0.1 * lm.inter_ocular_px(mesh.points)
    cheeks = []
    for points in _CHEEKS:
        x, y = mesh.points[list(points), :2].mean(axis=0).tolist()
        box = clip_box(picture, (x - reach, y - reach, x + reach, y + reach))
        if box[2] - box[0] >= 2 and box[3] - box[1] >= 2:
            patch = shrink(picture, box, (_CHEEK_PX, _CHEEK_PX)).astype(np.float32) / 255
            lab = np.asarray(cv2.cvtColor(patch, cv2.COLOR_BGR2LAB), np.float32).reshape(-1, 3)
            matt = lab[lab[:, 0] <= np.quantile(lab[:, 0], 0.75)]
            cheeks.append(np.median(matt, axis=0))
    return np.mean(cheeks, axis=0).astype(np.float32) if cheeks else None


def colourfulness(picture: Picture, mesh: Mesh, identity: Identity) -> float:
    """Return the factor by which a portrait's colourfulness is reduced to that of a face, 0..1."""
    wanted, given = skin_lab(picture, mesh), identity.skin_lab
    if wanted is None:
        return 1.0
    ratio = float(np.hypot(wanted[1], wanted[2]) / max(np.hypot(given[1], given[2]), 1.0))
    return min(max(ratio, DULLEST), 1.0)
