"""Packets are lost on the way: what is believed are pictures that were sent, in every codec."""

import logging
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from av.video.stream import VideoStream

from streamanon.sources.live import reader
from streamanon.sources.live.source import LiveSource
from testkit.addresses import live_input
from testkit.servers.rtsp_relay import RtspRelay
from testkit.videos import read_frames

RATE, FRAMES, WIDTH, HEIGHT = 50, 250, 160, 96
_QUICK = {
    "g": "25",
    "deadline": "realtime",
    "cpu-used": "8",
    "lag-in-frames": "0",
    "threads": "1",  # several wait for each other most of the time
}
ENCODERS = {
    "keyframes": ("libx264", {"tune": "zerolatency", "g": "25"}),
    "no keyframes": (
        "libx264",
        {"tune": "zerolatency", "g": "25", "x264-params": "intra-refresh=1"},
    ),
    "open groups": ("libx264", {"g": "25", "bf": "2", "x264-params": "open-gop=1"}),
    "hevc": ("libx265", {"tune": "zerolatency", "x265-params": "keyint=25:log-level=none"}),
    "vp8": ("libvpx", _QUICK),
    "vp9": ("libvpx-vp9", _QUICK),
    "mpeg4": ("mpeg4", {"g": "25", "b": "800k"}),
}


def _write(path: Path, encoder: str, options: dict[str, str]) -> None:
    """Encode a scene in which everything moves, so that a loss is seen everywhere."""
    noise = np.random.default_rng(1).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
    ground = cv2.GaussianBlur(noise, (0, 0), 2)
    with av.open(str(path), "w") as container:
        video = container.add_stream(encoder, rate=RATE, options=options)
        assert isinstance(video, VideoStream)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for index in range(FRAMES):
            image = np.roll(ground, (index, 3 * index), (0, 1)).copy()
            image[20:70, index % 100 : index % 100 + 40] = (index % 256, 40, 200)
            pixels = np.asarray(image, np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(pixels, format="bgr24")))
        container.mux(video.encode())


@pytest.mark.parametrize("kind", ENCODERS)
def test_what_is_believed_was_sent(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "clip.mkv"
    _write(path, *ENCODERS[kind])
    sent = {frame.to_ndarray()[:HEIGHT].tobytes() for frame in read_frames(path)}
    with RtspRelay() as relay, relay.serve_file(path, "cam", loop="steady") as url:
        source = LiveSource(live_input(url), log=logging.getLogger("test"))
        believed: list[bool] = []
        last, lost_at = b"", 0
        for frame in islice(source, 400):
            shown = frame.picture.planes[0].tobytes()
            assert frame.damaged or shown in sent, f"picture {len(believed)}"
            assert not frame.damaged or not last or shown == last
            last = last if frame.damaged else shown
            believed.append(not frame.damaged)
            if not lost_at and len(believed) >= 20 and all(believed[-20:]):
                relay.lose(6)
                lost_at = len(believed)
            if lost_at and sum(believed[lost_at + 20 :]) > 20:
                break
        source.close()
    assert lost_at
    assert sum(believed[lost_at + 20 :]) > 20
    # of VP8 nothing comes until the next keyframe
    assert kind == "vp8" or not all(believed[lost_at:])


@pytest.mark.parametrize(
    "coding",
    ["cabac=0:bframes=0", "cabac=1:bframes=0", "cabac=0:bframes=0:slices=3", "cabac=0:bframes=3"],
)
def test_a_picture_with_a_hole_near_its_end_is_not_believed(
    tmp_path: Path, coding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One packet of several that a picture came in is lost; the decoder reads over the hole.

    Nor is a B picture that was predicted from it and is shown before it.
    """
    monkeypatch.setattr(reader, "_LOSSY", ("mpegts",))  # as of RTSP
    path = tmp_path / "clip.ts"
    options = {"g": "5", "crf": "10", "x264-params": f"{coding}:threads=1"}
    _write(path, "libx264", options)
    sent = {frame.to_ndarray()[:HEIGHT].tobytes() for frame in read_frames(path)}
    for left in (20, 60, 150, 300):
        found = Counter(_after_holes(path, sent, left))
        assert found["believed", "wrong"] == 0, f"{left} bytes after the hole"
        assert found["believed", "right"] >= FRAMES // 8
        assert found["damaged", "wrong"] > 0


def _after_holes(path: Path, sent: set[bytes], left: int) -> Iterator[tuple[str, str]]:
    """Cut a hole into the third picture after each keyframe; yield what became of pictures.

    Args:
        path: of a clip with a keyframe in five pictures.
        sent: what its pictures are.
        left: bytes behind the hole.
    """
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        pictures = reader.VideoReader(container, video).pictures
        for count, whole in enumerate(packet for packet in container.demux(video) if packet.size):
            data = bytes(whole)
            if count % 5 == 2:
                data = data[: -left - 300] + data[-left:]
            packet: Any = av.Packet(data)
            packet.stream, packet.is_keyframe = video, whole.is_keyframe
            packet.pts, packet.dts, packet.time_base = whole.pts, whole.dts, whole.time_base
            for frame, damaged in pictures(packet):
                right = frame.to_ndarray()[:HEIGHT].tobytes() in sent
                yield "damaged" if damaged else "believed", "right" if right else "wrong"


@pytest.mark.parametrize("encoder", ["keyframes", "vp8", "mpeg4"])
def test_what_could_not_be_read_is_doubted_until_the_next_keyframe(
    tmp_path: Path, encoder: str
) -> None:
    path = tmp_path / ("in.webm" if encoder == "vp8" else "in.mkv")
    _write(path, *ENCODERS[encoder])
    with av.open(str(path)) as container:
        pictures = reader.VideoReader(container, reader.video_track(container))
        found = []
        for number, packet in enumerate(container.demux(video=0)):
            if number == 30:
                pictures.doubt()
            found += [(frame.key_frame, bad) for frame, bad in pictures.pictures(packet)]
    keys = [at for at, (key, _) in enumerate(found) if key]
    doubted = [at for at, (_, bad) in enumerate(found) if bad]
    assert doubted
    assert doubted == list(range(doubted[0], min(at for at in keys if at > doubted[0])))
