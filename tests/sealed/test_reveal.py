"""Runs that seal, and what can be restored of their outputs."""

import json
import shutil
import stat
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

import streamanon
from streamanon import Config
from streamanon.cli.main import execute
from streamanon.errors import MediaError, UsageError
from streamanon.files.reveal import Secrets, Selection, find_sidecar, forget, reseal, reveal, unlock
from streamanon.imaging.picture import as_picture, copy_picture
from streamanon.sealed.crops import changed_blocks
from streamanon.sealed.keys import Recipients
from streamanon.sealed.opening import Tally, revealed
from streamanon.sealed.sealer import Sealer
from streamanon.sealed.sidecar import Sidecar, SidecarWriter
from streamanon.sources.image import ImageSource
from streamanon.sources.video import VideoSource
from streamanon.types import Frame, Picture, SafeFrame, Scene
from testkit.sealing import Holder, noise, scene, seal_scenes


def _pictures(path: Path) -> list[Picture]:
    source = ImageSource(path) if path.suffix == ".png" else VideoSource(path)
    try:
        return [frame.picture for frame in source]
    finally:
        source.close()


def _psnr(original: Path, safe: Path, restored: Path) -> float:
    """Return the PSNR inside the blocks that differ by more than coding does."""
    squares = count = 0.0
    pictures = zip(_pictures(original), _pictures(safe), _pictures(restored), strict=True)
    for before, hidden, after in pictures:
        away = np.abs(before.planes[0].astype(int) - hidden.planes[0]) > 24
        assert away.any()
        error = (before.planes[0].astype(float) - after.planes[0])[away]
        squares, count = squares + float((error * error).sum()), count + error.size
    return float(10 * np.log10(255**2 / max(squares / count, 1e-9)))


@pytest.fixture(scope="module")
def sealed(
    tmp_path_factory: pytest.TempPathFactory, face_clip: Path, holders: list[Holder]
) -> Path:
    """An anonymised clip with its sidecar, for the first two holders."""
    out = tmp_path_factory.mktemp("sealed") / "out.mp4"
    keys = tuple(one.public for one in holders[:2])
    streamanon.anonymise(face_clip, out, Config(method="warp", seal=keys))
    return out


