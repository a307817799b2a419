"""Whom the portraits of the built-in gallery show, by the portraits they were made of."""

import csv
from functools import cache

from testkit.paths import ROOT

_TRAINING = ROOT / "training"

PORTRAIT_AGES = _TRAINING / "portrait_ages.csv"


@cache
def women() -> dict[str, bool]:
    """Return by name whether an identity was made of portraits of women."""
    return {name: made_of[0].startswith("female_") for name, (made_of, _) in _recipes().items()}


@cache
def ages() -> dict[str, float]:
    """Return by name the mean age in years of the portraits, which was estimated by looking.

    That of a child is the one it was made for.
    """
    with PORTRAIT_AGES.open(encoding="utf-8", newline="") as file:
        years = {row["portrait"]: float(row["years"]) for row in csv.DictReader(file)}
    return {
        name: child or sum(years[portrait] for portrait in made_of) / len(made_of)
        for name, (made_of, child) in _recipes().items()
    }


def _recipes() -> dict[str, tuple[list[str], float]]:
    """Return by name the portraits, and the age of a child or 0."""
    with (_TRAINING / "gallery.csv").open(encoding="utf-8", newline="") as file:
        return {
            row["name"]: (row["portraits"].split(), float(row["years"] or 0))
            for row in csv.DictReader(file)
        }
