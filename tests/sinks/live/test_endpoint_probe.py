"""Where an endpoint is, and whether something listens there."""

import socket

import pytest

from streamanon.sinks.live import endpoint_probe
from streamanon.sinks.writers.messages import MuxJob
from testkit.servers.ports import free_port


@pytest.mark.parametrize(
    ("url", "endpoint"),
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
def test_endpoints(url: str, endpoint: endpoint_probe.Endpoint | None) -> None:
    assert endpoint_probe.endpoint_of(MuxJob("any", url)) == endpoint


def test_whether_something_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert endpoint_probe.is_listening(("127.0.0.1", server.getsockname()[1]))
    assert not endpoint_probe.is_listening(("127.0.0.1", free_port()))
    assert not endpoint_probe.is_listening(("no.such.host.invalid", 554))
