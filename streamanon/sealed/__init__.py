"""Sealed originals: what was replaced, encrypted for those who may see it (docs/sealed.md)."""
