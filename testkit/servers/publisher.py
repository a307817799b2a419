"""Pushes a clip to a server in real time, as a camera would; runs in a process of its own.

A process, because PyAV holds the interpreter lock while it connects.
"""

import sys
import time
from typing import Any

import av

from testkit.children import end_with_parent

_FORMATS = {"rtsp": "rtsp", "rtmp": "flv", "udp": "mpegts", "srt": "mpegts", "tcp": "mpegts"}


def push(clip: str, url: str, loop: str) -> None:
    """Push a clip, in a loop or once; returns at its end."""
    options = {"rtsp_transport": "tcp", "strict": "experimental"} if url.startswith("rtsp") else {}
    with av.open(clip) as source:
        tracks = [stream for stream in source.streams if stream.type in ("video", "audio")]
        with av.open(url, "w", format=_FORMATS[url.partition(":")[0]], options=options) as target:
            outputs: dict[int, Any] = {
                stream.index: target.add_stream_from_template(stream) for stream in tracks
            }
            target.start_encoding()
            print("up", flush=True)  # noqa: T201  the parent waits for it
            start, offset_s = time.monotonic(), 0.0
            while True:
                offset_s += _push_once(source, tracks, (target, outputs), (start, offset_s))
                if loop != "steady":
                    return
                source.seek(0)


def _push_once(source: Any, tracks: Any, to: tuple[Any, Any], since: tuple[float, float]) -> float:
    """Push all packets at their time; returns the seconds from the first to the end of the last.

    Args:
        source: an open clip.
        tracks: tracks of the stream.
        to: the open output, and its streams by index.
        since: time at which the push began, and the seconds that packets are late by.
    """
    (target, outputs), (start, offset_s) = to, since
    begin_s, end_s = 0.0, 0.0  # reordered pictures are decoded before time 0
    for packet in source.demux(tracks):
        if packet.dts is None:
            continue
        base = packet.time_base
        begin_s = min(begin_s, float(packet.dts * base))
        end_s = max(end_s, float((packet.dts + (packet.duration or 0)) * base))
        time.sleep(max(0.0, start + offset_s + float(packet.dts * base) - time.monotonic()))
        shift = round(offset_s / base)
        packet.dts += shift
        packet.pts += shift
        packet.stream = outputs[packet.stream.index]
        target.mux(packet)
    return end_s - begin_s


if __name__ == "__main__":
    end_with_parent()
    while True:
        try:
            push(*sys.argv[1:4])
        except (av.error.FFmpegError, OSError):
            time.sleep(0.1)
        else:
            if sys.argv[3] != "again":
                break
