import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

import av
import numpy as np
import pytest
from av.error import FFmpegError

from streamanon.media.address import output_address
from streamanon.media.audio import AudioQueue
from streamanon.sinks.live.sink import LiveSink, open_outputs
from streamanon.types import U8
from testkit.logs import log_into
from testkit.numbered_frames import number, stream_info


@dataclass
class Reader:
    """Reads a live output back in a thread; connects as often as it takes."""

    url: str
    options: dict[str, str] = field(default_factory=dict)
    format: str | None = None
    numbers: list[int] = field(default_factory=list)
    times_s: list[float] = field(default_factory=list)
    tracks: set[str] = field(default_factory=set)
    sound_s: list[float] = field(default_factory=list)
    pictures: list[U8] = field(default_factory=list)
    over: Event = field(default_factory=Event)

    def __post_init__(self) -> None:
        self.thread = Thread(target=self._read, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.over.set()
        self.thread.join(8)
        assert not self.thread.is_alive()

    def _read(self) -> None:
        options = {"probesize": "100000", "analyzeduration": "500000", "fflags": "nobuffer"}
        if self.url.startswith("rtsp"):
            options["rtsp_transport"] = "tcp"
        while not self.over.wait(0.05):
            with suppress(FFmpegError, OSError):
                self._read_once({**options, **self.options})
            if self.numbers and "listen" in self.options:
                return  # it could not be woken from listening again

    def _read_once(self, options: dict[str, str]) -> None:
        timeout = None if "listen" in options else (3.0, 1.0)
        with av.open(self.url, format=self.format, options=options, timeout=timeout) as container:
            self.tracks = {
                stream.codec_context.name for stream in container.streams if stream.codec_context
            }
            for packet in container.demux():
                if self.over.is_set():
                    return
                if packet.stream.type == "audio" and packet.pts is not None:
                    self.sound_s.append(float(packet.pts * packet.time_base))
                elif packet.stream.type == "video":
                    for frame in packet.decode():
                        assert isinstance(frame, av.VideoFrame)
                        self.numbers.append(number(frame))
                        self.times_s.append(frame.time or 0.0)
                        self.pictures.append(np.asarray(frame.to_ndarray(format="bgr24"), np.uint8))


@pytest.fixture
def readers() -> Iterator[Callable[..., Reader]]:
    """Start readers; they end with the test."""
    started: list[Reader] = []

    def start(url: str, **more: object) -> Reader:
        started.append(Reader(url, **more))  # type: ignore[arg-type]
        return started[-1]

    yield start
    for reader in started:
        reader.close()


@pytest.fixture
def screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Start an X server; yields the file its screen lies in."""
    if not shutil.which("Xvfb"):
        pytest.skip("Xvfb is not installed")
    reading, writing = os.pipe()
    folder = tmp_path / "screen"
    folder.mkdir()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writing), "-screen", "0", "800x600x24", "-fbdir", str(folder)],
        pass_fds=(writing,),
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    with os.fdopen(reading) as display:
        monkeypatch.setenv("DISPLAY", f":{display.readline().strip()}")
    yield folder / "Xvfb_screen0"
    server.terminate()
    server.wait()


@pytest.fixture
def said() -> list[str]:
    """Lines for the log."""
    return []


@pytest.fixture
def opened(said: list[str], readers: object) -> Iterator[Callable[..., LiveSink]]:
    """Open live outputs by their addresses; they are closed before their readers."""
    del readers
    sinks: list[LiveSink] = []

    def start(*texts: str, sound: AudioQueue | None = None) -> LiveSink:
        addresses = [address for address in map(output_address, texts) if address]
        assert len(addresses) == len(texts)
        sink = open_outputs(
            addresses, stream_info(), crf=20, preset="ultrafast", sound=sound, log=log_into(said)
        )
        sinks.append(sink)
        return sink

    yield start
    for sink in sinks:
        sink.close(complete=True)
        sink.close(complete=True)
