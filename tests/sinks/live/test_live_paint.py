"""A painted face, hidden, goes to every kind of output at once: no paint may come back."""

import socket
import time
from pathlib import Path
from typing import Any

import numpy as np

from streamanon.imaging.picture import blend_bgr
from streamanon.safety.compose import compose
from streamanon.types import U8, Face, Frame, SafeFrame, Scene, Subject, Track
from testkit.numbered_frames import counted, grab
from testkit.painted import magenta_pixels
from testkit.servers.ports import free_port
from testkit.servers.rtsp_relay import RtspRelay
from testkit.videos import read_images


def painted(index: int) -> tuple[SafeFrame, SafeFrame]:
    """Return a frame with a face of magenta and green checks, raw and hidden."""
    frame = counted(index)
    rows, columns = np.mgrid[:96, :96] // 4
    checks = ((rows + columns) % 2 == 0)[..., None]
    face = np.where(checks, np.array([255, 0, 255]), np.array([0, 255, 0])).astype(np.uint8)
    x, y = 20 + 2 * (index % 80), 80
    blend_bgr(frame.picture, (x, y, x + 96, y + 96), face, np.ones((96, 96), np.float32))
    box = np.array([x - 4, y - 4, x + 100, y + 100], np.float32)
    scene = Scene(
        Frame(index, frame.picture, frame.pts, frame.time_base),
        (Subject(Track(1, Face(box, 0.9), box)),),
    )
    return frame, compose(scene, [None])


def test_nothing_of_a_face_reaches_any_output(
    opened: Any, readers: Any, tmp_path: Path, screen: Path
) -> None:
    folders = {name: tmp_path / name for name in ("hls", "record")}
    with RtspRelay() as relay:
        urls = [f"rtmp://127.0.0.1:{free_port()}/live/key", relay.url("out")]
        urls.append(f"udp://127.0.0.1:{free_port(socket.SOCK_DGRAM)}")
        seen = [
            readers(urls[0], options={"listen": "1"}),
            readers(urls[1]),
            readers(urls[2], format="mpegts"),
        ]
        sink = opened(*urls, *(f"{name}:{folder}" for name, folder in folders.items()), "window:")
        screens: list[U8] = []
        for index in range(600):
            sink.write(painted(index)[1])
            screens.append(grab(screen))
            if min(len(reader.pictures) for reader in seen) > 20 and screens[-1].any():
                break
            time.sleep(0.02)
        sink.close(complete=True)
    images = [picture for reader in seen for picture in reader.pictures[:20]]
    images += [one for one in screens if one.any()]
    for path in (folders["hls"] / "index.m3u8", next(folders["record"].glob("*.mkv"))):
        written = read_images(path)
        assert len(written) > 20
        images += written
    assert [magenta_pixels(image) for image in images] == [0] * len(images)


def test_the_paint_would_show(opened: Any, tmp_path: Path) -> None:
    sink = opened(f"record:{tmp_path}")
    while not sink.state[0].connected:
        time.sleep(0.02)
    for index in range(10):
        sink.write(painted(index)[0])
    sink.close(complete=True)
    assert min(map(magenta_pixels, read_images(next(tmp_path.glob("*.mkv"))))) > 500
