"""Real-time face anonymisation for video.

>>> import streamanon
>>> streamanon.anonymise("in.mp4", "out.mp4", streamanon.Config(method="mosaic"))  # doctest: +SKIP
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

# ONNX Runtime (from 1.29 on) makes an identifier of this machine in the user's cache as it is
# imported, and reports to Microsoft what it does. Here nothing is sent anywhere, so it is told not
# to before anything can import it; afterwards is too late.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

if TYPE_CHECKING:
    from streamanon.config import Config
    from streamanon.files.run import anonymise

__version__ = "0.1.0"
__all__ = ["Config", "anonymise"]


def __getattr__(name: str) -> Any:
    """Load the public names when they are first used, so that importing the package is light."""
    if name == "anonymise":
        from streamanon.files.run import anonymise

        return anonymise
    if name == "Config":
        from streamanon.config import Config

        return Config
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
