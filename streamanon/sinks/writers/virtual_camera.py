"""The process that feeds a virtual camera where there is no V4L2, by pyvirtualcam.

pyvirtualcam is under GPL-2 and comes as an extra;
Linux needs none of it, see push.py.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np
import pyvirtualcam

from streamanon.sinks.writers.muxer import read_head
from streamanon.sinks.writers.writer import obey

if TYPE_CHECKING:
    from streamanon.sinks.writers.messages import Order, Unit


_USUAL_RATE = 30
"""What the camera claims; pictures are shown when they come."""


class VirtualCamera:
    """Shows pictures to whoever opens the camera."""

    def __init__(self, order: Order, head: bytes) -> None:
        """Open the camera.

        Raises:
            OSError: there is none, or somebody else feeds it.
        """
        told = read_head(head)
        layout = pyvirtualcam.PixelFormat.I420
        try:
            self._camera = pyvirtualcam.Camera(
                told.width, told.height, _USUAL_RATE, device=order.url or None, fmt=layout
            )
        except RuntimeError as error:
            raise OSError(str(error)) from error

    def write(self, unit: Unit) -> None:
        """Show one picture."""
        self._camera.send(np.frombuffer(unit.data, np.uint8))

    def close(self) -> None:
        """Let the camera go."""
        self._camera.close()


if __name__ == "__main__":
    sys.exit(obey(VirtualCamera))
