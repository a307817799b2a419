"""All outputs of a live stream: one encoder for all, one process for each."""

import time
from collections.abc import Sequence
from dataclasses import replace
from logging import Logger

from av.error import FFmpegError

from streamanon.atomic_write import OWNER_ONLY
from streamanon.media.address import Address
from streamanon.media.audio import AudioQueue
from streamanon.sinks.live.destination import Destination, destination
from streamanon.sinks.live.encoder import Encoder, Kind, as_frame, h264_options
from streamanon.sinks.live.output import Output, OutputState
from streamanon.sinks.writers.messages import AUDIO, TICK, MediaPacket
from streamanon.types import MediaInfo, SafeFrame

_CLOSING_S = 2.5
_SMALLEST_STEP = 90
"""Ticks between pictures, a millisecond: some containers count time in milliseconds."""

_USUAL_STEP = 3000
_BACK, _AHEAD = 90_000, 900_000
"""Timestamps that jump further than this, in ticks, belong to another timeline."""


class Clock:
    """Timestamps of the outputs, in ticks: they begin at 0 and always rise."""

    def __init__(self) -> None:
        self._shift: int | None = None
        self._last = -_SMALLEST_STEP

    @property
    def time_us(self) -> int:
        """The last timestamp, in microseconds."""
        return round(self._last * TICK * 1_000_000)

    def at(self, ticks: int) -> int:
        """Return the timestamp of the next picture."""
        if self._shift is None:
            self._shift = -ticks
        if not -_BACK < ticks + self._shift - self._last < _AHEAD:
            self._shift = self._last + _USUAL_STEP - ticks
        self._last = max(ticks + self._shift, self._last + _SMALLEST_STEP)
        return self._last

    def same(self, ticks: int) -> int:
        """Convert a time of the last picture's timeline to that of the outputs."""
        return ticks + (self._shift or 0)


class LiveSink:
    """Writes every frame to all outputs; one that fails is restarted and does not stop the rest."""

    def __init__(
        self,
        encoders: Sequence[tuple[Encoder, tuple[Output, ...]]],
        info: MediaInfo,
        sound: AudioQueue | None = None,
    ) -> None:
        """Take encoders, each with the outputs that take its packets.

        ``sound`` is written, never before the pictures of its time.
        """
        self._encoders, self._info, self._sound = encoders, info, sound
        self._clock = Clock()
        self._last_sound = -1

    @property
    def time_us(self) -> int:
        """Time of the last frame in the outputs, in microseconds."""
        return self._clock.time_us

    @property
    def state(self) -> tuple[OutputState, ...]:
        """State of every output; for any thread."""
        return tuple(output.state for _, outputs in self._encoders for output in outputs)

    def write(self, frame: SafeFrame) -> None:
        """Encode one frame and queue it at every output, without blocking."""
        if not self._encoders:
            return
        ticks = round(frame.pts * frame.time_base / TICK)
        picture = as_frame(frame.picture, self._info, self._clock.at(ticks))
        for encoder, outputs in self._encoders:
            wanted = any(output.wants_keyframe for output in outputs)
            for packet in encoder.encode(picture, keyframe=wanted):
                for output in outputs:
                    output.put(packet)
        self._pass_sound(ticks)

    def close(self, *, complete: bool) -> None:
        """Finish all outputs within three seconds; safe to call twice.

        What was written stays in any case: viewers have seen it.
        """
        del complete
        deadline = time.monotonic() + _CLOSING_S
        outputs = [output for _, outputs in self._encoders for output in outputs]
        for output in outputs:
            output.stop()
        for output in outputs:
            output.join(deadline)

    def _pass_sound(self, until: int) -> None:
        if self._sound is None:
            return
        for packet in self._sound.take_until(until):
            pts = self._clock.same(packet.pts)
            if pts <= self._last_sound:
                continue
            self._last_sound = pts
            audio = MediaPacket(AUDIO, packet.data, pts, packet.duration)
            for _, outputs in self._encoders:
                for output in outputs:
                    output.put(audio)


def open_outputs(  # noqa: PLR0913  what to open, and the settings of the encoder and of files
    addresses: Sequence[Address],
    info: MediaInfo,
    *,
    crf: int,
    preset: str,
    record_mode: int = OWNER_ONLY,
    keep_times: bool = False,
    sound: AudioQueue | None,
    log: Logger,
) -> LiveSink:
    """Open the outputs of a live stream, whose size does not change.

    Servers need not be reachable yet: they are retried until they are.

    Args:
        addresses: where the outputs are.
        info: properties of the stream.
        crf: constant rate factor of the encoder.
        preset: speed preset of the encoder.
        record_mode: permissions of recorded files.
        keep_times: recordings keep the times of the stream, instead of beginning at 0 each.
        sound: audio for the outputs that can hold it, or None.
        log: logger for changes of their state; addresses are masked.

    Raises:
        UsageError: this machine cannot write an output, or the encoder refuses its options.
    """
    destinations = [destination(address, record_mode) for address in addresses]
    if keep_times:
        destinations = [replace(one, job=replace(one.job, from_zero=False)) for one in destinations]
    settings: dict[Kind, dict[str, str]] = {
        "libx264": h264_options(info, crf, preset),
        "rawvideo": {},
    }
    encoders = []
    for kind, options in settings.items():
        wanted = [one for one in destinations if one.kind == kind]
        if wanted:
            encoder = Encoder(kind, info, options)
            encoders.append((encoder, _started(wanted, encoder, sound, log)))
    return LiveSink(encoders, info, sound)


def _started(
    destinations: Sequence[Destination], encoder: Encoder, sound: AudioQueue | None, log: Logger
) -> tuple[Output, ...]:
    """Start the outputs of one encoder."""
    silent = with_sound = encoder.header()
    if sound:
        try:
            with_sound = encoder.header(sound.format)
        except (FFmpegError, ValueError) as error:
            codec = sound.format.codec
            log.warning(f"the sound ({codec}) is left out, FFmpeg cannot pass it on: {error}")
            sound = None
    headers = []
    for one in destinations:
        holds = sound is not None and one.holds(sound.format.codec)
        if sound and one.kind == "libx264" and not holds:
            codec = sound.format.codec
            log.warning(f"output {one.address} goes without sound: it cannot hold {codec}")
        headers.append(with_sound if holds else silent)
    return tuple(Output(*pair, log) for pair in zip(destinations, headers, strict=True))
