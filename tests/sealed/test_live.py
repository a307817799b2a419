"""Live streams that are sealed beside their recording."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from streamanon.config import Config
from streamanon.errors import MediaError, UsageError
from streamanon.factory import Factory
from streamanon.files.reveal import Secrets, Selection, find_sidecar, reveal, unlock
from streamanon.live.stream import STREAM_LOG, Stream
from streamanon.media.address import input_address, output_address
from streamanon.sealed import live
from streamanon.sealed.sidecar import SidecarWriter
from streamanon.sources.video import VideoSource
from testkit.logs import logged
from testkit.paths import DEMO
from testkit.sealing import Holder
from testkit.streams import running, wait_for_frames
from testkit.waiting import wait_until


def _stream(outputs: Sequence[str], holder: Holder) -> Stream:
    source = input_address(f"lavfi:movie={DEMO}")
    assert source
    sinks = [found for text in outputs if (found := output_address(text))]
    factory = Factory(Config(method="mosaic", seal=(holder.public,)))
    return Stream("test", source, sinks, factory)


def _record(stream: Stream, frames: int) -> None:
    with running(stream):
        wait_until(lambda: stream.status().outputs and stream.status().outputs[0].connected)
        wait_for_frames(stream, frames)
    assert stream.error is None


def _luma(path: Path) -> list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    source = VideoSource(path)
    try:
        return [frame.picture.planes[0][::4, ::4].astype(np.float32) for frame in source]
    finally:
        source.close()


def test_a_recording_is_restored(tmp_path: Path, holders: list[Holder]) -> None:
    _record(_stream([f"record:{tmp_path}"], holders[0]), 40)
    (sidecar,) = tmp_path.glob("*.sealed")
    (recording,) = tmp_path.glob("*.mkv")
    assert find_sidecar(recording).path == sidecar
    assert find_sidecar(recording).complete
    restored = tmp_path / "restored.mkv"
    tally = reveal(recording, restored, Secrets([holders[0].file]), Selection())
    assert tally.restored > 10
    originals = _luma(DEMO)
    shown, hidden = _luma(restored)[5:15], _luma(recording)[5:15]
    for after, before in zip(shown, hidden, strict=True):
        nearest = [
            min(float(np.abs(one - two).mean()) for two in originals) for one in (after, before)
        ]
        assert nearest[0] < 0.6 * nearest[1]


def test_a_failure_stops_the_sealing_only_and_it_begins_again(
    tmp_path: Path, holders: list[Holder], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "_AGAIN_S", 0.2)
    write, failed = SidecarWriter._write, list[bool]()

    def once(writer: SidecarWriter, data: bytes) -> None:
        if not failed and writer._file.tell() > 2000:
            failed.append(True)
            raise MediaError("no space left")
        write(writer, data)

    monkeypatch.setattr(SidecarWriter, "_write", once)
    with logged(STREAM_LOG) as lines:
        stream = _stream([f"record:{tmp_path}"], holders[0])
        with running(stream):
            wait_until(lambda: any("sealed again" in line for line in lines))
            wait_for_frames(stream, 5)
        assert stream.error is None
        assert stream.status().restarts == 0
    assert any("sealing failed: no space left" in line for line in lines)
    first, second = map(find_sidecar, sorted(tmp_path.glob("*.sealed")))
    assert (first.complete, second.complete) == (False, True)
    for one in (first, second):
        opened, _ = unlock(one, Secrets([holders[0].file]))
        assert opened.about["live"]


@pytest.mark.parametrize("outputs", [[], ["hls:x"], ["record:a", "record:b"]])
def test_a_stream_that_is_not_recorded_once_is_refused(
    tmp_path: Path, holders: list[Holder], outputs: list[str]
) -> None:
    with pytest.raises(UsageError, match="name one"):
        _stream([one.replace(":", f":{tmp_path}/") for one in outputs], holders[0])
    assert list(tmp_path.iterdir()) == []
