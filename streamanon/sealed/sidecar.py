"""The file of a sidecar: written record by record, read, and changed by those who may."""

import errno
import hashlib
import os
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from streamanon.atomic_write import OWNER_ONLY, AtomicFile
from streamanon.errors import MediaError, UsageError
from streamanon.sealed.records import (
    FILE,
    WHOLE_FRAMES,
    Access,
    Chunk,
    DamagedError,
    Header,
    Keys,
    Link,
    Record,
    Segment,
    packed,
    read_header,
    read_records,
)

SUFFIX = ".sealed"
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def sidecar_of(output: Path) -> Path:
    """Return the name of the sidecar of an output."""
    return output.with_name(output.name + SUFFIX)


class SidecarWriter:
    """Writes the records of a new sidecar to the disk, as they come.

    The file has its final name from the start, so that a crash leaves it where it is looked for.
    One that is to be replaced stays until its successor is complete.

    Attributes:
        header: record that the sidecar begins with.
        digest: SHA-256 so far of what never changes.
    """

    def __init__(self, path: Path, header: Header, access: Access, *, overwrite: bool) -> None:
        """Create the file, which replaces one that exists at the end.

        Raises:
            UsageError: it exists, or cannot be created.
        """
        self.path, self.header = path, header
        replaced = overwrite and path.exists()
        self._atomic = AtomicFile(path, mode=OWNER_ONLY) if replaced else None
        try:
            if not self._atomic:
                path.touch(OWNER_ONLY, exist_ok=False)
            self._file = (self._atomic or self).path.open("wb")
        except FileExistsError as error:
            raise UsageError(
                f"sidecar {path} exists: choose another name or --overwrite"
            ) from error
        except OSError as error:
            raise UsageError(
                f"sidecar {path} cannot be created ({error.strerror}): "
                "wanted a folder that may be written to"
            ) from error
        # as for outputs: an interrupt may come before discard() can be called
        self._delete = weakref.finalize(self, _delete_quietly, path) if not self._atomic else None
        self.digest = hashlib.sha256(header.pack())
        self._write(header.pack() + packed(access))

    def append(self, record: Record) -> None:
        """Write one record.

        Raises:
            MediaError: the disk is full, for example.
        """
        data = packed(record)
        if isinstance(record, Segment | Chunk | Link):
            self.digest.update(data)
        self._write(data)

    def close(self) -> None:
        """Keep the file under its final name.

        Raises:
            MediaError: it could not be written to the disk.
        """
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            if self._atomic:
                self._atomic.publish()
        except OSError as error:
            raise self._failure(error) from error
        if self._delete:
            self._delete.detach()

    def discard(self) -> None:
        """Delete the file, unless it was closed before; safe to call twice."""
        with suppress(OSError):
            self._file.close()
        if self._atomic:
            self._atomic.discard()
        elif self._delete:
            self._delete()

    def keep(self) -> None:
        """Leave the file as far as it was written."""
        with suppress(OSError):
            self._file.close()
        if self._delete:
            self._delete.detach()

    def _write(self, data: bytes) -> None:
        try:
            self._file.write(data)
            self._file.flush()
        except OSError as error:
            raise self._failure(error) from error

    def _failure(self, error: OSError) -> MediaError:
        advice = "free some space on the disk" if error.errno in _NO_SPACE else "check the disk"
        return MediaError(f"sidecar {self.path} could not be written ({error.strerror}): {advice}")


@dataclass
class SegmentEntry:
    """A segment as a reader finds it.

    Attributes:
        segment: record that the segment begins with.
        keys: wrapped keys of the segment, and where they are in the file.
        chunks: places of its chunks' bodies.
        until_us: time of its newest frame.
        ended: whether the last chunk is there.
    """

    segment: Segment
    keys: Keys | None = None
    keys_at: int = 0
    chunks: list[int] = field(default_factory=list)
    until_us: int = 0
    ended: bool = False

    @property
    def forgotten(self) -> bool:
        """Whether its key was destroyed."""
        return self.keys is not None and not self.keys.wraps


