"""The least cost of any anonymiser: copying a clip, or decoding and encoding it.

Run as ``python -m benchmarks.speed.floors decode+encode|copy IN OUT``.
"""

import queue
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
from av import VideoFrame

from streamanon.config import Config

_WAITING_FRAMES = 4


def copy(source: Path, target: Path) -> None:
    """Move every packet of the video track to a new file."""
    with av.open(str(source)) as inside, av.open(str(target), "w") as outside:
        stream = inside.streams.video[0]
        copied = outside.add_stream_from_template(stream)
        for packet in inside.demux(stream):
            if packet.dts is not None:
                packet.stream = copied
                outside.mux(packet)


def decode_encode(source: Path, target: Path) -> None:
    """Decode and encode with our default settings, in two threads, without anything else."""
    frames: queue.Queue[VideoFrame | None] = queue.Queue(_WAITING_FRAMES)
    with av.open(str(source)) as inside, av.open(str(target), "w") as outside:
        stream = inside.streams.video[0]
        stream.thread_type = "AUTO"
        encoded = outside.add_stream("libx264", rate=stream.average_rate)
        encoded.width, encoded.height = stream.width, stream.height
        encoded.pix_fmt = "yuv420p"
        encoded.options = {"crf": str(Config().crf), "preset": Config().file_preset}

        def read() -> None:
            try:
                for frame in inside.decode(stream):
                    frames.put(frame)
            finally:
                frames.put(None)

        with ThreadPoolExecutor(1) as pool:
            reading = pool.submit(read)
            while (frame := frames.get()) is not None:
                frame.pict_type = 0
                outside.mux(encoded.encode(frame))
            reading.result()
        outside.mux(encoded.encode())


FLOORS = {"decode+encode": decode_encode, "copy": copy}

if __name__ == "__main__":
    FLOORS[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]))
