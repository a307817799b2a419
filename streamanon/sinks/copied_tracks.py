"""Everything but the video of the original file: its sound, and its subtitles on request.

Sound is copied where the container holds it, else converted. What stays behind is named.
"""

from __future__ import annotations

import io
import re
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol, cast

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError, InvalidDataError
from av.packet import Packet
from av.stream import Disposition, Stream
from av.subtitles.stream import SubtitleStream
from av.video.stream import VideoStream

from streamanon.errors import UsageError
from streamanon.media.audio import aac_header, without_comments
from streamanon.media.continuity import continuous
from streamanon.media.demux import demux
from streamanon.media.file_types import ONE_FILE
from streamanon.media.pixel_limit import FILM, decoder_options
from streamanon.media.shared_packets import PictureTimes, SharedPackets
from streamanon.sinks.encoding import FORMATS
from streamanon.sinks.sound import ConvertedSound, encoder_for, usual_layout
from streamanon.sinks.subtitles import ConvertedText, text_codec

_TRIED_PACKETS, _TRIED_READS = 16, 4096
"""Packets of each sound track that a container is tried with, and how far they are searched for."""

_REMEMBERED = 64
"""Newest durations that are remembered, because that of the last frame is asked for."""

_UNPLAYABLE = {"mp4": ("pcm_",), "nut": ("wma", "adpcm_")}
"""Sound that can be written into a container, but that hardly any player finds there, or whose
packets cannot be distinguished in it."""

_MAY_REPEAT, _BEFORE_0 = 0x20000, 0x40000
"""AVFMT_TS_NONSTRICT and AVFMT_TS_NEGATIVE: containers in which packets may have the same time, as
the short ones of TrueHD have in milliseconds, and times before 0."""

_PRIMING = 2
"""Newest packets before the first that is heard that a decoder may need to begin with."""

_TIMECODE = re.compile(r"\d\d:\d\d:\d\d([:;.])\d\d")
_DROPPING = (Fraction(30_000, 1001), Fraction(60_000, 1001))
_MAX_COUNTED = 120
"""Timecodes (SMPTE ST 12), rates whose numbers may leave some out, and frames that can be counted
in a second."""


class _Track(Protocol):
    """What becomes of a track of the original."""

    @property
    def stream(self) -> Stream:
        """The new track."""
        ...

    def take(self, packet: Packet[Any]) -> None:
        """Take the next packet of the original."""
        ...

    def finish(self) -> None:
        """Write what is held back."""
        ...


class _Copy:
    """A track whose packets are written as they are."""

    def __init__(self, original: Stream, output: OutputContainer, header: bytes = b"") -> None:
        """Add the track to an output; ``header`` is that of its codec, if the original has none."""
        self.stream = output.add_stream_from_template(original)
        context = self.stream.codec_context
        if header and context is not None:
            context.extradata = header
        if isinstance(original, AudioStream) and context is not None:
            context = cast("AudioStream", self.stream).codec_context
            context.layout = usual_layout(original)
            if context.extradata:
                context.extradata = without_comments(context.name, bytes(context.extradata))
        self._last: int | None = None
        self._before_0 = output.format.flags & _BEFORE_0
        self._step = 0 if output.format.flags & _MAY_REPEAT else 1

    def take(self, packet: Packet[Any]) -> None:
        """Write a packet; one that the container refuses as damaged is left out.

        No player could play it. One that overlaps the packet before it comes just after it. What an
        edit list cuts off would shift the whole film where times begin at 0.
        """
        if packet.is_discard and packet.pts is not None and not self._before_0:
            end = packet.pts + _PRIMING * (packet.duration or 0)
            if end <= 0:
                return
        packet.stream = self.stream
        if packet.dts is not None:
            late = 0 if self._last is None else max(0, self._last + self._step - packet.dts)
            packet.dts += late
            packet.pts = None if packet.pts is None else packet.pts + late
            self._last = packet.dts
        try:
            cast("OutputContainer", self.stream.container).mux(packet)
        except FFmpegError as error:
            if isinstance(error, OSError):
                raise

    def finish(self) -> None:
        """Nothing is held back."""


