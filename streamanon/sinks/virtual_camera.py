"""The process that feeds a virtual camera where there is no V4L2, by pyvirtualcam.

``python -m streamanon.sinks.virtual_camera``. pyvirtualcam is under GPL-2 and comes as an extra;
Linux needs none of it, see push.py.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np
import pyvirtualcam

from streamanon.sinks.muxer import read_head
from streamanon.sinks.writer import obey

if TYPE_CHECKING:
    from streamanon.sinks.handover import Order, Unit


class VirtualCamera:
    """Shows pictures to whoever opens the camera."""

    def __init__(self, order: Order, head: bytes) -> None:
        """Open the camera.

        Raises:
            OSError: there is none, or somebody else feeds it.
        """
        stream = read_head(head)
        self._size = (stream.width, stream.height)
        rate = float(stream.framerate or 30)
        try:
            self._camera = pyvirtualcam.Camera(
                *self._size, rate, device=order.url or None, fmt=pyvirtualcam.PixelFormat.I420
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