class Sidecar:
    """What can be read of a sidecar without a key.

    Attributes:
        path: the file.
        header: header.
        access: recipients who can open it.
        segments: segments by number, that of the file included.
        digest: SHA-256 of what never changes, before the last chunk of the file's segment.
    """

    def __init__(self, path: Path) -> None:
        """Read the places of all records.

        Raises:
            UsageError: there is no such file.
            DamagedError: it is no sidecar, or damaged.
        """
        self.path = path
        self.segments: dict[int, SegmentEntry] = {}
        self._same: dict[int, int] = {}
        try:
            with path.open("rb") as file:
                self.header = read_header(file, path.name)
                records = read_records(file, path.name)
                first = next(records, None)
                if first is None or not isinstance(first[1], Access):
                    raise self._damaged("it does not say who can open it")
                self.access = first[1]
                self._index(records)
                cut = file.seek(0, os.SEEK_END) != self._end
        except OSError as error:
            raise UsageError(f"sidecar {path} cannot be read: {error.strerror}") from error
        if not self.segments:
            raise self._damaged("it ends before its first segment")
        if self.complete and cut:
            raise self._damaged("something follows its end")

    @property
    def complete(self) -> bool:
        """Whether it was finished; otherwise the run crashed, or the file was cut."""
        return self.segments[0].ended

    @property
    def people(self) -> dict[int, list[SegmentEntry]]:
        """Segments of each person in the order of time; person 0 are frames covered whole."""
        found: dict[int, list[SegmentEntry]] = {}
        for number, entry in self.segments.items():
            if number:
                found.setdefault(self.person(entry.segment.person), []).append(entry)
        return dict(sorted(found.items()))

    def person(self, number: int) -> int:
        """Return the number of a person that others stand for, too."""
        while number in self._same:
            number = self._same[number]
        return number

    def named(self, person: int) -> int:
        """Return a person's number as a user gave it; refuse one that there is not."""
        found = self.person(person)
        if found == WHOLE_FRAMES or found not in self.people:
            names = ", ".join(str(one) for one in self.people if one != WHOLE_FRAMES) or "no one"
            raise UsageError(f"there is no person {person} in {self.path}: it holds {names}")
        return found

    def chunks(self, entry: SegmentEntry) -> Iterator[Chunk]:
        """Yield the chunks of a segment."""
        with self.path.open("rb") as file:
            for at in entry.chunks:
                file.seek(at - 4)
                yield Chunk.unpack(file.read(int.from_bytes(file.read(4))))

    def rewrite(self, access: Access, wrap: Callable[[SegmentEntry], Keys]) -> None:
        """Replace recipients, and keys that are not destroyed; everything else is copied as it is.

        Raises:
            MediaError: the file could not be written; the old one stays.
        """
        file = AtomicFile(self.path, mode=OWNER_ONLY)
        try:
            with self.path.open("rb") as old, file.path.open("wb") as new:
                new.write(read_header(old, self.path.name).pack())
                for _, record in read_records(old, self.path.name):
                    one: Record = record
                    if isinstance(record, Access):
                        one = access
                    elif isinstance(record, Keys) and record.wraps:
                        one = wrap(self.segments[record.segment])
                    new.write(packed(one))
            file.publish()
        except OSError as error:
            raise MediaError(
                f"{self.path} could not be written ({error.strerror}): it is unchanged"
            ) from error
        finally:
            file.discard()

    def forget(self, entries: Sequence[SegmentEntry]) -> None:
        """Overwrite the keys of segments, in place.

        Raises:
            MediaError: the file could not be written.
        """
        try:
            with self.path.open("r+b") as file:
                for entry in entries:
                    if entry.keys and entry.keys.wraps:
                        file.seek(entry.keys_at)
                        file.write(entry.keys.destroyed().pack())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise MediaError(
                f"{self.path} could not be written ({error.strerror}): some keys may be left, try "
                "again"
            ) from error

    def _index(self, records: Iterator[tuple[int, Record]]) -> None:
        digest = hashlib.sha256(self.header.pack())
        self.digest, self._end = b"", 0
        for at, record in records:
            self._end = at + len(record.pack())
            if isinstance(record, Chunk) and record.segment == 0 and record.last:
                self.digest = digest.digest()
            if isinstance(record, Segment | Chunk | Link):
                digest.update(packed(record))
            self._take(at, record)

    def _take(self, at: int, record: Record) -> None:
        if not self._follows(record):
            raise self._damaged("its records are out of order")
        match record:
            case Segment():
                self.segments[record.number] = SegmentEntry(record, until_us=record.start_us)
            case Keys():
                entry = self._entry(record.segment)
                if entry.keys or entry.chunks or record.segment != len(self.segments) - 1:
                    raise self._damaged(f"the keys of segment {record.segment} are misplaced")
                entry.keys, entry.keys_at = record, at
            case Chunk():
                entry = self._entry(record.segment)
                if record.counter != len(entry.chunks) or entry.ended:
                    raise self._damaged(f"chunks of segment {record.segment} are missing")
                entry.chunks.append(at)
                entry.ended, entry.until_us = record.last, record.until_us
            case Link():
                if self.person(record.same) != record.person:
                    self._same[record.person] = record.same

    def _follows(self, record: Record) -> bool:
        """Tell whether a record may come after those before: the file's segment is around all."""
        if isinstance(record, Access) or (self.segments and self.complete):
            return False
        if not isinstance(record, Segment):
            return bool(self.segments)
        of_file = (record.number == 0, record.person == FILE)
        begins = not self.segments
        return of_file == (begins, begins) and record.number not in self.segments

    def _entry(self, segment: int) -> SegmentEntry:
        if segment not in self.segments:
            raise self._damaged(f"segment {segment} does not begin")
        return self.segments[segment]

    def _damaged(self, why: str) -> DamagedError:
        return DamagedError(f"{self.path.name} is damaged: {why}; take a copy of it")


def _delete_quietly(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)
