"""Whom the portraits of the built-in gallery show, by the portraits they were made of."""

import csv
from functools import cache

from testkit.paths import ROOT


@cache
def women() -> dict[str, bool]:
    """Return by name whether an identity was made of portraits of women."""
    with (ROOT / "training" / "gallery.csv").open(encoding="utf-8", newline="") as file:
        return {row["name"]: row["portraits"].startswith("female_") for row in csv.DictReader(file)}
