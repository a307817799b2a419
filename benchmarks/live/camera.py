"""Plays numbered clips to a server as a camera would; runs in a process of its own.

Writes a line for every frame sent to standard output: its number, the monotonic clock. Reconnects
by itself when the server was away.
"""

import sys
import time
from dataclasses import dataclass
from typing import Any

import av
from av.error import FFmpegError

from testkit.children import end_with_parent

_AGAIN_S = 0.1


@dataclass
class _Packet:
    """A packet of the clip."""

    number: int
    data: bytes
    keyframe: bool


class Camera:
    """Sends the frames of clips over and over, each at its time."""

    def __init__(self, clips: list[str], url: str, pace: float) -> None:
        """Read the clips.

        Args:
            clips: MPEG-TS files without B-frames, in which every keyframe carries the decoder's
                parameters: the second clip may have another size.
            url: rtsp:// address to push to.
            pace: speed relative to real time.
        """
        self._clip, self._url, self._pace = clips[0], url, pace
        self._frames: list[_Packet] = []
        for clip in clips:
            with av.open(clip) as container:
                stream = container.streams.video[0]
                self._rate = float(stream.average_rate or 30)
                packets = [packet for packet in container.demux(stream) if packet.size]
            self._frames += [
                _Packet(number, bytes(packet), packet.is_keyframe)
                for number, packet in enumerate(packets)
            ]

    def send(self, seconds: float) -> None:
        """Send until the time is over or the connection is lost.

        Raises:
            FFmpegError: the connection was lost, or the server is not reachable.
        """
        options = {"rtsp_transport": "tcp"}
        with (
            av.open(self._clip) as template,
            av.open(self._url, "w", format="rtsp", options=options) as target,
        ):
            stream: Any = target.add_stream_from_template(template.streams.video[0])
            target.start_encoding()
            start = time.monotonic()
            step_s = 1 / self._rate / self._pace
            for count in range(round(seconds / step_s)):
                shown = self._frames[count % len(self._frames)]
                packet = av.Packet(shown.data)
                packet.stream, packet.is_keyframe = stream, shown.keyframe
                packet.pts = packet.dts = round(count * step_s / stream.time_base)
                time.sleep(max(0.0, start + count * step_s - time.monotonic()))
                sent_s = time.monotonic()
                target.mux(packet)
                print(shown.number, sent_s, flush=True)


def main() -> None:
    """Send for as long as the parent holds standard input open."""
    url, pace, *clips = sys.argv[1:]
    end_with_parent()
    camera = Camera(clips, url, float(pace))
    while True:
        try:
            camera.send(seconds=1e6)
        except (FFmpegError, OSError):
            time.sleep(_AGAIN_S)


if __name__ == "__main__":
    main()
