"""A file appears complete or not at all, and nothing is left beside it."""

import errno
import os
from pathlib import Path

import pytest

from streamanon.atomic_write import AtomicFile, write_atomically
from testkit.paths import ROOT
from testkit.python import python


def test_nothing_has_the_final_name_before_it_is_complete(tmp_path: Path) -> None:
    final = tmp_path / "report.json"
    final.write_bytes(b"old")
    file = AtomicFile(final)
    file.path.write_bytes(b"new")
    assert final.read_bytes() == b"old"
    file.publish()
    file.discard()
    assert final.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [final]


def test_a_failure_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    final = tmp_path / "report.json"
    final.write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        write_atomically(final, b"new")
    assert final.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [final]


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "missing" / "report.json", b"")


def test_a_file_that_is_never_finished_is_deleted_at_exit(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from streamanon.atomic_write import AtomicFile; "
        "file = AtomicFile(Path(sys.argv[1])); file.path.write_bytes(b'half'); raise SystemExit(3)"
    )
    assert python("-c", script, tmp_path / "out.mp4", cwd=ROOT).returncode == 3
    assert list(tmp_path.iterdir()) == []


def test_the_next_writer_deletes_what_dead_ones_left(tmp_path: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; from streamanon.atomic_write import AtomicFile; "
        "AtomicFile(Path(sys.argv[1])).path.write_bytes(b'half'); os._exit(9)"
    )
    assert python("-c", script, tmp_path / "first.mp4", cwd=ROOT).returncode == 9
    [left] = tmp_path.iterdir()
    foreign = tmp_path / ".notes.0123456789ab.part"
    foreign.touch()
    alive = AtomicFile(tmp_path / "second.mp4")
    assert set(tmp_path.iterdir()) == {foreign, alive.path}
    assert not left.exists()
    python("-c", script, tmp_path / "first.mp4", cwd=ROOT)
    assert alive.path.exists()
    alive.discard()


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere" / "out.json")
    write_atomically(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "elsewhere" / "out.json").read_bytes() == b"new"
