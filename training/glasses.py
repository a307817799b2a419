"""Fit ``glasses.npz``: whether somebody wears glasses, from the edges around their eyes.

Which faces of LFW (Huang et al., 2007) wear glasses was seen by looking at them: ``glasses.csv``
holds that of about 3,400 people, one picture each, by a digest of the picture's name. Doubtful
ones are left out; those that a first fit was sure wear none were not looked at. It also lists
portraits of old people, synthetic (CC0), whose wrinkles look like rims to a fit without them.
"""

import csv
import hashlib
from collections.abc import Iterable
from dataclasses import replace
from itertools import chain
from pathlib import Path

import click
import cv2
import numpy as np

from streamanon.detectors.glasses import around_eyes, edges
from streamanon.types import F32
from training.data.entries import read_entries
from training.data.prepare import central_mesh

LABELS = Path(__file__).parent / "glasses.csv"

RIDGE = 0.003
"""Weight of the penalty, for each picture."""

LEVELS = (-0.3, 0.0, 0.2, 0.4)
"""Scores at which it is printed how many are found."""


def digest(name: str) -> str:
    """Return the name by which a picture is listed."""
    return hashlib.blake2b(name.encode(), digest_size=6).hexdigest()


def fit(rows: F32, wearing: F32) -> F32:
    """Return (n + 1,) float32 weights and a bias: ridge regression, both kinds counting alike.

    Args:
        rows: (m, n) float32 edges.
        wearing: (m,) float32, 1 or 0.
    """
    weight = np.where(wearing > 0, 0.5 / wearing.mean(), 0.5 / (1 - wearing.mean()))[:, None]
    mean = (weight * rows).sum(axis=0) / weight.sum()
    off = (rows - mean).astype(np.float64)
    normal = (off * weight).T @ off + RIDGE * len(rows) * np.eye(rows.shape[1])
    weights = np.linalg.solve(normal, (off * weight).T @ (2 * wearing - 1))
    return np.append(weights, -mean @ weights).astype(np.float32)


def load(sets: Iterable[Path]) -> tuple[F32, F32, F32]:
    """Return edges of faces and of their mirror images, who wears glasses, and who is held out.

    In this order (m, 2, n), (m,) and (m,) float32.
    """
    with LABELS.open(encoding="utf-8", newline="") as file:
        labels = {row["picture"]: float(row["glasses"]) for row in csv.DictReader(file)}
    rows, wearing, held_out = [], [], []
    for entry in chain.from_iterable(map(read_entries, sets)):
        listed = digest(entry.name) in labels
        found = central_mesh(replace(entry, held_out=False)) if listed else "not listed"
        if isinstance(found, str):
            continue
        grey = around_eyes(found[0], found[1].points)
        rows.append([edges(grey), edges(np.asarray(cv2.flip(grey, 1), np.uint8))])
        wearing.append(labels[digest(entry.name)])
        held_out.append(entry.held_out)
    return (
        np.array(rows, np.float32),
        np.array(wearing, np.float32),
        np.array(held_out, np.float32),
    )


@click.command()
@click.argument("sets", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path))
def command(sets: tuple[Path, ...], out: Path) -> None:
    """Fit the probe to the pictures listed, print how right it is on those held out, write OUT.

    SETS are tar files or folders: LFW, and portraits.
    """
    rows, wearing, held_out = load(sets)
    seen, unseen = held_out == 0, held_out > 0
    weights = fit(np.concatenate(list(rows[seen].swapaxes(0, 1))), np.tile(wearing[seen], 2))
    score = (rows[unseen] @ weights[:-1] + weights[-1]).mean(axis=1)
    there = wearing[unseen] > 0
    click.echo(f"fitted to {seen.sum()} faces, {wearing[seen].mean():.0%} of them with glasses")
    for level in LEVELS:
        found = score > level
        click.echo(
            f"above {level:+.1f}: {found[there].mean():.1%} of {there.sum()} held out with "
            f"glasses, {found[~there].mean():.1%} of {(~there).sum()} without"
        )
    np.savez(out, weights=weights)
