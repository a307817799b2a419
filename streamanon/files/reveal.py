"""Restores what was sealed of an anonymised file, with the keys of its recipients."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av

from streamanon.atomic_write import OWNER_ONLY
from streamanon.config import Config
from streamanon.errors import MediaError, UsageError
from streamanon.factory import Factory
from streamanon.files.jobs import plan
from streamanon.pipeline.document import sha256
from streamanon.protocols import Source
from streamanon.sealed.keys import Keyring, Recipients, from_passphrase, private_keys
from streamanon.sealed.log import append_entry, log_key, log_of
from streamanon.sealed.opening import NEAR_US, OpenSidecar, Tally, revealed
from streamanon.sealed.records import WHOLE_FRAMES, Access
from streamanon.sealed.sidecar import SUFFIX, SegmentEntry, Sidecar, sidecar_of
from streamanon.sinks.encoding import EncoderSettings
from streamanon.sinks.image import ImageSink
from streamanon.sinks.video import VideoSink

CRF = 2
"""Quality of a restored video: coding it once more costs a small part of what sealing did."""

_CUT_US = 500_000
"""Begin from which on a file was cut: containers move it by less."""

_ALWAYS = range(-(2**62), 2**62)


@dataclass(frozen=True, slots=True)
class Secrets:
    """Files of private keys to open a sidecar with, and one that begins with a passphrase."""

    keys: Sequence[Path] = ()
    passphrase: Path | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """What is to be revealed.

    Attributes:
        persons: numbers; all when empty, and frames that were covered whole.
        begin_us: first time, in microseconds of the output; None for the begin.
        end_us: time after the last; None for the end.
    """

    persons: tuple[int, ...] = ()
    begin_us: int | None = None
    end_us: int | None = None

    @property
    def span(self) -> range:
        """Times in microseconds; one that ends before it begins is refused."""
        begin = _ALWAYS.start if self.begin_us is None else self.begin_us
        end = _ALWAYS.stop if self.end_us is None else self.end_us
        if begin >= end:
            raise UsageError(f"from {begin / 1e6:g} s to {end / 1e6:g} s is no span: swap them")
        return range(begin, end)


def find_sidecar(output: Path) -> Sidecar:
    """Return the sidecar of an anonymised file, or the one that is named itself.

    A recording of a live stream has that of its stream: the newest that was begun before it.

    Raises:
        UsageError: there is none.
    """
    if output.suffix == SUFFIX:
        return Sidecar(output)
    own = sidecar_of(output)
    if own.exists():
        return Sidecar(own)
    before = [
        path
        for path in output.parent.glob(f"*{SUFFIX}")
        if path.stem <= output.stem[: len(path.stem)]
    ]
    for path in sorted(before, reverse=True):
        if len(path.stem) == len("2026-01-01_00-00-00") and output.suffix == ".mkv":
            return Sidecar(path)
    raise UsageError(
        f"there is no {own}: the sidecar must lie beside {output.name}, with that name; without it "
        "nothing of the original is left"
    )


def unlock(sidecar: Sidecar, given: Secrets) -> tuple[OpenSidecar, Keyring]:
    """Open a sidecar with private keys.

    Raises:
        UsageError: the keys do not open it, or it is damaged.
    """
    identities = [one for path in given.keys for one in private_keys(path)]
    if given.passphrase:
        identities.append(from_passphrase(sidecar.access, given.passphrase, sidecar.path.name))
    if not identities:
        raise UsageError("no key was given: name a file of private keys with -i")
    keyring = Keyring(sidecar.access, identities, sidecar.path.name)
    return OpenSidecar(sidecar, keyring), keyring


def reveal(  # noqa: PLR0913  what, with what, to where, and how
    output: Path,
    target: Path,
    given: Secrets,
    selection: Selection,
    *,
    force: bool = False,
    overwrite: bool = False,
    progress: Callable[[int, int | None], None] | None = None,
) -> Tally:
    """Write an anonymised file with the originals put back, and return what was put back.

    Everything that is to be revealed is decrypted once before anything is written, and noted in the
    log before the restored file appears.

    Args:
        output: anonymised file.
        target: restored file.
        given: keys.
        selection: people and span to reveal.
        force: take an output that is not the one that was sealed; frames match by their times.
        overwrite: replace a target that exists.
        progress: called with the frames done and their number, where that is known.

    Raises:
        UsageError: the keys do not open it, files do not fit or there is nothing to reveal.
        MediaError: a file could not be read or written.
    """
    if output.is_dir():
        raise UsageError(f"{output} is a folder: name one file of it, each has its own sidecar")
    (job,) = plan([output], target, overwrite=overwrite)

    def source_of(factory: Factory) -> Source:
        return factory.source(output, as_video=not job.is_image)

    sidecar = find_sidecar(output)
    opened, keyring = unlock(sidecar, given)
    persons, span = [sidecar.named(one) for one in selection.persons], selection.span
    if not force:
        _check_bound(opened, output)
    span, start_us = _alignment(opened, output, span, force=force and not job.is_image)
    entries = opened.entries(persons, span)
    if not entries:
        raise UsageError(_why_nothing(sidecar, persons))
    opened.verify(entries)
    with closing(Factory(Config())) as factory, closing(source_of(factory)) as source:
        _check_size(opened.about, source)
        exact = bool(opened.about["lossless"])
        sink = _sink(job.output, output, source, lossless=exact, overwrite=overwrite)
        try:
            tally = Tally()
            crops = opened.crops(entries, span, source.info.colour)
            for done, frame in enumerate(revealed(iter(source), crops, tally, start_us), 1):
                sink.write(frame)
                if progress:
                    progress(done, source.info.frame_count)
            _check_tally(tally, opened, force=force)
            _log(opened, keyring, entries, selection)
            sink.close(complete=True)
        finally:
            sink.close(complete=False)
    return tally


def reseal(sidecar: Sidecar, given: Secrets, *, add: Sequence[str], drop: Sequence[str]) -> Access:
    """Change who can open a sidecar, and return who can now.

    Args:
        sidecar: the sidecar.
        given: keys that open it.
        add: public keys to add, or files of them.
        drop: public keys to leave out.

    Raises:
        UsageError: the keys do not open it, or a recipient is wrong.
        MediaError: it could not be written; it is unchanged.
    """
    if not (add or drop):
        raise UsageError("nothing was asked for: name a recipient with --add or --drop")
    opened, _ = unlock(sidecar, given)
    recipients = Recipients.changed(sidecar.access, add, drop)
    opened.verify(
        [one for one in sidecar.segments.values() if one.segment.number and not one.forgotten]
    )
    sidecar.rewrite(recipients.access, lambda entry: opened.wrap_for(recipients, entry))
    return recipients.access


def forget(sidecar: Sidecar, person: int) -> int:
    """Destroy the keys of a person, and of frames covered whole; return how many there were.

    Raises:
        UsageError: there is no such person.
        MediaError: the sidecar could not be written.
    """
    people = sidecar.people
    entries = [*people[sidecar.named(person)], *people.get(WHOLE_FRAMES, [])]
    left = [entry for entry in entries if not entry.forgotten]
    sidecar.forget(left)
    return len(left)


def _sink(
    target: Path, output: Path, source: Source, *, lossless: bool, overwrite: bool
) -> VideoSink | ImageSink:
    if source.info.container is None:
        return ImageSink(target, output, source.info, overwrite=overwrite, mode=OWNER_ONLY)
    settings = EncoderSettings(None, CRF, "veryfast", lossless=lossless)
    kept: dict[str, Any] = {"keep_subtitles": True, "overwrite": overwrite, "mode": OWNER_ONLY}
    return VideoSink(target, source.info, settings, **kept)


def _check_bound(opened: OpenSidecar, output: Path) -> None:
    """Refuse an output that is not what was sealed."""
    name = opened.sidecar.path.name
    if sha256(output) in opened.outputs:
        return
    if not opened.sidecar.complete:
        raise UsageError(
            f"{name} has no end: its run was interrupted, or it was cut. What is there opens with "
            "--force, by the times of frames"
        )
    raise UsageError(
        f"{output} is not the file that {name} was made with: it was re-encoded, cut, scaled or "
        "replaced since. With --force, originals are put where frames have the same times"
    )


def _log(
    opened: OpenSidecar, keyring: Keyring, entries: Sequence[SegmentEntry], selection: Selection
) -> None:
    """Note what is about to be revealed."""
    sidecar = opened.sidecar
    entry = {
        "opened_with": keyring.opened_with,
        "persons": sorted({sidecar.person(entry.segment.person) for entry in entries}),
        "from_s": (selection.begin_us or 0) / 1e6,
        "to_s": None if selection.end_us is None else selection.end_us / 1e6,
    }
    append_entry(log_of(sidecar.path), sidecar.header, log_key(opened.file_key), entry)


def _alignment(
    opened: OpenSidecar, output: Path, span: range, *, force: bool
) -> tuple[range, int | None]:
    """Return a span on the clock of the sidecar, and what that shows at the first frame, or None.

    None means that frames are those that were sealed, one by one. The span is in microseconds from
    the begin of the file. With ``force`` it may have been cut.

    Raises:
        UsageError: it was, and its times no longer tell where.
    """
    if opened.about["live"]:
        recorded = _recorded(output)
        start_us, stop_us = recorded.start, min(span.stop + recorded.start, recorded.stop)
        return range(max(span.start + start_us, start_us - 1), stop_us), start_us
    if not force:
        return span, None
    start_us, kept = opened.about.get("start_us", 0), _recorded(output).start
    if kept > _CUT_US:
        return span, kept  # cut, and times were kept
    if "frames" in opened.about:
        sealed, length_us = opened.about["frames"], opened.about["last_us"] - start_us
        found, lasts_us = _extent(output)
        if found != sealed and abs(lasts_us - length_us) > NEAR_US:
            raise UsageError(
                f"{output} has {found} frames in {lasts_us / 1e6:.2f} s, {sealed} in "
                f"{length_us / 1e6:.2f} s were sealed, and its times begin at 0, so which are "
                "left is unknown: cut it with times kept (ffmpeg -copyts), or take the file "
                "that was sealed"
            )
    return span, start_us


def _extent(output: Path) -> tuple[int, int]:
    """Return how many frames a video has, and microseconds from the first to the last."""
    with av.open(str(output)) as container:
        packets = container.demux(video=0)
        times = [packet.pts for packet in packets if packet.size and packet.pts is not None]
        base = container.streams.video[0].time_base or 0
    return len(times), round((max(times, default=0) - min(times, default=0)) * base * 1_000_000)


def _recorded(output: Path) -> range:
    """Return the times that a recording of a stream has, in microseconds, on the stream's clock."""
    with av.open(str(output)) as container:
        stream = container.streams.video[0]
        start = round((stream.start_time or 0) * (stream.time_base or 0) * 1_000_000)
        return range(start, start + (container.duration or 0) + 1_000_000)


