"""Muxes packets into containers, inside a writer process."""

import io
from typing import cast

import av
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext

from streamanon.sinks.writers.messages import AUDIO, TICK, VIDEO, MediaPacket, MuxJob


class Muxer:
    """Writes packets into one container, unchanged."""

    def __init__(self, job: MuxJob, header: bytes) -> None:
        """Open the output and write its header."""
        # flush after every packet; a track without packets does not hold back the other
        options = {"flush_packets": "1", "max_interleave_delta": "1", **job.options}
        self._output = av.open(job.url, "w", format=job.format, container_options=options)
        self._streams = _add_streams(self._output, header)
        self._output.start_encoding()
        self._zero: int | None = None if job.from_zero else 0

    def write(self, packet: MediaPacket) -> None:
        """Write one packet."""
        if self._zero is None:
            self._zero = packet.pts
        if packet.pts < self._zero or packet.kind not in self._streams:
            return
        muxed = Packet(packet.data)
        muxed.stream = self._streams[packet.kind]
        muxed.pts = muxed.dts = packet.pts - self._zero
        muxed.duration, muxed.time_base = packet.duration, TICK
        muxed.is_keyframe = packet.keyframe
        self._output.mux(muxed)

    def close(self) -> None:
        """Write the trailer."""
        self._output.close()


def _add_streams(output: OutputContainer, header: bytes) -> dict[bytes, Stream]:
    """Add the streams of a header to an output; return them by packet kind."""
    kinds = {"video": VIDEO, "audio": AUDIO}
    with av.open(io.BytesIO(header), format="nut") as template:
        return {
            kinds[stream.type]: output.add_stream_from_template(stream, opaque=True)
            for stream in template.streams
        }


def video_decoder(header: bytes) -> VideoCodecContext:
    """Return a decoder for the pictures that follow a header, for writers that display them."""
    with av.open(io.BytesIO(header), format="nut") as template:
        video = template.streams.video[0].codec_context
        decoder = cast("VideoCodecContext", av.CodecContext.create(video.name, "r"))
        decoder.width, decoder.height, decoder.pix_fmt = video.width, video.height, video.pix_fmt
    return decoder
