"""All outputs of a live stream: one encode, a process each, none waits for another."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from av.error import FFmpegError

from streamanon.sinks.live.destination import destination
from streamanon.sinks.live.encoder import Encoder, as_frame, h264_options
from streamanon.sinks.live.output import Output, OutputState
from streamanon.sinks.writers.messages import SOUND, TICK, Unit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streamanon.media.address import Address
    from streamanon.media.audio import SoundTrack
    from streamanon.sinks.live.destination import Destination
    from streamanon.sinks.live.encoder import Kind
    from streamanon.types import MediaInfo, SafeFrame

__all__ = ["LiveSink", "OutputState", "open_outputs"]

_CLOSING_S = 2.5
_SMALLEST_STEP = 90
"""Ticks between pictures, a millisecond: containers that count in those keep them apart."""

_USUAL_STEP = 3000
_BACK, _AHEAD = 90_000, 900_000
"""Time stamps that jump further than this belong to another timeline."""


class Clock:
    """Time stamps of the outputs, in ticks: they begin at 0 and rise whatever comes in."""

    def __init__(self) -> None:
        self._shift: int | None = None
        self._last = -_SMALLEST_STEP

    def at(self, ticks: int) -> int:
        """Return the time stamp of the next picture.

        Args:
            ticks: its time on the timeline of the stream.
        """
        if self._shift is None:
            self._shift = -ticks
        if not -_BACK < ticks + self._shift - self._last < _AHEAD:
            self._shift = self._last + _USUAL_STEP - ticks
        self._last = max(ticks + self._shift, self._last + _SMALLEST_STEP)
        return self._last

    def same(self, ticks: int) -> int:
        """Move a time of the timeline of the last picture onto that of the outputs."""
        return ticks + (self._shift or 0)


class LiveSink:
    """Writes every frame to all outputs. Outputs that fail are started again and end nothing."""

    def __init__(
        self,
        encoders: Sequence[tuple[Encoder, tuple[Output, ...]]],
        info: MediaInfo,
        sound: SoundTrack | None = None,
    ) -> None:
        """Take outputs, each with the encoder it shares with others of its kind.

        Args:
            encoders: and the outputs that take their packets.
            info: of the stream.
            sound: to go along, no earlier than the pictures of its time.
        """
        self._encoders, self._info, self._sound = encoders, info, sound
        self._clock = Clock()
        self._last_sound = -1

    @property
    def state(self) -> tuple[OutputState, ...]:
        """Every output as it stands; from any thread."""
        return tuple(output.state for _, outputs in self._encoders for output in outputs)

    def write(self, frame: SafeFrame) -> None:
        """Encode one frame and hand it over; no output makes it wait.

        Raises:
            MediaError: it could not be encoded.
        """
        if not self._encoders:
            return
        ticks = round(frame.pts * frame.time_base / TICK)
        picture = as_frame(frame.picture, self._info, self._clock.at(ticks))
        for encoder, outputs in self._encoders:
            wanted = any(output.wants_keyframe for output in outputs)
            for unit in encoder.encode(picture, keyframe=wanted):
                for output in outputs:
                    output.put(unit)
        self._pass_sound(ticks)

    def close(self, *, complete: bool) -> None:
        """Finish all outputs, which takes three seconds at most; safe to call twice.

        What was written stays in any case, as it was seen by others already.
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
            unit = Unit(SOUND, packet.data, pts, packet.duration)
            for _, outputs in self._encoders:
                for output in outputs:
                    output.put(unit)


def open_outputs(
    addresses: Sequence[Address],
    info: MediaInfo,
    *,
    crf: int,
    preset: str,
    sound: SoundTrack | None,
    say: Callable[[str], None],
) -> LiveSink:
    """Open the outputs of a live stream.

    Servers that are not there do not matter yet: they are tried until they are.

    Args:
        addresses: where frames go.
        info: of the stream; its size stays.
        crf: quality of the encoder.
        preset: speed of the encoder.
        sound: to go along where the output can hold it, or None.
        say: takes lines for the log, credentials hidden; from any thread.

    Raises:
        UsageError: an output cannot be written on this machine, or the encoder refuses.
    """
    destinations = [destination(address) for address in addresses]
    settings: dict[Kind, dict[str, str]] = {
        "libx264": h264_options(info, crf, preset),
        "rawvideo": {},
    }
    encoders = []
    for kind, options in settings.items():
        wanted = [one for one in destinations if one.kind == kind]
        if wanted:
            encoder = Encoder(kind, info, options)
            encoders.append((encoder, _started(wanted, encoder, sound, say)))
    return LiveSink(encoders, info, sound)


def _started(
    destinations: Sequence[Destination],
    encoder: Encoder,
    sound: SoundTrack | None,
    say: Callable[[str], None],
) -> tuple[Output, ...]:
    """Start the outputs that share an encoder."""
    silent = with_sound = encoder.head()
    if sound:
        try:
            with_sound = encoder.head(sound.format)
        except (FFmpegError, ValueError) as error:
            say(f"the sound ({sound.format.codec}) is left out, FFmpeg cannot pass it on: {error}")
            sound = None
    heads = []
    for one in destinations:
        holds = sound is not None and one.holds(sound.format.codec)
        if sound and one.kind == "libx264" and not holds:
            say(f"output {one.address} goes without sound: it cannot hold {sound.format.codec}")
        heads.append(with_sound if holds else silent)
    return tuple(Output(*pair, say) for pair in zip(destinations, heads, strict=True))
