"""What the process that anonymises hands to one that writes: an order, a head, then packets.

The order says where to write. It goes through the pipe because arguments and environment can be
read by others of the machine, and addresses hold credentials. The head is a tiny NUT file, a grey
picture and no more, out of which FFmpeg reads the parameters of the streams. Packets follow at
once, one by one: a demuxer in between would hold some of them back.
"""

from __future__ import annotations

import json
import os
import struct
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

TICK = Fraction(1, 90_000)
"""Seconds a tick of every time stamp on its way to an output."""

VIDEO, SOUND = b"V", b"S"
_ORDER, _HEAD = b"O", b"H"
_HEADER = struct.Struct("<c?qqI")


@dataclass(frozen=True, slots=True)
class Unit:
    """One packet.

    Attributes:
        kind: VIDEO or SOUND.
        data: as the codec has it.
        pts: when it is shown or heard, in ticks; also when it is decoded.
        duration: in ticks; 0 when not known.
        keyframe: True when a player can begin here.
    """

    kind: bytes
    data: bytes
    pts: int
    duration: int = 0
    keyframe: bool = False


@dataclass(frozen=True, slots=True)
class Order:
    """What a writing process is to do.

    Attributes:
        format: FFmpeg's name of the container, or what else the writer knows.
        url: where to, credentials included.
        options: of the container.
        from_zero: True when every connection counts its time anew.
        parent: the process that must be alive for the writer to live.
    """

    format: str
    url: str
    options: dict[str, str] = field(default_factory=dict)
    from_zero: bool = False
    parent: int = field(default_factory=os.getpid)


def send_order(pipe: IO[bytes], order: Order, head: bytes) -> None:
    """Tell a writer what to do."""
    send(pipe, Unit(_ORDER, json.dumps(asdict(order)).encode(), 0))
    send(pipe, Unit(_HEAD, head, 0))


def send(pipe: IO[bytes], unit: Unit) -> None:
    """Hand over one packet; waits as long as the writer does.

    Raises:
        OSError: the writer is gone.
    """
    pipe.write(_HEADER.pack(unit.kind, unit.keyframe, unit.pts, unit.duration, len(unit.data)))
    pipe.write(unit.data)
    pipe.flush()


def receive_order(pipe: IO[bytes]) -> tuple[Order, bytes]:
    """Return what to do, and the head."""
    order, head = next(units(pipe)), next(units(pipe))
    assert (order.kind, head.kind) == (_ORDER, _HEAD)
    return Order(**json.loads(order.data)), head.data


def units(pipe: IO[bytes]) -> Iterator[Unit]:
    """Yield packets until the other side closes its end or dies."""
    while len(header := pipe.read(_HEADER.size)) == _HEADER.size:
        kind, keyframe, pts, duration, size = _HEADER.unpack(header)
        data = pipe.read(size)
        if len(data) < size:
            return
        yield Unit(kind, data, pts, duration, keyframe)
