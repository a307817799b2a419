"""The pipe from the process that anonymises to a writer process: a mux job, a header, then packets.

The job says where to write. It goes through the pipe because other users of the machine can read
arguments and environment, and addresses hold credentials. The header is a small NUT file with one
grey picture, from which FFmpeg reads the parameters of the streams. Packets follow immediately and
one by one: a demuxer in between would hold some of them back.
"""

import json
import os
import struct
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from typing import IO

from streamanon.atomic_write import OWNER_ONLY

TICK = Fraction(1, 90_000)
"""Seconds per tick of every timestamp sent to an output."""

VIDEO, AUDIO = b"V", b"S"
_JOB, _STREAM_HEADER = b"O", b"H"
_FRAMING = struct.Struct("<c?qqI")


@dataclass(frozen=True, slots=True)
class MediaPacket:
    """One encoded packet.

    Attributes:
        kind: VIDEO or AUDIO.
        data: payload, as the encoder returned it.
        pts: presentation time in ticks; the decoding time is the same.
        duration: ticks, 0 if unknown.
        keyframe: True if a player can start here.
    """

    kind: bytes
    data: bytes
    pts: int
    duration: int = 0
    keyframe: bool = False


@dataclass(frozen=True, slots=True)
class MuxJob:
    """What a writer process has to write, and where.

    Attributes:
        format: FFmpeg's name of the container, or another format that the writer knows.
        url: target, credentials included.
        options: container options for FFmpeg.
        from_zero: True if timestamps begin at 0 on every connection.
        parent: id of the process with which the writer ends.
        mode: permissions of the files of a recording.
    """

    format: str
    url: str
    options: dict[str, str] = field(default_factory=dict)
    from_zero: bool = False
    parent: int = field(default_factory=os.getpid)
    mode: int = OWNER_ONLY


def send_job(pipe: IO[bytes], job: MuxJob, header: bytes) -> None:
    """Send a job and the header of its streams to a writer."""
    send(pipe, MediaPacket(_JOB, json.dumps(asdict(job)).encode(), 0))
    send(pipe, MediaPacket(_STREAM_HEADER, header, 0))


def send(pipe: IO[bytes], packet: MediaPacket) -> None:
    """Send one packet; blocks while the pipe is full.

    Raises:
        OSError: the writer has ended.
    """
    pipe.write(
        _FRAMING.pack(packet.kind, packet.keyframe, packet.pts, packet.duration, len(packet.data))
    )
    pipe.write(packet.data)
    pipe.flush()


def receive_job(pipe: IO[bytes]) -> tuple[MuxJob, bytes]:
    """Return the job, and the header of its streams."""
    job, header = next(packets(pipe)), next(packets(pipe))
    assert (job.kind, header.kind) == (_JOB, _STREAM_HEADER)
    return MuxJob(**json.loads(job.data)), header.data


def packets(pipe: IO[bytes]) -> Iterator[MediaPacket]:
    """Yield packets until the sender closes its end or dies."""
    while len(framing := pipe.read(_FRAMING.size)) == _FRAMING.size:
        kind, keyframe, pts, duration, size = _FRAMING.unpack(framing)
        data = pipe.read(size)
        if len(data) < size:
            return
        yield MediaPacket(kind, data, pts, duration, keyframe)