@pytest.fixture
def copy(sealed: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    for path in sealed.parent.iterdir():
        if path.name in (sealed.name, f"{sealed.name}.sealed"):
            shutil.copy(path, tmp_path)
    return tmp_path / sealed.name


def test_sealing_changes_no_frame(
    tmp_path: Path, holders: list[Holder], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is written is what would be written without: the same objects, and not a sample else."""
    seen: list[tuple[Picture, Picture]] = []
    add = Sealer.add

    def noting(sealer: Sealer, one: Scene, safe: SafeFrame) -> None:
        pictures = (one.frame.picture, safe.picture)
        seen.extend((picture, copy_picture(picture)) for picture in pictures)
        add(sealer, one, safe)

    monkeypatch.setattr(Sealer, "add", noting)
    scenes = [scene(index, noise(index), [(16, 16, 48, 48)]) for index in range(3)]
    seal_scenes(tmp_path / "x.sealed", scenes, Recipients.of([holders[0].public]))
    assert len(seen) == 6
    assert not any(changed_blocks(now, before).any() for now, before in seen)


def test_the_original_comes_back(face_clip: Path, copy: Path, holders: list[Holder]) -> None:
    restored = copy.with_name("restored.mp4")
    for holder in holders[:2]:
        tally = reveal(copy, restored, Secrets([holder.file]), Selection(), overwrite=True)
        assert (tally.restored, tally.missed) == (16, 0)
        assert _psnr(face_clip, copy, restored) > 44
    with av.open(str(restored)) as container:
        assert len(container.streams.audio) == 1
    log = copy.with_name("out.mp4.sealed.log").read_text()
    entries = [json.loads(line) for line in log.splitlines()]
    assert [one["opened_with"] for one in entries] == [[one.public] for one in holders[:2]]
    private = [restored, copy.with_name("out.mp4.sealed"), copy.with_name("out.mp4.sealed.log")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in private} == {0o600}


@pytest.mark.parametrize("method", ["mosaic", "anonygan"])
def test_lossless_is_exact(
    face_clip: Path, tmp_path: Path, holders: list[Holder], method: str
) -> None:
    """The output is nearly lossless, so that what differs much is what was hidden."""
    out, restored = tmp_path / "out.mkv", tmp_path / "restored.mkv"
    settings = Config(method=method, seal=(holders[0].public,), lossless=True, crf=1)
    streamanon.anonymise(face_clip, out, settings)
    reveal(out, restored, Secrets([holders[0].file]), Selection())
    hidden = zip(_pictures(face_clip), _pictures(out), _pictures(restored), strict=True)
    for before, safe, after in hidden:
        away = np.abs(before.planes[0].astype(int) - safe.planes[0]) > 24
        assert away.any()
        assert np.array_equal(before.planes[0][away], after.planes[0][away])


def test_a_picture_comes_back_exactly(
    face_clip: Path, tmp_path: Path, holders: list[Holder]
) -> None:
    with av.open(str(face_clip)) as container:
        image = next(container.decode(video=0)).to_ndarray(format="bgr24")
    cv2.imwrite(str(tmp_path / "in.png"), image.astype(np.uint16) * 257)
    settings = Config(method="warp", seal=(holders[0].public,))
    streamanon.anonymise(tmp_path / "in.png", tmp_path / "out.png", settings)
    given = Secrets([holders[0].file])
    reveal(tmp_path / "out.png", tmp_path / "restored.png", given, Selection())
    assert not changed_blocks(
        _pictures(tmp_path / "in.png")[0], _pictures(tmp_path / "restored.png")[0]
    ).any()


def test_only_a_span_is_revealed(copy: Path, holders: list[Holder]) -> None:
    restored = copy.with_name("restored.mp4")
    selection = Selection(begin_us=200_000, end_us=400_000)
    tally = reveal(copy, restored, Secrets([holders[0].file]), selection)
    shown = [
        float(np.abs(a.planes[0].astype(int) - b.planes[0]).max()) > 60
        for a, b in zip(_pictures(copy), _pictures(restored), strict=True)
    ]
    assert tally.restored == sum(shown)
    assert 0 < sum(shown) < 16
    with pytest.raises(UsageError, match="no span"):
        reveal(
            copy,
            copy.with_name("again.mp4"),
            Secrets([holders[0].file]),
            Selection(begin_us=2, end_us=1),
        )


def test_wrong_keys_reveal_nothing(copy: Path, holders: list[Holder]) -> None:
    before = sorted(copy.parent.iterdir())
    for given, message in (
        (Secrets([holders[2].file]), "no key given opens"),
        (Secrets(), "no key"),
    ):
        with pytest.raises(UsageError, match=message):
            reveal(copy, copy.with_name("restored.mp4"), given, Selection())
    assert sorted(copy.parent.iterdir()) == before


def test_an_output_that_was_coded_again_opens_with_force_only(
    copy: Path, holders: list[Holder]
) -> None:
    given, restored = Secrets([holders[0].file]), copy.with_name("restored.mp4")
    reveal(copy, copy.with_name("again.mp4"), given, Selection(end_us=40_000))
    copy.with_name("again.mp4").replace(copy)
    with pytest.raises(UsageError, match="re-encoded, cut, scaled or replaced since"):
        reveal(copy, restored, given, Selection())
    assert reveal(copy, restored, given, Selection(), force=True).restored == 16
    with av.open(str(copy)) as old, av.open(str(restored), "w") as new:
        stream = new.add_stream("libx264", rate=25)
        stream.width, stream.height = 64, 64
        for frame in old.decode(video=0):
            new.mux(stream.encode(frame.reformat(64, 64)))
        new.mux(stream.encode())
    restored.replace(copy)
    with pytest.raises(UsageError, match="scaled, cropped or turned"):
        reveal(copy, restored, given, Selection(), force=True)


def _cut(path: Path, kept: range, *, keep_times: bool) -> None:
    """Code some frames of a video again."""
    cut = path.with_name("cut.mp4")
    with av.open(str(path)) as old, av.open(str(cut), "w") as new:
        stream = new.add_stream("libx264", rate=25)
        source = old.streams.video[0]
        stream.width, stream.height, stream.time_base = (
            source.width,
            source.height,
            source.time_base,
        )
        for number, frame in enumerate(old.decode(source)):
            if number in kept:
                assert frame.pts is not None
                frame.pts -= 0 if keep_times else round(kept.start / 25 / (source.time_base or 1))
                new.mux(stream.encode(frame))
        new.mux(stream.encode())
    cut.replace(path)


def test_a_cut_output_fits_by_its_times_or_is_refused(copy: Path, holders: list[Holder]) -> None:
    given, restored = Secrets([holders[0].file]), copy.with_name("restored.mp4")
    whole = copy.read_bytes()
    _cut(copy, range(13, 16), keep_times=True)
    assert reveal(copy, restored, given, Selection(), force=True).restored == 3
    copy.write_bytes(whole)
    _cut(copy, range(5, 16), keep_times=False)
    with pytest.raises(UsageError, match=r"11 frames in 0.40 s, 16 in 0.60 s .* with times kept"):
        reveal(copy, restored, given, Selection(), force=True, overwrite=True)


def test_an_output_of_another_frame_rate_fits_where_times_agree(
    copy: Path, holders: list[Holder]
) -> None:
    given, restored = Secrets([holders[0].file]), copy.with_name("restored.mp4")
    _cut(copy, range(0, 16, 3), keep_times=True)
    tally = reveal(copy, restored, given, Selection(), force=True)
    assert (tally.restored, tally.missed) == (6, 10)


def test_a_lost_sidecar_is_named(copy: Path, holders: list[Holder]) -> None:
    copy.with_name("out.mp4.sealed").unlink()
    with pytest.raises(UsageError, match=r"there is no .*out\.mp4\.sealed"):
        reveal(copy, copy.with_name("restored.mp4"), Secrets([holders[0].file]), Selection())


def test_who_is_forgotten_stays_anonymous(copy: Path, holders: list[Holder]) -> None:
    size = copy.with_name("out.mp4.sealed").stat().st_size
    assert forget(find_sidecar(copy), 1) == 1
    assert copy.with_name("out.mp4.sealed").stat().st_size == size
    for holder in holders[:2]:
        with pytest.raises(UsageError, match="everybody was forgotten"):
            reveal(copy, copy.with_name("restored.mp4"), Secrets([holder.file]), Selection())
    with pytest.raises(UsageError, match="no person 7"):
        forget(find_sidecar(copy), 7)


def test_recipients_are_added_and_dropped(copy: Path, holders: list[Holder]) -> None:
    restored, sidecar = copy.with_name("restored.mp4"), copy.with_name("out.mp4.sealed")
    first, second, third = holders
    given = Secrets([second.file])
    access = reseal(find_sidecar(copy), given, add=[third.public], drop=[first.public])
    assert access.recipients == (second.public, third.public)
    assert reveal(copy, restored, Secrets([third.file]), Selection()).restored == 16
    with pytest.raises(UsageError, match="no key given opens"):
        reveal(copy, restored, Secrets([first.file]), Selection(), overwrite=True)
    before = sidecar.read_bytes()
    for add, drop, message in (
        ([], [first.public], "it is none"),
        ([], [], "nothing was asked for"),
        ([second.public], [], "named twice"),
        ([], [second.public, third.public], "threshold is 1 of 0"),
    ):
        with pytest.raises(UsageError, match=message):
            reseal(find_sidecar(copy), given, add=add, drop=drop)
    assert sidecar.read_bytes() == before


def test_a_full_disk_ends_the_run_and_leaves_nothing(
    face_clip: Path, tmp_path: Path, holders: list[Holder], monkeypatch: pytest.MonkeyPatch
) -> None:
    write = SidecarWriter._write

    def full(writer: SidecarWriter, data: bytes) -> None:
        if writer._file.tell() > 2000:
            writer._file.close()
            writer._file = open("/dev/full", "wb")  # noqa: SIM115, PTH123
        write(writer, data)

    monkeypatch.setattr(SidecarWriter, "_write", full)
    settings = Config(method="mosaic", seal=(holders[0].public,))
    with pytest.raises(MediaError, match=r"No space left on device.*free some space"):
        streamanon.anonymise(face_clip, tmp_path / "out.mp4", settings)
    assert list(tmp_path.iterdir()) == []


def test_an_older_sidecar_is_replaced_only_when_asked(
    copy: Path, face_clip: Path, holders: list[Holder]
) -> None:
    settings = Config(method="mosaic", seal=(holders[0].public,))
    copy.unlink()
    old = copy.with_name("out.mp4.sealed").read_bytes()
    with pytest.raises(UsageError, match=r"sidecar .* exists"):
        streamanon.anonymise(face_clip, copy, settings)
    assert copy.with_name("out.mp4.sealed").read_bytes() == old
    streamanon.anonymise(face_clip, copy, replace(settings, overwrite=True))
    opened, _ = unlock(find_sidecar(copy), Secrets([holders[0].file]))
    assert opened.about["lossless"] is False
    assert sorted(path.name for path in copy.parent.iterdir()) == ["out.mp4", "out.mp4.sealed"]


def test_the_command_line(
    copy: Path, holders: list[Holder], capsys: pytest.CaptureFixture[str]
) -> None:
    key, restored = str(holders[0].file), str(copy.with_name("restored.mp4"))
    assert (
        execute(["reveal", str(copy), "-i", key, "-o", restored, "--from", "0", "--to", "0:01"])
        == 0
    )
    assert execute(["seal", "list", str(copy)]) == 0
    listed = capsys.readouterr().out
    assert "person 1: 0.00 to 0.60 s" in listed
    assert holders[1].public in listed
    assert "revealed" in listed
    assert execute(["seal", "forget", str(copy), "1"]) == 0
    assert execute(["seal", "list", str(copy)]) == 0
    assert "person 1 (forgotten)" in capsys.readouterr().out
    for arguments, message in (
        (["reveal", str(copy), "-i", key, "-o", restored], "exists: choose another name"),
        (["reveal", str(copy), "-i", key, "-o", restored, "--from", "x"], "from is 'x'"),
        (["reveal", str(copy.parent), "-i", key, "-o", restored], "is a folder: name one file"),
        (["run", "in.mp4", "-o", "o.mp4", "--lossless"], "name a recipient"),
        (["run", "in.mp4", "-o", "o.mp4", "--threshold", "2"], "name a recipient"),
    ):
        assert execute(arguments) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1


def test_a_changed_log_is_noticed(
    copy: Path, holders: list[Holder], capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        reveal(
            copy, copy.with_name("r.mp4"), Secrets([holders[0].file]), Selection(), overwrite=True
        )
    log = copy.with_name("out.mp4.sealed.log")
    lines = log.read_text().splitlines(keepends=True)
    for wrong in (lines[1], lines[0].replace("[1]", "[2]"), "nonsense\n"):
        log.write_text(wrong)
        execute(["seal", "list", str(copy)])
        assert "log: an entry that was changed" in capsys.readouterr().out


def test_frames_of_one_instant_stay_apart(tmp_path: Path, holders: list[Holder]) -> None:
    """Frames closer than containers can tell are matched by their numbers."""
    scenes = [scene(index, noise(index), [(16, 16, 48, 48)]) for index in range(4)]
    path = seal_scenes(tmp_path / "x.sealed", scenes, Recipients.of([holders[0].public]))
    opened, _ = unlock(Sidecar(path), Secrets([holders[0].file]))
    always = range(-(2**62), 2**62)
    crops = opened.crops(opened.entries([], always), always, scenes[0].frame.picture.colour)
    tally = Tally()
    dull = as_picture(np.zeros((64, 64, 3), np.uint8))
    frames = [Frame(one.frame.index, dull, one.frame.index, Fraction(1, 90_000)) for one in scenes]
    for shown, one in zip(revealed(frames, crops, tally), scenes, strict=True):
        for after, before in zip(shown.picture.planes, one.frame.picture.planes, strict=True):
            assert np.array_equal(after[16:48, 16:48], before[16:48, 16:48])
    assert (tally.restored, tally.missed) == (4, 0)


def test_one_of_two_people_is_revealed_or_forgotten(tmp_path: Path, holders: list[Holder]) -> None:
    """Neither tells anything of the other, and frames covered whole go with either."""
    boxes = [(0.0, 0.0, 30.0, 60.0), (34.0, 0.0, 64.0, 60.0)]
    scenes = [scene(index, noise(index), boxes) for index in range(3)]
    scenes.append(scene(3, noise(3), boxes, distrust="unclear"))
    path = seal_scenes(tmp_path / "x.sealed", scenes, Recipients.of([holders[0].public]))
    always = range(-(2**62), 2**62)
    opened, _ = unlock(Sidecar(path), Secrets([holders[0].file]))
    assert list(opened.sidecar.people) == [0, 1, 2]
    for person, columns in ((1, range(2)), (2, range(2, 4))):
        for crop in opened.crops(opened.entries([person], always), always, noise(0).colour):
            seen = np.flatnonzero(crop.mask.any(axis=0)) + crop.place.column
            assert set(seen) <= set(columns)
    assert forget(Sidecar(path), 1) == 2
    opened, _ = unlock(Sidecar(path), Secrets([holders[0].file]))
    left = opened.entries([], always)
    assert {entry.segment.person for entry in left} == {2}
    opened.verify(left)
