"""Real-time face anonymisation for video.

>>> import streamanon
>>> streamanon.anonymise("in.mp4", "out.mp4", streamanon.Config(method="mosaic"))  # doctest: +SKIP
>>> with streamanon.Anonymiser() as anonymiser:  # doctest: +SKIP
...     safe = anonymiser.image(bgr)
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

# ONNX Runtime (from 1.29 on) makes an identifier of this machine in the user's cache as it is
# imported, and reports to Microsoft what it does. Here nothing is sent anywhere, so that
# is switched off before anything can import it; afterwards is too late.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
os.environ.setdefault("SVT_LOG", "1")  # SVT-AV1 prints errors only

if TYPE_CHECKING:
    from streamanon.api import Anonymiser, LiveStream
    from streamanon.config import Config
    from streamanon.errors import (
        LeakError,
        MediaError,
        ModelError,
        StageError,
        StallError,
        StreamanonError,
        UsageError,
    )
    from streamanon.files.run import anonymise
    from streamanon.live.status import Status
    from streamanon.pipeline.in_memory import HiddenFace, SafeImage
    from streamanon.pipeline.report import Report
    from streamanon.types import Treatment

__version__ = "0.1.0"
__all__ = [
    "Anonymiser",
    "Config",
    "HiddenFace",
    "LeakError",
    "LiveStream",
    "MediaError",
    "ModelError",
    "Report",
    "SafeImage",
    "StageError",
    "StallError",
    "Status",
    "StreamanonError",
    "Treatment",
    "UsageError",
    "anonymise",
]

_HOMES = {
    "Anonymiser": "api",
    "Config": "config",
    "HiddenFace": "pipeline.in_memory",
    "LiveStream": "api",
    "Report": "pipeline.report",
    "SafeImage": "pipeline.in_memory",
    "Status": "live.status",
    "Treatment": "types",
    "anonymise": "files.run",
}
"""Modules of the public names; those that are not here are errors."""


if not TYPE_CHECKING:  # a type checker is to find misspelt names

    def __getattr__(name: str) -> Any:
        """Load public names when they are first used: importing the package stays light."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{__name__}.{_HOMES.get(name, 'errors')}"), name)
