"""Opens a sidecar and puts originals back: the only module that builds a RevealedFrame."""

import heapq
import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from av.error import FFmpegError
from cryptography.exceptions import InvalidTag

from streamanon.imaging.picture import copy_picture
from streamanon.sealed.cipher import SegmentCipher
from streamanon.sealed.coding import Crop, decode_crops
from streamanon.sealed.crops import paste_back
from streamanon.sealed.keys import Keyring, Recipients
from streamanon.sealed.records import Chunk, DamagedError, Keys
from streamanon.sealed.sidecar import SegmentEntry, Sidecar
from streamanon.types import ColourSpace, Frame, RevealedFrame

NEAR_US = 1_500
"""Farthest that times of one frame differ: containers count in milliseconds at worst."""


@dataclass
class Tally:
    """Sealed crops that were put back, and those for whose time there was no frame."""

    restored: int = 0
    missed: int = 0


class OpenSidecar:
    """A sidecar with keys that open it; nothing of it was changed since it was made.

    Attributes:
        sidecar: the sidecar.
        about: what it says of the stream: width, height, format, live, lossless, start_us, and,
            when the run ended, frames.
        outputs: SHA-256, in hex, of what it was made with; empty when the run did not end.
    """

    def __init__(self, sidecar: Sidecar, keyring: Keyring) -> None:
        """Open it.

        Raises:
            UsageError: the keys do not open it.
            DamagedError: it is damaged.
        """
        self.sidecar, self._keyring = sidecar, keyring
        entry = sidecar.segments[0]
        self._file = self._unwrapped(entry)
        self.about: dict[str, Any] = {}
        self.outputs: list[str] = []
        for text in self._plain(entry, self._file):
            try:
                part = json.loads(text)
            except ValueError as error:
                raise self._damaged(entry) from error
            if "width" in part or "start_us" in part:
                self.about |= part
            if "output" in part:
                self.outputs.append(part["output"])
            if "digest" in part:
                self.outputs += part["outputs"]
                self.about |= {"frames": part["frames"], "last_us": part["last_us"]}
                if part["digest"] != sidecar.digest.hex():
                    raise DamagedError(
                        f"{sidecar.path.name} is damaged: records were changed, added or taken "
                        "away; take a copy of it"
                    )

    @property
    def file_key(self) -> bytearray:
        """Data key of the file's segment."""
        return self._file.key

    def entries(self, persons: Sequence[int], wanted: range) -> list[SegmentEntry]:
        """Return the segments in a span of microseconds that can be opened.

        They are those of some persons; of all, and of frames covered whole, when none is named.
        """
        people = self.sidecar.people
        return [
            entry
            for person in persons or people
            for entry in people[person]
            if not (entry.forgotten or self._cut_off(entry))
            and entry.segment.start_us < wanted.stop
            and entry.until_us >= wanted.start
        ]

    def _cut_off(self, entry: SegmentEntry) -> bool:
        """Tell whether an interrupted run left a segment without anything in it."""
        return not (self.sidecar.complete or (entry.keys and entry.chunks))

    def verify(self, entries: Sequence[SegmentEntry]) -> None:
        """Decrypt segments once, so that damage shows before anything is written.

        Raises:
            DamagedError: one of them was changed.
        """
        for entry in entries:
            cipher = self._unwrapped(entry)
            for _ in self._plain(entry, cipher):
                pass
            cipher.forget()

    def crops(
        self, entries: Sequence[SegmentEntry], wanted: range, colour: ColourSpace
    ) -> Iterator[Crop]:
        """Yield the crops of segments in a span, by their times, in the colours of an output."""
        streams: dict[int, list[SegmentEntry]] = {}
        for entry in sorted(entries, key=lambda one: one.segment.number):
            streams.setdefault(entry.segment.person, []).append(entry)
        merged = (self._crops_of(one, wanted, colour) for one in streams.values())
        return heapq.merge(*merged, key=lambda crop: crop.time_us)

    def wrap_for(self, recipients: Recipients, entry: SegmentEntry) -> Keys:
        """Return the key of a segment, wrapped for other recipients."""
        cipher = self._unwrapped(entry)
        try:
            return recipients.wrap(self.sidecar.header, entry.segment, cipher)
        finally:
            cipher.forget()

    def _crops_of(
        self, entries: Sequence[SegmentEntry], wanted: range, colour: ColourSpace
    ) -> Iterator[Crop]:
        for entry in entries:
            cipher = self._unwrapped(entry)
            try:
                yield from decode_crops(self._plain(entry, cipher), wanted, colour)
            except (ValueError, KeyError, IndexError, FFmpegError, zlib.error) as error:
                raise self._damaged(entry) from error
            finally:
                cipher.forget()

    def _unwrapped(self, entry: SegmentEntry) -> SegmentCipher:
        if entry.keys is None or not entry.keys.wraps:
            raise self._damaged(entry)
        return self._keyring.unwrap(self.sidecar.header, entry.segment, entry.keys)

    def _plain(self, entry: SegmentEntry, cipher: SegmentCipher) -> Iterator[bytes]:
        for chunk in self.sidecar.chunks(entry):
            yield self._opened(entry, cipher, chunk)

    def _opened(self, entry: SegmentEntry, cipher: SegmentCipher, chunk: Chunk) -> bytes:
        try:
            return cipher.open(chunk)
        except InvalidTag as error:
            raise self._damaged(entry) from error

    def _damaged(self, entry: SegmentEntry) -> DamagedError:
        return DamagedError(
            f"{self.sidecar.path.name} is damaged: segment {entry.segment.number} was changed; "
            "nothing was revealed, take a copy of it"
        )


def revealed(
    frames: Iterable[Frame], crops: Iterator[Crop], tally: Tally, start_us: int | None = None
) -> Iterator[RevealedFrame]:
    """Yield frames of an output with the originals put back, and count what fits.

    Both are in the order of their times. They match by these from ``start_us`` on, when the first
    frame was sealed, or by their numbers if that is None.
    """
    crop, shift_us = next(crops, None), 0
    for number, frame in enumerate(frames):
        time_us = round(frame.pts * frame.time_base * 1_000_000)
        if number == 0 and start_us is not None:
            shift_us = time_us - start_us
        now, near = (number, 0) if start_us is None else (time_us - shift_us, NEAR_US)
        picture = frame.picture
        while crop and _position(crop, start_us) < now - near:
            tally.missed += 1
            crop = next(crops, None)
        while crop and _position(crop, start_us) <= now + near:
            if picture is frame.picture:
                picture = copy_picture(picture)
            paste_back(picture, crop.place, crop.mask, crop.planes)
            tally.restored += 1
            crop = next(crops, None)
        yield RevealedFrame(picture, frame.pts, frame.time_base, frame.duration)
    while crop:
        tally.missed += 1
        crop = next(crops, None)


def _position(crop: Crop, start_us: int | None) -> int:
    return crop.number if start_us is None else crop.time_us
