"""The process that feeds a virtual camera through pyvirtualcam, on systems without V4L2.

pyvirtualcam is under GPL-2 and an optional extra. On Linux push.py writes to V4L2 directly.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np
import pyvirtualcam

from streamanon.sinks.writers.muxer import video_decoder
from streamanon.sinks.writers.writer import serve

if TYPE_CHECKING:
    from streamanon.sinks.writers.messages import MediaPacket, MuxJob


_USUAL_RATE = 30
"""Frames per second that the camera reports; pictures are shown when they arrive."""


class VirtualCamera:
    """Shows pictures to programs that open the camera."""

    def __init__(self, job: MuxJob, header: bytes) -> None:
        """Open the camera.

        Raises:
            OSError: no camera was found, or another program feeds it.
        """
        video = video_decoder(header)
        layout = pyvirtualcam.PixelFormat.I420
        try:
            self._camera = pyvirtualcam.Camera(
                video.width, video.height, _USUAL_RATE, device=job.url or None, fmt=layout
            )
        except RuntimeError as error:
            raise OSError(str(error)) from error

    def write(self, packet: MediaPacket) -> None:
        """Show one picture."""
        self._camera.send(np.frombuffer(packet.data, np.uint8))

    def close(self) -> None:
        """Release the camera."""
        self._camera.close()


if __name__ == "__main__":
    sys.exit(serve(VirtualCamera))
