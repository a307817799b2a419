"""From packets to containers, inside a process that writes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, cast

import av
from av.packet import Packet

from streamanon.sinks.writers.messages import SOUND, TICK, VIDEO, Order, Unit

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.stream import Stream
    from av.video.codeccontext import VideoCodecContext


class Muxer:
    """Writes packets into one container, as they are."""

    def __init__(self, order: Order, head: bytes) -> None:
        """Open the output and write its header.

        Args:
            order: where to and how.
            head: tells the parameters of the streams (handover.py).

        Raises:
            OSError: nobody takes it.
        """
        # flushed a packet at a time; a track that is silent holds nobody back
        options = {"flush_packets": "1", "max_interleave_delta": "1", **order.options}
        self._output = av.open(order.url, "w", format=order.format, container_options=options)
        self._streams = _add_streams(self._output, head)
        self._output.start_encoding()
        self._zero: int | None = None if order.from_zero else 0

    def write(self, unit: Unit) -> None:
        """Write one packet.

        Raises:
            OSError: it could not be written.
        """
        if self._zero is None:
            self._zero = unit.pts
        if unit.pts < self._zero or unit.kind not in self._streams:
            return
        packet = Packet(unit.data)
        packet.stream = self._streams[unit.kind]
        packet.pts = packet.dts = unit.pts - self._zero
        packet.duration, packet.time_base = unit.duration, TICK
        packet.is_keyframe = unit.keyframe
        self._output.mux(packet)

    def close(self) -> None:
        """Write the end."""
        self._output.close()


def _add_streams(output: OutputContainer, head: bytes) -> dict[bytes, Stream]:
    """Add the streams of a head to an output; return them by the kind of their packets."""
    kinds = {"video": VIDEO, "audio": SOUND}
    with av.open(io.BytesIO(head), format="nut") as template:
        return {
            kinds[stream.type]: output.add_stream_from_template(stream, opaque=True)
            for stream in template.streams
        }


def read_head(head: bytes) -> VideoCodecContext:
    """Return a decoder of the pictures that follow a head, for a writer that shows them."""
    with av.open(io.BytesIO(head), format="nut") as template:
        told = template.streams.video[0].codec_context
        decoder = cast("VideoCodecContext", av.CodecContext.create(told.name, "r"))
        decoder.width, decoder.height, decoder.pix_fmt = told.width, told.height, told.pix_fmt
    return decoder
