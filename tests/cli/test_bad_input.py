"""Every bad input ends in one line that helps, the right exit code, and untouched files."""

import errno
import resource
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from streamanon.cli.main import execute
from streamanon.cli.memory import exhausted
from streamanon.errors import StageError
from streamanon.pipeline.document import sha256
from testkit.clips import write_silence
from testkit.python import python
from testkit.videos import read_frames


def _truncated(clip: Path, path: Path) -> None:
    content = clip.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def _text(clip: Path, path: Path) -> None:
    path.write_text("Dear diary, this is no video.\n" * 50)


def _playlist(clip: Path, path: Path) -> None:
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nhttp://127.0.0.1:9/a.ts\n")


def _empty(clip: Path, path: Path) -> None:
    path.write_bytes(b"")


def _no_frames(clip: Path, path: Path) -> None:
    with av.open(str(path), "w", format="mov") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width = stream.height = 64
        container.start_encoding()


def _audio_only(clip: Path, path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48000)
        stream.layout = "mono"
        write_silence(container, stream, 10)


@pytest.mark.parametrize("make", [_truncated, _text, _playlist, _empty, _no_frames, _audio_only])
def test_an_unreadable_input_is_a_failure(
    face_clip: Path,
    tmp_path: Path,
    error_line: Callable[[], str],
    make: Callable[[Path, Path], None],
) -> None:
    source = tmp_path / "in.mp4"
    make(face_clip, source)
    before = sha256(source)
    assert execute(["run", str(source), "-o", str(tmp_path / "out.mp4"), "--method", "mosaic"]) == 1
    assert str(source) in error_line()
    assert list(tmp_path.iterdir()) == [source]
    assert sha256(source) == before


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["-o", "OUT.mp4", "--codec", "nonsense"], "nonsense"),
        (["-o", "OUT.mov", "--codec", "libvpx-vp9"], "libvpx-vp9"),
        (["-o", "OUT.webm", "--codec", "libx264"], "libx264"),
        (["-o", "OUT.mp4", "--identity", "nobody"], "nobody"),
        (["-o", "OUT.mp4", "--identities", "FOLDER"], "FOLDER"),
        (["-o", "OUT.mp4", "--serve", "127.0.0.1:0"], "--serve is for live streams only"),
        (["-o", "OUT.mp4", "-o", "OUT.mkv"], "2 outputs: name one file"),
        (["-o", "OUT.mp4", "--boxes", "-"], "report - is a pipe or a device: name a file"),
    ],
)
def test_a_setting_that_does_not_fit_is_a_wrong_request(
    face_clip: Path,
    tmp_path: Path,
    error_line: Callable[[], str],
    extra: list[str],
    message: str,
) -> None:
    extra = [part.replace("OUT", str(tmp_path / "out")) for part in extra]
    extra = [part.replace("FOLDER", str(tmp_path / "FOLDER")) for part in extra]
    assert execute(["run", str(face_clip), *extra]) == 2
    assert message in error_line()
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_to(face_clip: Path, error_line: Callable[[], str]) -> None:
    assert execute(["run", str(face_clip), "-o", "/proc/out.mp4", "--method", "mosaic"]) == 2
    assert "/proc" in error_line()


@pytest.mark.parametrize("argument", ["input", "output", "report"])
def test_a_name_that_is_too_long(
    face_clip: Path, tmp_path: Path, error_line: Callable[[], str], argument: str
) -> None:
    names = {"input": str(face_clip), "output": str(tmp_path / "out.mp4"), "report": "r.json"}
    names[argument] = str(tmp_path / f"{300 * 'x'}.mp4")
    arguments = ["run", names["input"], "-o", names["output"], "--report", names["report"]]
    assert execute([*arguments, "--method", "mosaic"]) == 2
    assert "too long" in error_line()
    assert list(tmp_path.iterdir()) == []


