"""The models that ship with the package; ``README.md`` beside this file is their card."""

import hashlib
from functools import cache
from importlib.resources import files
from pathlib import Path

from streamanon.errors import ModelError

SUMS = "SHA256SUMS"
"""File with a line a model, as ``sha256sum`` writes it."""

SHA256 = {
    name: digest
    for digest, name in (
        line.split() for line in (files(__name__) / SUMS).read_text(encoding="ascii").splitlines()
    )
}
"""What every model file must hash to."""


@cache
def path(name: str) -> Path:
    """Return where a model file lies, after checking that it is whole.

    Raises:
        ModelError: the file is unknown, missing or damaged.
    """
    if name not in SHA256:
        raise ModelError(f"no model called {name!r}: it is one of {', '.join(SHA256)}")
    where = Path(str(files(__name__))) / name
    if not where.is_file():
        raise ModelError(f"model file {where} is missing: install streamanon again")
    found = hashlib.sha256(where.read_bytes()).hexdigest()
    if found != SHA256[name]:
        raise ModelError(
            f"model file {where} is damaged (sha256 {found[:12]}, wanted {SHA256[name][:12]}): "
            "install streamanon again"
        )
    return where
