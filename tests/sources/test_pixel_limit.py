"""Pictures that are too large are refused before anything of them is decoded."""

from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from streamanon.cli.main import execute
from streamanon.errors import MediaError
from streamanon.identities.portrait import read_image
from streamanon.media import pixel_limit
from streamanon.sources.image import ImageSource
from streamanon.sources.live.source import LiveSource
from streamanon.sources.video import VideoSource
from testkit.addresses import live_input
from testkit.clips import Clip, write_clip
from testkit.logs import log_into

_LIMIT = 96 * 64
_LARGE = (192, 128)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tiff"])
def test_a_large_picture_is_refused_with_its_numbers(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"in{suffix}"
    path.write_bytes(cv2.imencode(suffix, np.zeros((128, 192, 3), np.uint8))[1].tobytes())
    with pytest.raises(MediaError, match=r"is 192x128, .*--max-pixels 24576"):
        ImageSource(path, _LIMIT)
    assert ImageSource(path, 192 * 128).info.width == 192


def test_a_page_behind_the_first_counts(tmp_path: Path) -> None:
    pages = [np.zeros((8, 8, 3), np.uint8), np.zeros((128, 192, 3), np.uint8)]
    assert cv2.imwritemulti(str(tmp_path / "in.tiff"), pages)
    with pytest.raises(MediaError, match="192x128"):
        ImageSource(tmp_path / "in.tiff", _LIMIT)


@pytest.mark.parametrize(
    ("name", "clip"),
    [
        ("in.mp4", Clip(size=_LARGE)),
        ("in.ts", Clip(size=_LARGE)),
        ("in.mkv", Clip("ffv1", size=_LARGE, options={})),
        ("in.webm", Clip("libvpx", size=_LARGE, options={})),
        ("in.avi", Clip("mjpeg", "yuvj420p", size=_LARGE, options={})),
        ("in.gif", Clip("gif", "rgb8", size=_LARGE, options={})),
    ],
)
def test_a_large_film_is_refused_with_its_numbers(tmp_path: Path, name: str, clip: Clip) -> None:
    path = write_clip(tmp_path / name, clip)
    with pytest.raises(MediaError, match=r"is 192x128, .*--max-pixels 24576"):
        VideoSource(path, _LIMIT)
    source = VideoSource(path, 192 * 128)
    assert sum(not frame.damaged for frame in source) == len(clip.pts)
    source.close()


def test_pictures_that_grow_within_a_film_are_not_decoded(tmp_path: Path) -> None:
    later = tuple(range(12 * 512, 24 * 512, 512))
    small = write_clip(tmp_path / "a.ts")
    large = write_clip(tmp_path / "b.ts", Clip(size=_LARGE, pts=later))
    (tmp_path / "in.ts").write_bytes(small.read_bytes() + large.read_bytes())
    source = VideoSource(tmp_path / "in.ts", _LIMIT)
    frames = list(source)
    source.close()
    assert len(frames) > len(Clip().pts)
    assert not frames[0].damaged
    assert frames[-1].damaged


def test_a_large_stream_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"is 192x128, .*--max-pixels 24576"):
        LiveSource(live_input("lavfi:testsrc2=size=192x128"), max_pixels=_LIMIT, log=log_into([]))


def test_a_large_portrait_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "in.png"
    path.write_bytes(cv2.imencode(".png", np.zeros((128, 192, 3), np.uint8))[1].tobytes())
    monkeypatch.setattr("streamanon.identities.portrait.PICTURE", _LIMIT)
    with pytest.raises(MediaError, match="192x128"):
        read_image(path)


def test_a_folder_goes_on_after_a_large_file(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    write_clip(folder / "a.mp4", Clip(size=_LARGE))
    write_clip(folder / "b.mp4")
    arguments = ["--method", "mosaic", "--max-pixels", str(_LIMIT)]
    assert execute(["run", str(folder), "-o", str(tmp_path / "out"), *arguments]) == 1
    assert "a.mp4 is 192x128" in capfd.readouterr().err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["b.mp4"]


def test_what_ffmpeg_calls_its_options_has_not_changed() -> None:
    options = {**pixel_limit.decoder_options(1), **pixel_limit.HEADERS_ONLY}
    context = av.CodecContext.create("h264", "r")
    context.options = options
    with pytest.raises(av.error.ArgumentError):  # codec_whitelist=none refuses every decoder
        context.open()
