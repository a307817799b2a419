"""Who wears whom: one identity a person for the whole stream, two visible people never the same.

All of it lives in memory and ends with the run.

People are told apart by the weighted mean of their embeddings. Measured with MobileFaceNet on LFW
(turned by less than 35 degrees): at :data:`SAME_PERSON` 96.8 % of pairs of pictures of one person
match and 0.012 % of pairs of two; with means of three pictures, as after a few frames of a track,
100 % and 0.06 %. Several templates a person, for several poses, were tried: hardly more recall at
twice the false matches.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING

import cv2
import numpy as np

from streamanon.errors import UsageError
from streamanon.face import landmarks as lm
from streamanon.imaging.picture import clip_box, shrink

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from streamanon.types import F32, Identity, Mesh, Picture

SAME_PERSON = 0.40
"""Cosine above which a track is taken for a known person."""

LOOK_ALIKE = 0.30
"""Cosine above which a portrait is too like a person to hide who it is."""

NEAREST = 3
"""Portraits that fit best, among which the seed picks one."""

_LAB_WEIGHTS = np.array([1.0, 0.7, 0.7], np.float32)
"""Weights of L, a and b when skins are compared: the tone shows more than its tint."""

_FEMININITY_WEIGHT, _AGE_WEIGHT = 16.0, 0.4
"""What femininity (1 to -1) and a year of age count beside the distance of skins.

