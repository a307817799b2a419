"""Fit ``appearance.npz``: skin in even light, and descent, as linear functions of an embedding.

    python -m training.appearance --portraits DIR --lfw lfw.tar --aaf aaf.tar --out appearance.npz

Faces are found and embedded as the product does it. Skin is that of synthetic portraits, which are
evenly lit, and with a small weight that of LFW, whose light differs from picture to picture: of 200
portraits it is predicted with a correlation of 0.83 in lightness.

Descent is learnt from sets as a whole, no person in them is labelled: faces that look East Asian
are those of All-Age-Faces, those that look African are of the built-in gallery, whose people do not
exist. Both are told from LFW, where few look either.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from streamanon.config import Config
from streamanon.face import landmarks as lm
from streamanon.factory import Factory
from streamanon.identities.gallery import load_builtin
from streamanon.tracking.identity_assigner import skin_lab
from streamanon.types import F32, Identity
from training.data.entries import Entry, read_entries
from training.data.prepare import central_mesh

FOLDS = 5
RIDGE = 3.0

SKIN_WEIGHT = 0.3
"""What a face of LFW counts when skin is fitted; a portrait counts 3."""

PER_PERSON = 2
"""Pictures taken of each person of LFW."""

MOST_OF_A_SET = 2500
"""Faces taken of a set when descent is fitted."""

GALLERY_SHARES = (0.005, 0.3)
"""What a face of the gallery that looks East Asian, or does not, counts relative to a whole set
when that is fitted; what all that do not look African count together when that is."""

CERTAIN = (0.85, 0.95)
"""Shares of LFW with lower answers: there descent begins to count, and counts in full."""


@dataclass(frozen=True)
class Faces:
    """Embedded faces of one set.

    Attributes:
        embedding: (n, 128) float32 unit vectors.
        skin: (n, 3) float32 CIELAB of the cheeks, as they are lit.
    """

    embedding: F32
    skin: F32


def load(entries: Iterable[Entry], factory: Factory) -> Faces:
    """Return the faces in the middle of pictures: of portraits or of LFW."""
    rows = []
    for entry in entries:
        found = central_mesh(entry)
        if isinstance(found, str):
            continue
        picture, mesh = found
        skin = skin_lab(picture, mesh)
        if skin is not None:
            rows.append((factory.embedder.embed(picture, lm.five_points(mesh.points)), skin))
    embeddings, skins = zip(*rows, strict=True)
    return Faces(np.stack(embeddings), np.stack(skins))


def few_of_each(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Yield at most PER_PERSON pictures of each person."""
    seen: Counter[str] = Counter()
    for entry in entries:
        seen[entry.person] += 1
        if seen[entry.person] <= PER_PERSON:
            yield entry


def fit(embedding: F32, wanted: F32, weight: F32, ridge: float = RIDGE) -> F32:
    """Return (129, ...) float32, 128 weights and a bias: ridge regression with weighted rows."""
    rows = np.column_stack([embedding, np.ones(len(embedding))]).astype(np.float64)
    weighted = rows * weight[:, None]
    normal = weighted.T @ rows + ridge * np.eye(rows.shape[1])
    return np.asarray(np.linalg.solve(normal, weighted.T @ wanted), np.float32)


def cross_validated(embedding: F32, wanted: F32, weight: F32) -> F32:
    """Return float32 like what is wanted: for each row the answer of a fit that has not seen it."""
    fold = np.random.default_rng(0).integers(FOLDS, size=len(wanted))
    answers = np.empty_like(wanted)
    for held in range(FOLDS):
        seen, unseen = fold != held, fold == held
        probe = fit(embedding[seen], wanted[seen], weight[seen])
        answers[unseen] = embedding[unseen] @ probe[:-1] + probe[-1]
    return answers


def fit_skin(portraits: Faces, photographs: Faces) -> F32:
    """Return the (129, 3) probe of CIELAB in even light and print how right it is on portraits."""
    embedding = np.concatenate([portraits.embedding, photographs.embedding])
    skin = np.concatenate([portraits.skin, photographs.skin])
    split = len(portraits.skin)
    weight = np.full(len(skin), SKIN_WEIGHT, np.float32)
    weight[:split] = 3.0
    answers = cross_validated(embedding, skin, weight)[:split]
    for name, answer, wanted in zip("Lab", answers.T, portraits.skin.T, strict=True):
        click.echo(f"{name} of portraits: correlation {np.corrcoef(answer, wanted)[0, 1]:.2f}")
    return fit(embedding, skin, weight)


def fit_descent(asian: F32, photographs: F32, gallery: Sequence[Identity]) -> F32:
    """Return the (129, 2) probe of descent.

    Args:
        asian: (n, 128) float32 embeddings of people who look East Asian.
        photographs: (m, 128) of people most of whom look European.
        gallery: identities whose descent is known.
    """
    made = np.stack([one.embedding for one in gallery])
    first, second = (np.stack([one.descent for one in gallery]) > 0.5).T
    whole, rest = GALLERY_SHARES
    others = photographs, -1.0, 1 / len(photographs)
    told = (
        ((asian, 1.0, 1 / len(asian)), (made[first], 1.0, whole), (made[~first], -1.0, whole)),
        ((made[second], 1.0, 1 / second.sum()), (made[~second], -1.0, rest / (~second).sum())),
    )
    probes = []
    for some in told:
        sets, wanted_of, weight_of = zip(*some, others, strict=True)
        faces, sizes = np.concatenate(sets), [len(one) for one in sets]
        wanted, weight = (
            np.repeat(np.array(values, np.float32), sizes) for values in (wanted_of, weight_of)
        )
        probe = fit(faces, wanted, weight * (len(weight) / weight.sum()))
        low, high = np.quantile(photographs @ probe[:-1] + probe[-1], CERTAIN)
        probe[-1] -= low
        probes.append(probe / (high - low))
    return np.stack(probes, axis=1).astype(np.float32)


@click.command()
@click.option("--portraits", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--lfw", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--aaf", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path))
def main(portraits: Path, lfw: Path, aaf: Path, out: Path) -> None:
    """Fit the probes, print how right that of skin is on faces not seen, and write them to OUT."""
    factory = Factory(Config(min_face=40))
    synthetic = load(read_entries(portraits), factory)
    skin = fit_skin(synthetic, load(few_of_each(read_entries(lfw)), factory))
    asian, known = (
        load(_some(one for one in read_entries(path) if not one.held_out), factory).embedding
        for path in (aaf, lfw)
    )
    np.savez(out, skin=skin, descent=fit_descent(asian, known, load_builtin()))


def _some(entries: Iterable[Entry]) -> list[Entry]:
    """Return one picture each of MOST_OF_A_SET people at most, picked at random."""
    people = list({entry.person: entry for entry in entries}.values())
    np.random.default_rng(0).shuffle(people)
    return people[:MOST_OF_A_SET]


if __name__ == "__main__":
    main()