def _check_size(about: dict[str, Any], source: Source) -> None:
    made, found = (about["width"], about["height"]), (source.info.width, source.info.height)
    if any(not 0 <= now - then <= 1 for now, then in zip(found, made, strict=True)):  # made even
        raise UsageError(
            f"{source.info.name} has {found[0]}x{found[1]} px and was sealed with "
            f"{made[0]}x{made[1]}: it was scaled, cropped or turned since, and nothing can be "
            "aligned; take the file that was sealed"
        )


def _check_tally(tally: Tally, opened: OpenSidecar, *, force: bool) -> None:
    if tally.restored == 0 or (tally.missed and not force and not opened.about["live"]):
        raise MediaError(
            f"{tally.missed} of {tally.missed + tally.restored} sealed crops have the time of no "
            "frame: the frames of this file have other times; take the file that was sealed"
        )


def _why_nothing(sidecar: Sidecar, persons: Sequence[int]) -> str:
    asked = [entry for one in persons or sidecar.people for entry in sidecar.people[one]]
    if asked and all(entry.forgotten for entry in asked):
        who = f"person {', '.join(map(str, persons))}" if persons else "everybody"
        return f"{who} was forgotten in {sidecar.path.name}: their keys are destroyed for good"
    shows = f"`streamanon seal list {sidecar.path}` shows who is in it, and when"
    return f"nothing is sealed there: {shows}"