def test_links_that_lead_to_each_other(
    face_clip: Path, tmp_path: Path, error_line: Callable[[], str]
) -> None:
    (tmp_path / "out.mp4").symlink_to(tmp_path / "out.mp4")
    assert execute(["run", str(face_clip), "-o", str(tmp_path / "out.mp4")]) == 2
    assert "symbolic links" in error_line()


@pytest.mark.parametrize("limit_mb", [250, 400])
def test_too_little_memory(face_clip: Path, tmp_path: Path, limit_mb: int) -> None:
    limit = limit_mb << 20
    done = python(
        *("-m", "streamanon", "run", face_clip, "-o", tmp_path / "out.mp4"),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )
    assert done.returncode == 1, done.stderr
    (line,) = done.stderr.splitlines()
    assert "too little memory: " in line
    assert f"{limit_mb} MB" in line
    assert list(tmp_path.iterdir()) == []


def test_memory_that_runs_out_is_said_whichever_library_fails() -> None:
    failed = StageError("replace", "MemoryError")
    failed.__cause__ = MemoryError("Unable to allocate 641. KiB")
    assert "too little memory" in str(exhausted(failed))
    assert exhausted(OSError(errno.ENOMEM, "Cannot allocate memory"))
    assert exhausted(OSError(errno.ENOSPC, "No space left on device")) is None


def test_a_full_disk(long_face_clip: Path, tmp_path: Path) -> None:
    words = ("run", long_face_clip, "-o", tmp_path / "out.mp4", "--method", "mosaic")
    done = python(
        *("-m", "streamanon", *words),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000)),
    )
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("streamanon: error: ")
    assert "out.mp4" in line
    assert list(tmp_path.iterdir()) == []


def test_a_corrupt_middle_is_covered_and_the_run_goes_on(
    long_face_clip: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source, output = tmp_path / "in.mp4", tmp_path / "out.mp4"
    content = bytearray(long_face_clip.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 600] = bytes(range(200)) * 3
    source.write_bytes(content)
    assert execute(["run", str(source), "-o", str(output), "--method", "mosaic"]) == 0
    assert "covered whole" in capfd.readouterr().err
    assert output.exists()


@pytest.mark.parametrize("size", [(1, 1), (7680, 4320)])
def test_the_smallest_and_the_largest_picture(tmp_path: Path, size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 255, (*size[::-1], 3), np.uint8)
    cv2.imwrite(str(tmp_path / "in.jpg"), image)
    output = tmp_path / "out.jpg"
    arguments = ["run", str(tmp_path / "in.jpg"), "-o", str(output), "--min-face", "200"]
    assert execute([*arguments, "--method", "mosaic"]) == 0
    written = cv2.imread(str(output))
    assert written is not None
    assert written.shape == image.shape


@pytest.mark.parametrize("size", [(1, 1), (7680, 4320)])
def test_the_smallest_and_the_largest_video(tmp_path: Path, size: tuple[int, int]) -> None:
    source, output = tmp_path / "in.mkv", tmp_path / "out.mkv"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height = size
        stream.pix_fmt = "yuvj444p"
        for _ in range(2):
            image = np.full((*size[::-1], 3), 90, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode())
    arguments = ["run", str(source), "-o", str(output), "--min-face", "200", "--method", "mosaic"]
    assert execute([*arguments, "--preset", "ultrafast"]) == 0
    assert [(frame.width, frame.height) for frame in read_frames(output)] == [size, size]


def test_portraits_without_a_face(tmp_path: Path, error_line: Callable[[], str]) -> None:
    cv2.imwrite(str(tmp_path / "wall.jpg"), np.full((400, 400, 3), 180, np.uint8))
    folder = tmp_path / "faces"
    assert execute(["identities", "prepare", str(tmp_path / "wall.jpg"), "-o", str(folder)]) == 2
    assert "wall.jpg" in error_line()
    assert not list(folder.glob("*"))
