"""Text subtitles converted for containers that hold another kind of text."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction

from av.container import OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.subtitles.stream import SubtitleStream

_MILLISECOND = Fraction(1, 1000)
_CODECS = {"mp4": "mov_text", "mov": "mov_text", "webm": "webvtt", "matroska": "subrip"}


def text_codec(container: str) -> str | None:
    """Return the kind of text subtitles that FFmpeg's container holds; None if it holds none."""
    return _CODECS.get(container)


class ConvertedText:
    """Rewrites the lines of one track of text subtitles."""

    def __init__(self, original: SubtitleStream, output: OutputContainer, codec: str) -> None:
        """Add the new track to an output whose header is not written; the original is decoded.

        ``codec`` is the kind of subtitles (:func:`text_codec`).
        """
        original.codec_context.open(strict=False)
        stream = output.add_stream(codec)
        assert isinstance(stream, SubtitleStream)
        stream.codec_context.subtitle_header = original.codec_context.subtitle_header
        stream.codec_context.time_base = original.time_base or _MILLISECOND
        stream.codec_context.open(strict=False)
        self._original, self.stream, self._output = original, stream, output

    def take(self, packet: Packet[SubtitleStream]) -> None:
        """Rewrite one line; one that cannot be read is left out."""
        lines = None
        with suppress(FFmpegError):
            lines = self._original.codec_context.decode2(packet)
        if not lines:
            return
        rewritten = self.stream.codec_context.encode_subtitle(lines)
        if not rewritten.size:
            return  # no text in it: players stop at an empty packet
        rewritten.stream, rewritten.time_base = self.stream, packet.time_base
        rewritten.pts = rewritten.dts = packet.pts
        rewritten.duration = packet.duration
        self._output.mux(rewritten)

    def finish(self) -> None:
        """Nothing is held back."""
