"""Seals what was replaced while a run goes on: raw pixels go in, ciphertext goes to the disk.

Nothing of it is in the way of a frame: a scene and its safe frame are kept until the frame is
written, and compared, cut, coded and encrypted in a thread of their own.
"""

import json
import secrets
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import Full, Queue
from threading import Thread

import numpy as np

from streamanon.errors import StreamanonError, named_error_line
from streamanon.pipeline.document import sha256
from streamanon.protocols import Sink
from streamanon.sealed.cipher import KEY_BYTES, SegmentCipher
from streamanon.sealed.coding import FIRST_QUANTISER, Crop, CropEncoder, pixel_format
from streamanon.sealed.crops import (
    Mask,
    Place,
    changed_blocks,
    cut_out,
    owners,
    place_around,
)
from streamanon.sealed.keys import Recipients
from streamanon.sealed.log import log_key
from streamanon.sealed.records import FILE, WHOLE_FRAMES, Header, Link, Segment
from streamanon.sealed.sidecar import SidecarWriter
from streamanon.types import MediaInfo, Picture, SafeFrame, Scene, Subject, Treatment

_FIRST_US, _SEGMENT_US, _CHUNK_US, _GONE_US = 1_000_000, 5_000_000, 1_000_000, 1_000_000
"""Longest first segment of somebody, further ones, and chunk, and how long they are out of view
before their segment ends."""

_QUEUED = 8
"""Frames that may wait for being sealed."""

_LOOK_S = 0.2


@dataclass(frozen=True, slots=True)
class _Job:
    """A frame to seal."""

    index: int
    raw: Picture
    safe: Picture
    subjects: tuple[Subject, ...]
    whole: bool
    bidirectional: bool | None
    number: int = 0
    time_us: int = 0


@dataclass
class _People:
    """Numbers of persons: from 1, in the order in which they appear."""

    by_track: dict[int, int] = field(default_factory=dict)
    by_person: dict[int, int] = field(default_factory=dict)
    count: int = 0

    def number(self, subject: Subject) -> tuple[int, Link | None]:
        """Return a subject's number, and whom they turned out to be: that may be known later."""
        track, person, link = subject.track.id, subject.person, None
        found = self.by_track.get(track)
        known = None if person is None else self.by_person.get(person)
        if found is None and known is None:
            self.count += 1
            found = self.count
        elif found is not None and known is not None and found != known:
            link = Link(found, known)
        number = known or found
        assert number
        self.by_track[track] = number
        if person is not None:
            self.by_person[person] = number
        return number, link


class _OpenSegment:
    """A segment of one person that is being written."""

    def __init__(
        self, cipher: SegmentCipher, place: Place, job: _Job, quantiser: int | None, longest_us: int
    ) -> None:
        self.cipher, self.place, self.longest_us = cipher, place, longest_us
        self.colour, start_us = job.raw.colour, job.time_us
        self.start_us, self.seen_us = start_us, start_us
        self.encoder = CropEncoder(place, self.colour, quantiser)
        self.data, self.chunk_us = bytearray(), start_us

    def add(self, job: _Job, mask: Mask) -> None:
        """Code one person's pixels of a frame."""
        part = self.place.cut(mask)
        crop = Crop(job.time_us, job.number, self.place, part, cut_out(job.raw, self.place, part))
        self.data += self.encoder.encode(crop, bidirectional=job.bidirectional)
        self.seen_us = job.time_us

    def fits(self, job: _Job, mask: Mask) -> bool:
        """Tell whether a mask fits into the crop, which moves where it has to."""
        old = job.time_us - self.start_us >= self.longest_us or job.time_us < self.seen_us
        if old or job.raw.colour != self.colour:
            return False
        if not self.place.holds(mask):
            place = self.place.moved_to(mask)
            if place is None:
                return False
            self.place = place
        return True