class StreamCopier:
    """Takes the other tracks of the original over, interleaved with the new video."""

    def __init__(self, path: Path, track: int, shared: SharedPackets | None = None) -> None:
        """Open the original, whose video track is given; call :meth:`add_tracks` next.

        ``shared`` are its packets, if it can be read only once.
        """
        self._path, self._shared = path, shared
        self._container = shared.container if shared else _open(path)
        self._video = self._container.streams[track]
        self.changes: list[str] = []
        self._tracks: dict[int, _Track] = {}
        self._lengths: deque[tuple[int, int]] = deque(maxlen=_REMEMBERED)
        self._reached: Fraction | None = None
        self._packets: Iterator[Packet[Any] | PictureTimes] = shared or self._read()

    def add_tracks(
        self, output: OutputContainer, video: Stream, *, sound: str, keep_subtitles: bool
    ) -> None:
        """Add tracks to an output whose header is not written yet, beside its new video track.

        The sound is as of ``--sound``; subtitles, data, chapters and the timecode are kept if
        asked.

        Raises:
            UsageError: the output's container cannot hold the sound.
        """
        shared = self._shared
        samples = shared.samples if shared else _first_sound(self._path) if sound != "none" else {}
        behind: list[str] = []
        for stream in self._container.streams:
            if stream is self._video:
                continue
            name = _described(stream)
            if isinstance(stream, AudioStream) and sound != "none" and stream.index not in samples:
                added, name = None, f"empty {name}"
            elif isinstance(stream, AudioStream):
                added = self._sound(stream, output, sound, samples.get(stream.index, []))
            elif keep_subtitles:
                added = self._other(stream, output)
            else:
                added = None
            if added is not None:
                self._tracks[stream.index] = added
                _keep_language(stream, added.stream)
            elif not (keep_subtitles and _timecode(stream)):
                behind.append(name)
        behind += self._names(output, video, keep=keep_subtitles)
        if behind:
            self.changes.append(f"left behind: {', '.join(behind)}")
        if shared:
            shared.only(set(self._tracks))

    @property
    def sample_rates(self) -> list[int]:
        """Sample rates of the audio tracks, in Hz."""
        known = (stream for stream in self._container.streams.audio if stream.codec_context)
        return [stream.rate for stream in known if stream.rate]

    def copy_until(self, time_s: Fraction) -> None:
        """Take packets up to a time of the video, in seconds."""
        while self._reached is None or self._reached <= time_s:
            packet = next(self._packets, None)
            if packet is None:
                return
            self._take(packet)

    def copy_waiting(self) -> None:
        """Take all packets that are there."""
        for packet in self._packets:
            self._take(packet)

    def copy_rest(self) -> None:
        """Take the remaining packets, and end the tracks."""
        self.copy_waiting()
        for track in self._tracks.values():
            track.finish()

    def end(self, last_pts: int, step: int) -> int:
        """Return the end of the video track, in ticks, when packets up to its last frame are taken.

        This is the end the file states, unless it is before the last frame or more than a step
        after the end of that.
        """
        expected = last_pts + next((length for at, length in self._lengths if at == last_pts), step)
        if self._video.duration is None or not self._video.time_base:
            return expected
        start_s = Fraction(self._container.start_time or 0, av.time_base)
        start = (self._video.start_time or 0) - round(start_s / self._video.time_base)
        stated = start + self._video.duration
        return stated if last_pts < stated <= expected + step else expected

    def close(self) -> None:
        """Close the original, unless others read it; safe to call twice."""
        if isinstance(self._packets, Generator):
            self._packets.close()
            self._container.close()

    def _sound(
        self,
        stream: AudioStream,
        output: OutputContainer,
        sound: str,
        sample: list[Packet[AudioStream]],
    ) -> _Track | None:
        """Add a sound track; None if it stays behind."""
        if sound == "none" or stream.codec_context is None:
            return None
        container, codec = output.format.name, stream.codec_context.name
        bare = self._shared and codec == "aac" and not stream.codec_context.extradata
        header = aac_header(bytes(sample[0])) if bare and sample else b""
        if sound == "copy" and _holds(container, stream, sample) and (header or not bare):
            return _Copy(stream, output, header)
        try:
            converted = ConvertedSound(stream, output)
        except (ValueError, FFmpegError) as error:
            fitting = [suffix for suffix, name in FORMATS.items() if _holds(name, stream, sample)]
            named = f"an output named {' or '.join(fitting)}, or " if fitting else ""
            raise UsageError(
                f"the sound of the input ({codec}) can neither be held by {container} nor "
                f"converted ({error}): wanted {named}--sound none"
            ) from error
        reason = f": {container} cannot hold it" if sound == "copy" else ""
        self.changes.append(f"sound converted from {codec} to {encoder_for(container)}{reason}")
        return converted

    def _other(self, stream: Stream, output: OutputContainer) -> _Track | None:
        """Add a track of text or data; None if it stays behind."""
        if stream.type not in ("subtitle", "data") or _timecode(stream):
            return None
        if _holds(output.format.name, stream, []):
            return _Copy(stream, output)
        codec = text_codec(output.format.name)
        if codec and isinstance(stream, SubtitleStream) and stream.codec_context.codec.text_sub:
            self.changes.append(f"subtitles converted from {stream.codec_context.name} to {codec}")
            return ConvertedText(stream, output, codec)
        return None

    def _names(self, output: OutputContainer, video: Stream, *, keep: bool) -> list[str]:
        """Take chapters and the timecode over, or return what stays behind of them."""
        chapters = self._container.chapters()
        described = [self._container.metadata, *(s.metadata for s in self._container.streams)]
        tags = {name.lower(): value for one in described for name, value in one.items()}
        timecode = tags.get("timecode")
        if not keep:
            return ["chapters"] * bool(chapters) + ["timecode"] * bool(timecode)
        rate = cast("VideoStream", video).codec_context.framerate
        counted = timecode is not None and _counts(timecode, rate)
        if timecode is not None and counted:
            video.metadata["timecode"] = timecode
        start_s = Fraction(self._container.start_time or 0, av.time_base)
        for chapter in chapters:
            base = cast("Fraction", chapter["time_base"])
            moved = round(start_s / base)
            chapter["start"], chapter["end"] = chapter["start"] - moved, chapter["end"] - moved
        output.set_chapters(chapters)
        return ["timecode"] if timecode and not counted else []

    def _read(self) -> Generator[Packet[Any]]:
        """Yield the packets of the video and of all other tracks; skip unreadable places."""
        kept = (self._container.streams[index] for index in self._tracks)
        others = [stream for stream in kept if stream.type not in ("video", "audio")]
        with suppress(InvalidDataError):
            for packet in continuous(self._container, others):
                if packet is not None and packet.size:
                    yield packet

    def _take(self, packet: Packet[Any] | PictureTimes) -> None:
        """Pass a packet to its track; of a video packet only note the duration and time."""
        if isinstance(packet, Packet) and packet.stream_index in self._tracks:
            self._tracks[packet.stream_index].take(packet)
        if packet.stream_index != self._video.index:
            return
        if packet.pts is not None and packet.duration:
            self._lengths.append((packet.pts, packet.duration))
        if packet.dts is not None:
            self._reached = packet.dts * packet.time_base