With 200 synthetic portraits as people, the three nearest of the built-in gallery are of their sex
in 86 % (52 % by skin alone) and 17 years off (25), at a distance of skins of 8.6 (5.6).
"""

_SURE = 0.5
"""Femininity beyond which more of it means no more."""

_CHEEKS = ((50, 205, 187), (280, 425, 411))
"""Mesh points around the middle of either cheek."""

_CHEEK_PX = 12
"""Side to which a patch of cheek is scaled before it is measured."""

DULLEST = 0.25
"""Least share of its colourfulness a portrait keeps in a colourless scene."""


@dataclass(slots=True)
class _Looks:
    """What was seen of somebody, as weighted sums."""

    face: F32 = field(default_factory=lambda: np.zeros(128, np.float32))
    skin: F32 = field(default_factory=lambda: np.zeros(4, np.float32))

    def add(self, other: _Looks) -> None:
        self.face += other.face
        self.skin += other.skin

    @property
    def embedding(self) -> F32 | None:
        """The mean embedding as a unit vector, or None before the first look."""
        length = float(np.linalg.norm(self.face))
        return self.face / length if length > 0 else None

    @property
    def skin_lab(self) -> F32 | None:
        """The mean CIELAB of the cheeks, or None before it was measured."""
        return self.skin[:3] / self.skin[3] if self.skin[3] > 0 else None


@dataclass(slots=True, eq=False)
class _Person:
    """Somebody who got an identity; last_asked orders people by when they were last around."""

    identity: Identity
    looks: _Looks
    last_asked: int


class IdentityBook:
    """Gives every person of a stream an identity and keeps to it."""

    def __init__(
        self,
        gallery: Sequence[Identity],
        *,
        seed: int = 0,
        only: str | None = None,
        appearance: F32 | None = None,
    ) -> None:
        """Create one for one stream.

        Args:
            gallery: identities to give.
            seed: another number gives people other identities.
            only: name of the one identity everybody gets; sharing it is then allowed.
            appearance: (2, 129) float32, 128 weights and a bias that tell femininity (1 to -1), and
                such that tell age in years, from an embedding; None to choose by skin alone.

        Raises:
            UsageError: there is no identity, or none of that name.
        """
        if not gallery:
            raise UsageError("the gallery holds no identity: add portraits to it")
        self._gallery, self._seed = tuple(gallery), seed
        self._only = None if only is None else _by_name(self._gallery, only)
        self._appearance = appearance
        self._looks: dict[int, _Looks] = {}
        self._wearers: dict[int, _Person] = {}
        self._people: list[_Person] = []
        self._met = 0
        self._asked = 0

    def give_everyone(self, name: str | None) -> None:
        """Change who gets whom while the stream goes on; called from any thread.

        Args:
            name: of the one identity everybody gets from now on; None to give everyone their own,
                those known before the one they had.

        Raises:
            UsageError: there is no identity of that name; then nothing changes.
        """
        self._only = None if name is None else _by_name(self._gallery, name)

    def evidence(
        self, track_id: int, embedding: F32, weight: float, skin_lab: F32 | None = None
    ) -> None:
        """Take note of what a track looks like in one frame.

        Args:
            track_id: of the track.
            embedding: (128,) float32 unit vector; ignored unless finite.
            weight: quality of the view, above 0.
            skin_lab: (3,) float32 CIELAB of the cheeks (:func:`skin_lab`), or None.
        """
        if not np.isfinite(embedding).all():
            return
        skin = np.zeros(4) if skin_lab is None else np.append(skin_lab, 1) * weight
        seen = _Looks((weight * embedding).astype(np.float32), skin.astype(np.float32))
        wearer = self._wearers.get(track_id)
        looks = wearer.looks if wearer else self._looks.setdefault(track_id, _Looks())
        looks.add(seen)

    def identity_of(self, track_id: int, visible: Collection[int]) -> Identity | None:
        """Return whom a track wears; decided at the first call and kept for the track's life.

        Args:
            track_id: of the track.
            visible: ids of every track in the same frame; its own may be among them.

        Returns:
            The identity, or None when all are worn by others in this frame: cover the face.
        """
        only = self._only
        if only:
            return only
        self._asked += 1
        wearer = self._wearers.get(track_id)
        if wearer is None:
            worn = {p.identity.name for t, p in self._wearers.items() if t in visible}
            wearer = self._decide(self._looks.get(track_id) or _Looks(), worn)
            if wearer is None:
                return None
            self._looks.pop(track_id, None)
            self._wearers[track_id] = wearer
        elif self._was_given_to_another_first(track_id, visible):
            return None
        wearer.last_asked = self._asked
        return wearer.identity

    def forget(self, track_id: int) -> None:
        """Drop a track that has ended; the person stays known."""
        self._looks.pop(track_id, None)
        person = self._wearers.pop(track_id, None)
        if person in self._people and person.looks.embedding is None:  # could never be known again
            self._people.remove(person)

    def forget_tracks(self) -> None:
        """Drop every track: those to come are numbered anew; the people stay known."""
        for track_id in [*self._wearers, *self._looks]:
            self.forget(track_id)

    def _was_given_to_another_first(self, track_id: int, visible: Collection[int]) -> bool:
        """Tell whether a track in the same frame wears the same and got it earlier."""
        mine = self._wearers[track_id].identity
        for other, person in self._wearers.items():
            if other == track_id:
                return False
            if other in visible and person.identity is mine:
                return True
        return False

    def _decide(self, looks: _Looks, worn: set[str]) -> _Person | None:
        """Return the known or new person somebody is; None when no identity is left for them.

        Args:
            looks: what was seen of them.
            worn: names of identities that others wear in the same frame.
        """
        absent = [person for person in self._people if person.identity.name not in worn]
        known = _most_alike(looks, absent)
        if known:
            known.looks.add(looks)
            return known
        taken = worn | {person.identity.name for person in self._people}
        free = [identity for identity in self._gallery if identity.name not in taken]
        if free:
            identity = self._pick(_fitting(free, looks, self._appearance))
        elif absent:
            gone = min(absent, key=lambda person: person.last_asked)
            self._people.remove(gone)
            identity = gone.identity
        else:
            return None
        self._met += 1
        person = _Person(identity, looks, self._asked)
        self._people.append(person)
        return person

    def _pick(self, identities: list[Identity]) -> Identity:
        """Return one by seed and order of appearance."""
        digest = hashlib.blake2b(f"{self._seed}:{self._met}".encode(), digest_size=8).digest()
        return identities[int.from_bytes(digest) % len(identities)]


def _by_name(gallery: tuple[Identity, ...], name: str) -> Identity:
    names = {identity.name: identity for identity in gallery}
    if name in names:
        return names[name]
    close = get_close_matches(name, names, n=3, cutoff=0.5) or sorted(names)[:3]
    raise UsageError(
        f"no identity called {name!r}: did you mean {', '.join(close)}? "
        "`streamanon identities list` names them all"
    )


def _most_alike(looks: _Looks, people: list[_Person]) -> _Person | None:
    """Return the person somebody is, or None when they are new."""
    seen = looks.embedding
    best, likeness = None, SAME_PERSON
    for person in people:
        known = person.looks.embedding
        if seen is not None and known is not None and float(seen @ known) > likeness:
            best, likeness = person, float(seen @ known)
    return best


def _fitting(identities: list[Identity], looks: _Looks, appearance: F32 | None) -> list[Identity]:
    """Return the identities nearest to somebody in skin and appearance, none of which is them."""
    face, skin = looks.embedding, looks.skin_lab
    if face is not None:
        likeness = [float(identity.embedding @ face) for identity in identities]
        limit = max(LOOK_ALIKE, min(likeness))
        pairs = zip(identities, likeness, strict=True)
        identities = [identity for identity, alike in pairs if alike <= limit]
    distance = np.zeros(len(identities), np.float32)
    if skin is not None:
        skins = np.stack([identity.skin_lab for identity in identities])
        distance += np.linalg.norm((skins - skin) * _LAB_WEIGHTS, axis=1)
    if face is not None and appearance is not None:
        faces = np.stack([identity.embedding for identity in identities])
        unlike = _appearance(appearance, faces) - _appearance(appearance, face[None])
        distance += np.abs(unlike).sum(axis=1)
    if not distance.any():  # nothing is known of them
        return identities
    return [identities[index] for index in np.argsort(distance, kind="stable")[:NEAREST]]


def _appearance(probes: F32, embeddings: F32) -> F32:
    """Return (n, 2) float32, femininity and age of (n, 128) embeddings, as they count."""
    femininity, age = probes[:, :-1] @ embeddings.T + probes[:, -1:]
    femininity = np.clip(femininity, -_SURE, _SURE)
    return np.stack([_FEMININITY_WEIGHT * femininity, _AGE_WEIGHT * age], axis=1)


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
    """Return the share of its colourfulness a portrait keeps on a face: no more than the skin's."""
    wanted, given = skin_lab(picture, mesh), identity.skin_lab
    if wanted is None:
        return 1.0
    ratio = float(np.hypot(wanted[1], wanted[2]) / max(np.hypot(given[1], given[2]), 1.0))
    return min(max(ratio, DULLEST), 1.0)
