"""The process that shows a live output in a window."""

import sys
import tkinter as tk
from contextlib import suppress

from av.packet import Packet
from av.video.frame import VideoFrame

from streamanon.sinks.writers.messages import MediaPacket, MuxJob
from streamanon.sinks.writers.muxer import video_decoder
from streamanon.sinks.writers.writer import ClosedError, serve

_WIDEST_PX = 1280
_BT709, _BT601 = 1, 5
_HD_LINES = 720
"""From this height on, untagged pictures are taken for BT.709, as players do."""


class Window:
    """Shows every picture."""

    def __init__(self, job: MuxJob, header: bytes) -> None:
        """Open the window; an OSError without a display."""
        try:
            self._root = tk.Tk()
        except tk.TclError as error:
            raise OSError(str(error)) from error
        self._root.title(job.url)
        self._open = True
        self._root.protocol("WM_DELETE_WINDOW", self._closed)
        self._picture = tk.PhotoImage()
        tk.Label(self._root, image=self._picture, borderwidth=0).pack()
        self._decoder = video_decoder(header)
        self._root.update()

    def write(self, packet: MediaPacket) -> None:
        """Show one picture, until the user closes the window."""
        for frame in self._decoder.decode(Packet(packet.data)):
            self._show(frame)
        self._root.update()
        if not self._open:
            raise ClosedError("the window was closed")

    def close(self) -> None:
        """Close the window."""
        with suppress(tk.TclError):
            self._root.destroy()

    def _show(self, frame: VideoFrame) -> None:
        width = min(frame.width, _WIDEST_PX)
        height = frame.height * width // frame.width
        matrix = _BT709 if frame.height >= _HD_LINES else _BT601
        image = frame.reformat(width, height, "rgb24", src_colorspace=matrix).to_ndarray()
        self._picture.configure(data=b"P6 %d %d 255 " % (width, height) + image.tobytes())

    def _closed(self) -> None:
        self._open = False


if __name__ == "__main__":
    sys.exit(serve(Window))
