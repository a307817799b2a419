"""A missing picture is noticed in real streams of several encoder settings, and nothing else is."""

from pathlib import Path

import av
import pytest

from streamanon.media.h264 import FrameNumbers
from testkit.clips import Clip, write_clip

PTS = tuple(range(0, 60 * 512, 512))
SETTINGS = {
    "plain": {"tune": "zerolatency", "g": "20"},
    "reordered": {"bf": "3", "g": "20", "refs": "4"},
    "baseline": {"profile": "baseline", "g": "20"},
    "sliced": {"tune": "zerolatency", "g": "20", "slices": "4"},
    "refreshed": {"tune": "zerolatency", "intra-refresh": "1", "g": "20"},
    "scaled": {"tune": "zerolatency", "g": "20", "x264-params": "cqm=jvt"},
}


def _packets(path: Path) -> tuple[bytes, list[tuple[bytes, bool]]]:
    """Return the extradata, and packets with whether they are keyframes."""
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        packets = [(bytes(one), one.is_keyframe) for one in container.demux(video) if one.size]
        return bytes(video.codec_context.extradata or b""), packets


def _needed(extradata: bytes, packet: bytes) -> bool:
    """Tell whether other pictures may refer to that of a packet."""
    units = FrameNumbers(extradata)._units(packet)
    return any(unit[0] & 31 in (1, 5) and unit[0] >> 5 for unit in units)


@pytest.mark.parametrize("suffix", [".mp4", ".ts"])
@pytest.mark.parametrize("setting", SETTINGS)
def test_a_missing_reference_is_noticed(tmp_path: Path, setting: str, suffix: str) -> None:
    layout = "yuv444p" if setting == "scaled" else "yuv420p"
    path = tmp_path / f"clip{suffix}"
    write_clip(path, Clip(pts=PTS, options=SETTINGS[setting], layout=layout))
    extradata, packets = _packets(path)
    whole = FrameNumbers(extradata)
    assert not any(whole.gap(data) for data, _ in packets)
    noticed = tried = 0
    for missing in range(1, len(packets) - 1):
        data, keyframe = packets[missing]
        if keyframe or packets[missing + 1][1] or not _needed(extradata, data):
            continue
        watch = FrameNumbers(extradata)
        gaps = [watch.gap(data) for data, _ in packets[:missing] + packets[missing + 1 :]]
        tried += 1
        noticed += gaps.index(True) - missing in range(5) if any(gaps) else 0
    assert tried > 5
    assert noticed == tried


@pytest.mark.parametrize("suffix", [".mp4", ".ts"])
def test_a_renewal_without_keyframes_counts_when_nothing_was_lost_in_it(
    tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"clip{suffix}"
    write_clip(path, Clip(pts=PTS, options=SETTINGS["refreshed"]))
    extradata, packets = _packets(path)
    watch = FrameNumbers(extradata)
    whole, keyframes = [], []
    for number, (data, _) in enumerate(packets):
        watch.gap(data)
        whole += [number] * watch.refreshed
        keyframes += [number] * watch.keyframe
    assert keyframes == [0]
    assert len(whole) >= 2
    first, second = whole[:2]
    watch, renewed = FrameNumbers(extradata), []
    for number, (data, _) in enumerate(packets):
        if number != first - 3:
            watch.gap(data)
            renewed += [number] * watch.refreshed
    assert renewed == whole[1:]
    watch, renewed = FrameNumbers(extradata), []
    for number, (data, _) in enumerate(packets):
        if number == second - 3:
            watch.cancel_refresh()
        watch.gap(data)
        renewed += [number] * watch.refreshed
    assert renewed == [first, *whole[2:]]


def test_what_is_no_h264_is_no_gap() -> None:
    watch = FrameNumbers(b"")
    for data in (
        b"",
        b"\0\0\1",
        b"\0\0\1\x67",
        b"\0\0\1\x41\xff",
        bytes(100),
        b"\xff" * 100,
        b"\0\0\1\6",
        b"\0\0\1\6\6",
        b"\0\0\1\6" + b"\xff" * 600,
        b"\0\0\1\6\6\1\0\x80",
    ):
        assert not watch.gap(data)
    FrameNumbers(b"\1abc\xff")
