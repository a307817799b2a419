"""What to install for an optional part of this package."""

from importlib import metadata
from shlex import quote

from packaging.requirements import Requirement


def install_hint(extra: str) -> str:
    """Return the command that installs the packages of an extra.

    It names those packages and never this one: PyPI does not hold ``streamanon``, and a stranger
    who registered that name would be installed.

    Args:
        extra: name of a group under ``optional-dependencies`` in pyproject.toml.
    """
    stated = [Requirement(line) for line in metadata.requires("streamanon") or ()]
    wanted = [
        f"{one.name}{one.specifier}"
        for one in stated
        if one.marker and one.marker.evaluate({"extra": extra}) and not one.marker.evaluate()
    ]
    return f"pip install {' '.join(quote(one) for one in wanted)}"
