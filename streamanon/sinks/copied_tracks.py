"""Stream copy from the original file: its audio, and its subtitles on request."""

from __future__ import annotations

import io
from collections.abc import Generator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
from av.audio.codeccontext import AudioCodecContext
from av.container import OutputContainer
from av.error import FFmpegError, InvalidDataError
from av.packet import Packet
from av.stream import Stream

from streamanon.errors import UsageError
from streamanon.media.audio import without_comments
from streamanon.media.demux import demux
from streamanon.media.file_types import ONE_FILE
from streamanon.media.pixel_limit import FILM, decoder_options
from streamanon.sinks.encoding import FORMATS

_GIVE_UP_AFTER = 8
"""Failed reads in a row after which a file counts as cut off there."""


class StreamCopier:
    """Copies packets of the original file unchanged, interleaved with the new video."""

    def __init__(self, path: Path, track: int) -> None:
        """Open the original; call :meth:`add_tracks` next."""
        options = {**ONE_FILE, **decoder_options(FILM)}
        self._container = av.open(str(path.absolute()), options=options, metadata_errors="replace")
        self._video = self._container.streams[track]
        self._copies: dict[int, Stream] = {}
        self._durations: dict[int, int] = {}
        self._reached: Fraction | None = None
        self._packets = self._read()

    def add_tracks(self, output: OutputContainer, *, keep_subtitles: bool) -> None:
        """Add the tracks that are copied to an output.

        Raises:
            UsageError: the output's container cannot hold the audio.
        """
        for stream in self._container.streams:
            if _wanted(stream, output.format.name, keep_subtitles=keep_subtitles):
                self._copies[stream.index] = _add(stream, output)

    @property
    def sample_rates(self) -> list[int]:
        """Sample rates of the audio tracks, in Hz."""
        return [stream.rate for stream in self._container.streams.audio if stream.rate]

    def copy_until(self, time_s: Fraction) -> None:
        """Copy packets up to a time of the original's video, in seconds."""
        while self._reached is None or self._reached <= time_s:
            packet = next(self._packets, None)
            if packet is None:
                return
            self._take(packet)

    def copy_rest(self) -> None:
        """Copy the remaining packets."""
        for packet in self._packets:
            self._take(packet)

    def duration(self, pts: int, default: int) -> int:
        """Return how long the original shows a frame, in ticks; call it once per frame."""
        return self._durations.pop(pts, 0) or default

    def end(self, last_pts: int, expected: int, tolerance: int) -> int:
        """Return the end of the video track, in ticks.

        This is the end the file states, unless it is before the last frame or more than the
        tolerance after the expected end.
        """
        if self._video.duration is None:
            return expected
        stated = (self._video.start_time or 0) + self._video.duration
        return stated if last_pts < stated <= expected + tolerance else expected

    def close(self) -> None:
        """Close the original; safe to call twice."""
        self._packets.close()
        self._container.close()

    def _read(self) -> Generator[Packet[Stream]]:
        """Yield the packets of the video and of the copied tracks; skip unreadable places."""
        streams = [self._video, *(self._container.streams[index] for index in self._copies)]
        with suppress(InvalidDataError):
            for packet in demux(self._container, streams, _GIVE_UP_AFTER):
                if packet is not None and packet.size:
                    yield packet

    def _take(self, packet: Packet[Stream]) -> None:
        """Copy a packet; of a video packet only note the duration and time.

        A packet that the container refuses as damaged is left out; no player could play it.
        """
        if packet.stream_index != self._video.index:
            packet.stream = copy = self._copies[packet.stream_index]
            try:
                cast("OutputContainer", copy.container).mux(packet)
            except FFmpegError as error:
                if isinstance(error, OSError):
                    raise
            return
        if packet.pts is not None and packet.duration:
            self._durations[packet.pts] = packet.duration
        if packet.dts is not None:
            self._reached = packet.dts * packet.time_base


def _wanted(stream: Stream, container: str, *, keep_subtitles: bool) -> bool:
    """Return whether a track is copied: audio always, others if requested and possible.

    Tracks of codecs unknown to FFmpeg are left out; no player could play them.
    """
    if stream.type == "audio" and stream.codec_context is not None:
        if not _fits(stream, container):
            suffixes = [suffix for suffix, other in FORMATS.items() if _fits(stream, other)]
            raise UsageError(
                f"{container} cannot hold the sound of the input ({stream.codec_context.name}): "
                f"wanted an output named {' or '.join(suffixes) or 'otherwise'}"
            )
        return True
    return keep_subtitles and stream.type in ("subtitle", "data") and _fits(stream, container)


def _fits(stream: Stream, container: str) -> bool:
    """Return whether a container can hold a track, by trying it."""
    trial = av.open(io.BytesIO(), "w", format=container)
    try:
        _add(stream, trial)
        trial.start_encoding()
    except (ValueError, FFmpegError):
        return False
    finally:
        with suppress(FFmpegError):
            trial.close()
    return True


def _add(stream: Stream, output: OutputContainer) -> Stream:
    """Add a track with the parameters of another; of its tags only the language is kept."""
    copy = output.add_stream_from_template(stream)
    context = copy.codec_context
    if isinstance(context, AudioCodecContext) and context.extradata:
        context.extradata = without_comments(context.name, bytes(context.extradata))
    language = stream.metadata.get("language")
    copy.metadata.clear()
    if language:
        copy.metadata["language"] = language
    return copy
