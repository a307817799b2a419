"""Where the repository keeps what tests read."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "examples" / "demo.mp4"

PHOTOS = ROOT / "tests" / "fixtures"
"""Photographs of faces that may be redistributed."""

PORTRAITS = ROOT / "streamanon" / "identities" / "gallery"
"""Portraits of the built-in identities."""
