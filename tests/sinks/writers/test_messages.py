from __future__ import annotations

import io

import pytest

from streamanon.sinks.writers.messages import SOUND, VIDEO, Order, Unit, receive_order, send, units
from streamanon.sinks.writers.messages import send_order as give

UNITS = [
    Unit(VIDEO, b"picture" * 100, 2**40, 3000, keyframe=True),
    Unit(SOUND, b"", -5, 1920),
    Unit(VIDEO, b"\n\x00", 0),
]


def test_what_is_sent_arrives() -> None:
    pipe = io.BytesIO()
    order = Order("flv", "rtmp://user:pä ss@host/app/key", {"a": "b"}, from_zero=True)
    give(pipe, order, b"head")
    for unit in UNITS:
        send(pipe, unit)
    pipe.seek(0)
    assert receive_order(pipe) == (order, b"head")
    assert list(units(pipe)) == UNITS


@pytest.mark.parametrize("missing", [1, 3, 10])
def test_a_packet_cut_short_is_left_out(missing: int) -> None:
    pipe = io.BytesIO()
    for unit in UNITS:
        send(pipe, unit)
    cut = io.BytesIO(pipe.getvalue()[:-missing])
    assert list(units(cut)) == UNITS[:2]
