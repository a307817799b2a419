"""Where to knock, and what it tells."""

from __future__ import annotations

import socket

import pytest

from streamanon.sinks.live import endpoint_probe as knock
from streamanon.sinks.writers.messages import Order
from testkit.numbered_frames import free_port


@pytest.mark.parametrize(
    ("url", "door"),
    [
        ("rtsp://joe:s3:cr%40t@media/hall", ("media", 554)),
        ("rtsps://media:9322/hall", ("media", 9322)),
        ("rtmp://[::1]/live/key", ("::1", 1935)),
        ("RTMPS://media/live/key", ("media", 443)),
        ("rtsp://media:port/hall", None),
        ("rtsp:///hall", None),
        ("udp://media:5000?pkt_size=1316", None),
        ("srt://media:5000", None),
        ("/srv/films", None),
        ("pipe:7", None),
    ],
)
def test_doors(url: str, door: knock.Door | None) -> None:
    assert knock.door_of(Order("any", url)) == door


def test_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert knock.answers(("127.0.0.1", server.getsockname()[1]))
    assert not knock.answers(("127.0.0.1", free_port()))
    assert not knock.answers(("no.such.host.invalid", 554))