def _open(path: Path) -> InputContainer:
    options = {**ONE_FILE, **decoder_options(FILM)}
    return av.open(str(path.absolute()), options=options, metadata_errors="replace")


def _first_sound(path: Path) -> dict[int, list[Packet[AudioStream]]]:
    """Return the first packets of each sound track that has any, to try containers with."""
    with _open(path) as container:
        tracks = list(container.streams.audio)
        found: dict[int, list[Packet[AudioStream]]] = {stream.index: [] for stream in tracks}
        whole = True
        if not tracks:
            return found
        with suppress(InvalidDataError):
            for number, packet in enumerate(demux(container, tracks)):
                if packet is not None and packet.size:
                    found[packet.stream_index].append(packet)
                enough = all(len(packets) >= _TRIED_PACKETS for packets in found.values())
                if enough or number > _TRIED_READS:
                    whole = False
                    break
        return {n: packets[:_TRIED_PACKETS] for n, packets in found.items() if packets or not whole}


def _holds(container: str, stream: Stream, sample: list[Packet[Any]]) -> bool:
    """Return whether players find a track in a container, by writing the beginning of it."""
    codec = "" if stream.codec_context is None else stream.codec_context.name
    if codec.startswith(_UNPLAYABLE.get(container, ())):
        return False
    written = io.BytesIO()
    try:
        with av.open(written, "w", format=container) as trial:
            copy = _Copy(stream, trial).stream
            trial.start_encoding()
            start = min((packet.dts for packet in sample if packet.dts is not None), default=0)
            for packet in sample:
                moved = Packet(bytes(packet))
                moved.stream, moved.time_base = copy, packet.time_base
                moved.pts = None if packet.pts is None else packet.pts - start
                moved.dts = None if packet.dts is None else packet.dts - start
                moved.duration, moved.is_keyframe = packet.duration, packet.is_keyframe
                trial.mux(moved)
        if not sample:
            return True
        with av.open(io.BytesIO(written.getvalue()), "r") as check:
            return any(packet.size for packet in check.demux(audio=0))
    except (ValueError, IndexError, FFmpegError):
        return False


def _described(stream: Stream) -> str:
    codec = "" if stream.codec_context is None else f" ({stream.codec_context.name})"
    if stream.disposition & Disposition.attached_pic:
        return "cover picture"
    kinds = {"audio": "sound", "subtitle": "subtitles", "video": "another video"}
    return f"{kinds.get(stream.type, stream.type)}{codec}"


def _timecode(stream: Stream) -> bool:
    return stream.type == "data" and "timecode" in stream.metadata


def _counts(timecode: str, rate: Fraction) -> bool:
    """Return whether a timecode counts frames of a rate, so that containers take it."""
    parts = _TIMECODE.fullmatch(timecode)
    drops = parts is not None and parts[1] != ":"
    return parts is not None and 1 <= rate <= _MAX_COUNTED and (not drops or rate in _DROPPING)


def _keep_language(original: Stream, stream: Stream) -> None:
    """Of the tags of a track keep only the language."""
    language = original.metadata.get("language")
    stream.metadata.clear()
    if language:
        stream.metadata["language"] = language
