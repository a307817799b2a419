"""A file that is read makes FFmpeg open that file and nothing else."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import av
import cv2
import numpy as np
import pytest
from av.error import FFmpegError

from streamanon.cli.main import execute
from streamanon.errors import MediaError, UsageError
from streamanon.sinks.copied_tracks import StreamCopier
from streamanon.sources.video import VideoSource
from testkit.clips import Clip, write_clip

_PLAYLIST = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{}\n#EXT-X-ENDLIST\n"
_SDP = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n"
_DASH = (
    '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
    'mediaPresentationDuration="PT9S"><Period><AdaptationSet contentType="video">'
    '<Representation id="0" bandwidth="9"><BaseURL>{}</BaseURL></Representation>'
    "</AdaptationSet></Period></MPD>"
)
_IMF = '<?xml version="1.0"?><CompositionPlaylist xmlns="http://www.smpte-ra.org/schemas/2067-3"/>'
_TRAPS = {
    "concat.mp4": "ffconcat version 1.0\nfile {}\n",
    "hls.mp4": _PLAYLIST,
    "hls.m3u8": _PLAYLIST,
    "dash.mp4": _DASH,
    "dash.mpd": _DASH,
    "session.sdp": _SDP + "a=rtpmap:96 H264/90000\n",
    "composition.xml": _IMF,
    "script.avs": 'AVISource("{}")\n',
    "script.vpy": "import vapoursynth\nopen('{}')\n",
    "graph.lavfi": "movie={}\n",
    "frame%d.jpg.mov": "",
}


@pytest.fixture
def neighbour(tmp_path: Path) -> Path:
    """Return a video that a planted file names."""
    return write_clip(tmp_path / "neighbour.mp4", Clip(pts=tuple(range(0, 5 * 512, 512))))


@contextmanager
def _server() -> Iterator[tuple[str, list[str]]]:
    """Serve on loopback; yields the address and the paths that were asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize("name", sorted(_TRAPS))
def test_a_file_that_names_a_neighbour_is_refused(
    name: str, neighbour: Path, tmp_path: Path
) -> None:
    trap = tmp_path / name
    trap.write_text(_TRAPS[name].format(neighbour.name))
    with pytest.raises(MediaError, match="is not a video that can be read") as found:
        VideoSource(trap)
    assert "\n" not in str(found.value)
    with pytest.raises(FFmpegError):
        StreamCopier(trap, 0)


@pytest.mark.parametrize("name", sorted(_TRAPS))
def test_a_file_that_names_a_network_address_connects_nowhere(name: str, tmp_path: Path) -> None:
    with _server() as (url, asked):
        trap = tmp_path / name
        trap.write_text(_TRAPS[name].format(f"{url}/secret.ts"))
        with pytest.raises(MediaError):
            VideoSource(trap)
    assert asked == []


def test_a_trap_works_without_the_list_of_formats_and_is_named(
    neighbour: Path, tmp_path: Path
) -> None:
    for name in ("concat.mp4", "hls.m3u8"):
        trap = tmp_path / name
        trap.write_text(_TRAPS[name].format(neighbour.name))
        av.open(str(trap), options={"protocol_whitelist": "file"}).close()
        with pytest.raises(MediaError, match="a playlist, a script or an unusual format"):
            VideoSource(trap)


@pytest.mark.parametrize("name", ["frame%d.bmp", "frame*.bmp"])
def test_a_pattern_of_file_names_finds_no_pictures(name: str, tmp_path: Path) -> None:
    """FFmpeg would show the pictures beside the file."""
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"frame{number}.bmp"), np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(UsageError, match="does not exist"):
        VideoSource(tmp_path / name)
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(MediaError):
        VideoSource(tmp_path / name)


@pytest.mark.parametrize(
    "name",
    [
        "concat:neighbour.mp4",
        "concat:neighbour.mp4|neighbour.mp4",
        "subfile,,start,0,end,0,,:neighbour.mp4",
        "file:neighbour.mp4",
        "data:video,neighbour.mp4",
        "crypto:neighbour.mp4",
    ],
)
def test_a_protocol_in_a_file_name_is_a_part_of_the_name(
    name: str,
    neighbour: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ["run", name, "-o", "out.mp4", "--method", "mosaic"]
    assert execute(arguments) == 2
    assert "does not exist" in capfd.readouterr().err
    shutil.copy(neighbour, name)
    assert execute(arguments) == 0
