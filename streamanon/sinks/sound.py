"""Sound converted for containers that cannot hold it as it is."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from typing import cast

import av
from av.audio.fifo import AudioFifo
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.error import FFmpegError
from av.filter import Graph
from av.packet import Packet

_ENCODERS = {"webm": "libopus"}
_DEFAULT = "aac"
_BITS_PER_CHANNEL = 96_000
_MAX_CHANNELS = 8
_LAYOUTS = {"libopus": {3: "3.0", 4: "quad"}}
"""Layouts that are not FFmpeg's usual ones of their number (Opus: RFC 7845, 5.1.1.2)."""

_MAX_SILENCE_S = 10
"""Shorter gaps are filled with silence, so that sound stays with its picture; after a longer one
the track goes on later."""


def encoder_for(container: str) -> str:
    """Return the encoder that the sound of a container, by FFmpeg's name, is converted with."""
    return _ENCODERS.get(container, _DEFAULT)


def usual_layout(stream: AudioStream) -> str:
    """Return the channel layout of a track; the usual one for its channels if it is not known."""
    layout = stream.codec_context.layout
    if not layout.nb_channels:
        return "stereo"
    known = "channels" not in layout.name
    return layout.name if known else av.AudioLayout(f"{layout.nb_channels}c").name


def _layout(encoder: str, channels: int) -> str:
    """Return the layout that an encoder takes a number of channels in; stereo if it takes none."""
    if channels > _MAX_CHANNELS:
        return "stereo"
    return _LAYOUTS.get(encoder, {}).get(channels, f"{channels}c")


class ConvertedSound:
    """Decodes one track and encodes it in a format that every player of the container knows."""

    def __init__(self, original: AudioStream, output: OutputContainer) -> None:
        """Add the new track to an output whose header is not written; the original is decoded."""
        context = original.codec_context
        context.layout = usual_layout(original)
        name = encoder_for(output.format.name)
        rates = sorted(av.Codec(name, "w").audio_rates or [48000])
        rate = next((one for one in rates if one >= context.sample_rate), 48000)
        channels = context.layout.nb_channels
        stream = output.add_stream(name, rate=rate)
        assert isinstance(stream, AudioStream)
        stream.codec_context.layout = _layout(name, channels)
        stream.codec_context.bit_rate = _BITS_PER_CHANNEL * stream.codec_context.layout.nb_channels
        stream.codec_context.open()
        self._original, self.stream = original, stream
        self._output, self._rate = output, rate
        self._samples = stream.codec_context.frame_size or 1024
        self._graph: Graph | None = None
        self._shape: tuple[str, str, int] | None = None
        self._fifo = AudioFifo()
        self._next: int | None = None

    def take(self, packet: Packet[AudioStream] | None) -> None:
        """Decode a packet of the original, None for the end, and write what became of it.

        What cannot be decoded or converted becomes silence.
        """
        frames: list[AudioFrame] = []
        with suppress(FFmpegError):
            frames = self._original.decode(packet)
        for frame in frames:
            self._resample(frame)

    def finish(self) -> None:
        """Write what is still held."""
        self.take(None)
        self._end_graph()
        self._encode(partial=True)
        self._output.mux(self.stream.encode(None))

    def _resample(self, frame: AudioFrame) -> None:
        shape = (frame.format.name, frame.layout.name, frame.sample_rate)
        due = None if frame.pts is None else frame.pts * cast("Fraction", frame.time_base)
        ahead = 0 if due is None or self._next is None else due - Fraction(self._next, self._rate)
        if shape != self._shape or ahead > _MAX_SILENCE_S:
            self._end_graph()
            if self._next is None or ahead > _MAX_SILENCE_S:
                self._fifo = AudioFifo()
                self._next = round((due or 0) * self._rate)
            self._graph, self._shape = self._new_graph(frame), shape
        if self._graph is None:
            return
        self._graph.push(frame)
        self._collect()

    def _new_graph(self, frame: AudioFrame) -> Graph | None:
        """Return a graph from the frames of the decoder to those of the encoder.

        Channels that cannot be mixed by what they are called (ambisonics, a pair for the rear) are
        taken for the usual ones of their number. None for what only damage makes up.
        """
        number = frame.layout.nb_channels
        usual = f"map={'|'.join(map(str, range(number)))}:channel_layout={number}c"
        for renamed in ([], [("channelmap", usual)]):
            with suppress(FFmpegError):
                return self._graph_of(frame, renamed)
        return None

    def _graph_of(self, frame: AudioFrame, renamed: list[tuple[str, str]]) -> Graph:
        """Return a graph that fills gaps with silence and cuts what overlaps.

        It begins at the next sample. ``renamed`` are filters, and their options, that name
        channels.
        """
        context = self.stream.codec_context
        first = (self._next or 0) + self._fifo.samples
        graph = Graph()
        nodes = [
            graph.add_abuffer(
                sample_rate=frame.sample_rate,
                format=frame.format.name,
                layout=frame.layout.name,
                time_base=frame.time_base,
            ),
            *(graph.add(*one) for one in renamed),
            graph.add("aresample", f"{self._rate}:async=1:min_hard_comp=0.1:first_pts={first}"),
            graph.add(
                "aformat",
                f"sample_fmts={context.format.name}:channel_layouts={context.layout.name}",
            ),
            graph.add("abuffersink"),
        ]
        graph.link_nodes(*nodes).configure()
        return graph

    def _end_graph(self) -> None:
        if self._graph is not None:
            self._graph.push(None)
            self._collect()
            self._graph = None

    def _collect(self) -> None:
        """Take what the graph has ready, and encode whole frames of it."""
        assert self._graph is not None
        with suppress(BlockingIOError, EOFError):
            while True:
                frame = cast("AudioFrame", self._graph.pull())
                frame.pts = None
                self._fifo.write(frame)
        self._encode(partial=False)

    def _encode(self, *, partial: bool) -> None:
        """Encode the samples held in frames of the size that the encoder takes."""
        while self._fifo.samples >= self._samples or (partial and self._fifo.samples):
            frame = self._fifo.read(min(self._samples, self._fifo.samples))
            assert frame is not None
            assert self._next is not None
            frame.pts, frame.time_base = self._next, Fraction(1, self._rate)
            self._next += frame.samples
            self._output.mux(self.stream.encode(frame))