class Sealer:
    """Writes the sidecar of one output."""

    def __init__(
        self,
        writer: Callable[[Header], SidecarWriter],
        info: MediaInfo,
        recipients: Recipients,
        *,
        lossless: bool,
    ) -> None:
        """Begin a sidecar for recipients.

        Raises:
            UsageError: the file cannot be created.
        """
        self._recipients = recipients
        self._first = None if lossless else FIRST_QUANTISER
        self._quantisers: dict[int, int | None] = {}
        file_key = secrets.token_bytes(KEY_BYTES)
        self._header = Header.new(log_key(file_key).public_key().public_bytes_raw())
        self._writer = writer(self._header)
        self._people, self._open = _People(), dict[int, _OpenSegment]()
        self._segments = self._frames = self._last_us = 0
        self._pending: deque[_Job] = deque()
        self._queue: Queue[_Job | Path | bytes | None] = Queue(_QUEUED)
        self._failure: StreamanonError | None = None
        about = {
            "width": info.width,
            "height": info.height,
            "format": pixel_format(info.colour),
            "live": info.live,
            "lossless": lossless,
        }
        try:
            self._file = self._begin(FILE, 0, file_key)
            self._writer.append(self._file.seal(json.dumps(about).encode(), 0, last=False))
        except BaseException:
            self._writer.discard()
            raise
        self._thread = Thread(target=self._work, name="streamanon-seal", daemon=True)
        self._thread.start()

    def begin_line(self) -> None:
        """Note that tracks are numbered from the start again."""
        self._pending.clear()
        self._people.by_track.clear()

    def add(self, scene: Scene, safe: SafeFrame) -> None:
        """Take a frame and what became of it; sealed once it is written. Does not wait."""
        whole = any(done.treatment is Treatment.WHOLE_FRAME for done in safe.treated)
        raw = scene.frame
        job = _Job(safe.index, raw.picture, safe.picture, scene.subjects, whole, raw.bidirectional)
        self._pending.append(job)

    def written(self, index: int, time_us: int) -> None:
        """Seal a frame: it is in the output at a time. Those before it that are not are dropped.

        Raises:
            StreamanonError: sealing failed.
        """
        while self._pending and self._pending[0].index <= index:
            job = self._pending.popleft()
            if job.index == index:
                if self._frames == 0:
                    self._put(json.dumps({"start_us": time_us}).encode())
                self._put(replace(job, number=self._frames, time_us=time_us))
                self._frames, self._last_us = self._frames + 1, time_us

    def note_output(self, output: Path) -> None:
        """Note one of several outputs that is complete."""
        self._put(output)

    def drain(self) -> None:
        """Write everything that was added, but not the end.

        Raises:
            StreamanonError: sealing failed.
        """
        if self._thread.is_alive():
            self._put(None)
            self._thread.join()
        if self._failure:
            raise self._failure

    def bind(self, outputs: Sequence[str]) -> None:
        """Write the end, with the SHA-256 of complete outputs, after :meth:`drain`; keep the file.

        Raises:
            MediaError: it could not be written.
        """
        digest = self._writer.digest.hexdigest()
        extent = {"frames": self._frames, "last_us": self._last_us}
        end = {"outputs": outputs, **extent, "digest": digest}
        self._writer.append(self._file.seal(json.dumps(end).encode(), 0, last=True))
        self._file.forget()
        self._writer.close()

    def discard(self) -> None:
        """Delete the sidecar, unless it is complete."""
        self._end_thread()
        self._writer.discard()

    def keep(self) -> None:
        """Leave the sidecar as far as it was written."""
        self._end_thread()
        self._writer.keep()

    def _end_thread(self) -> None:
        self._pending.clear()
        with suppress(StreamanonError):
            self.drain()

    def _put(self, job: _Job | Path | bytes | None) -> None:
        """Hand over to the thread, waiting while it has enough to do."""
        while True:
            if self._failure:
                raise self._failure
            try:
                return self._queue.put(job, timeout=_LOOK_S)
            except Full:
                continue

    def _work(self) -> None:
        """Seal until the end is asked for; body of the thread."""
        try:
            while (job := self._queue.get()) is not None:
                if isinstance(job, Path):
                    job = json.dumps({"output": sha256(job)}).encode()
                if isinstance(job, bytes):
                    self._writer.append(self._file.seal(job, 0, last=False))
                else:
                    self._seal(job)
                del job  # a raw picture must not wait here for the next one
            for person in list(self._open):
                self._finish(person)
        except StreamanonError as error:
            self._failure = error
        except Exception as error:  # noqa: BLE001  raised again where frames are handed over
            self._failure = StreamanonError(f"sealing failed: {named_error_line(error)}")
            self._failure.__cause__ = error

    def _seal(self, job: _Job) -> None:
        """Seal what was changed in a frame."""
        if job.whole or job.subjects:
            changed = changed_blocks(job.raw, job.safe)
            for person, mask in self._shares(job, changed):
                if mask.any():
                    self._add(person, job, mask)
        for person, one in list(self._open.items()):
            if not -_GONE_US < job.time_us - one.seen_us < _GONE_US:
                self._finish(person)

    def _shares(self, job: _Job, changed: Mask) -> Iterator[tuple[int, Mask]]:
        """Yield the blocks of each person in a frame."""
        numbers = []
        for subject in job.subjects:
            number, link = self._people.number(subject)
            if link:
                self._writer.append(link)
            numbers.append(number)
        if job.whole:
            yield WHOLE_FRAMES, changed
            return
        nearest = owners(changed, [subject.track.cover for subject in job.subjects])
        for number in dict.fromkeys(numbers):
            own = [index for index, other in enumerate(numbers) if other == number]
            yield number, np.isin(nearest, own)

    def _add(self, person: int, job: _Job, mask: Mask) -> None:
        """Add one person's pixels of a frame to their segment."""
        one = self._open.get(person)
        if one is None or not one.fits(job, mask):
            if one:
                self._finish(person)
            place = place_around(mask)
            cipher = self._begin(person, job.time_us)
            quantiser = self._quantisers.get(person, self._first)
            trying = self._first is not None and person not in self._quantisers
            longest_us = _FIRST_US if trying else _SEGMENT_US
            one = _OpenSegment(cipher, place, job, quantiser, longest_us)
            self._open[person] = one
        one.add(job, mask)
        if job.time_us - one.chunk_us >= _CHUNK_US and one.data:
            self._write(one, last=False)

    def _begin(self, person: int, start_us: int, key: bytes | None = None) -> SegmentCipher:
        """Begin a segment in the file."""
        segment = Segment(self._segments, person, start_us)
        self._segments += 1
        cipher = SegmentCipher(self._header, segment, key)
        self._writer.append(segment)
        self._writer.append(self._recipients.wrap(self._header, segment, cipher))
        return cipher

    def _finish(self, person: int) -> None:
        """End a segment, and forget its key."""
        one = self._open.pop(person)
        one.data += one.encoder.finish()
        if one.encoder.quantiser is not None:
            self._quantisers[person] = one.encoder.next_quantiser
        self._write(one, last=True)
        one.cipher.forget()

    def _write(self, one: _OpenSegment, *, last: bool) -> None:
        self._writer.append(one.cipher.seal(one.data, one.seen_us, last=last))
        one.data[:] = bytes(len(one.data))
        one.data, one.chunk_us = bytearray(), one.seen_us


class SealingSink:
    """A sink whose frames are sealed when they are written; its sidecar appears with its output."""

    def __init__(self, sink: Sink, sealer: Sealer, output: Path) -> None:
        """Wrap a sink that writes a file; the sealer is given each frame before it comes."""
        self._sink, self._sealer, self._output = sink, sealer, output
        self._over = False

    def write(self, frame: SafeFrame) -> None:
        """Write one frame; fails, too, where what was sealed before could not be written."""
        self._sink.write(frame)
        self._sealer.written(frame.index, round(frame.pts * frame.time_base * 1_000_000))

    def close(self, *, complete: bool) -> None:
        """Finish both, or leave neither; safe to call twice."""
        if self._over:
            return
        self._over = True
        try:
            if complete:
                self._sealer.drain()
            self._sink.close(complete=complete)
        except BaseException:
            self._sink.close(complete=False)
            self._sealer.discard()
            raise
        if complete:
            self._bind()
        else:
            self._sealer.discard()

    def _bind(self) -> None:
        """End the sidecar of an output that is complete; it opens even without its end."""
        try:
            self._sealer.bind([sha256(self._output) or ""])
        except BaseException:
            self._sealer.keep()
            raise
