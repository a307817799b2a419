import io

import pytest

from streamanon.sinks.writers.messages import (
    AUDIO,
    VIDEO,
    MediaPacket,
    MuxJob,
    packets,
    receive_job,
    send,
    send_job,
)

PACKETS = [
    MediaPacket(VIDEO, b"picture" * 100, 2**40, 3000, keyframe=True),
    MediaPacket(AUDIO, b"", -5, 1920),
    MediaPacket(VIDEO, b"\n\x00", 0),
]


def test_what_is_sent_arrives() -> None:
    pipe = io.BytesIO()
    job = MuxJob("flv", "rtmp://user:pä ss@host/app/key", {"a": "b"}, from_zero=True)
    send_job(pipe, job, b"header")
    for packet in PACKETS:
        send(pipe, packet)
    pipe.seek(0)
    assert receive_job(pipe) == (job, b"header")
    assert list(packets(pipe)) == PACKETS


@pytest.mark.parametrize("missing", [1, 3, 10])
def test_a_packet_cut_short_is_left_out(missing: int) -> None:
    pipe = io.BytesIO()
    for packet in PACKETS:
        send(pipe, packet)
    cut = io.BytesIO(pipe.getvalue()[:-missing])
    assert list(packets(cut)) == PACKETS[:2]
