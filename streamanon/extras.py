"""What to install for an optional part of this package."""

from collections.abc import Iterable
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from shlex import quote
from types import ModuleType

from packaging.requirements import Requirement

from streamanon.errors import UsageError


def install_hint(extra: str) -> str:
    """Return the command that installs the packages of an extra of pyproject.toml.

    It names those packages and never this one: PyPI does not hold ``streamanon``, and a stranger
    who registered that name would be installed.
    """
    stated = [Requirement(line) for line in metadata.requires("streamanon") or ()]
    wanted = [
        f"{one.name}{one.specifier}"
        for one in stated
        if one.marker and one.marker.evaluate({"extra": extra}) and not one.marker.evaluate()
    ]
    return f"pip install {' '.join(quote(one) for one in wanted)}"


def installed_versions(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of those of some packages that are installed."""
    found = {}
    for name in packages:
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def missing_package(what: str, extra: str, error: ImportError) -> UsageError:
    """Return the error for what needs a package of an extra that could not be imported."""
    return UsageError(
        f"{what} needs a package that is missing ({error.name}): {install_hint(extra)}"
    )


def heif(path: Path) -> ModuleType:
    """Return the package that reads and writes HEIC, for a file; refuse it without the package."""
    try:
        import pillow_heif
    except ImportError as error:
        raise UsageError(f"{path} is a HEIC picture: {install_hint('heic')}") from error
    return pillow_heif
