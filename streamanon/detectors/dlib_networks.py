"""dlib and the networks made for it, which come with the extra ``dlib``."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from streamanon.errors import UsageError
from streamanon.extras import install_hint


def load_dlib(needed: str) -> tuple[Any, Path]:
    """Return the package dlib, and the folder of its networks.

    Raises:
        UsageError: the extra is not installed; the message begins with what it is needed for.
    """
    # Located, not imported: importing the package needs the deprecated pkg_resources.
    package = find_spec("face_recognition_models")
    try:
        import dlib
    except ImportError:
        package = None
    if package is None or package.origin is None:
        raise UsageError(f"{needed}: {install_hint('dlib')}")
    return dlib, Path(package.origin).parent / "models"
