"""Times of intact files that contradict themselves, jump or count fields: no frame is covered."""

from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from streamanon.sources.video import VideoSource
from streamanon.types import Frame
from testkit.clips import Clip, moved, remux, write_clip
from testkit.paths import ROOT

CASES = ROOT.parent / "shared" / "cases" / "files"
FIFTY = tuple(range(0, 50 * 512, 512))


def read(path: Path) -> tuple[list[Frame], list[float]]:
    source = VideoSource(path)
    frames = list(source)
    source.close()
    return frames, [frame.time_s for frame in frames]


def lumas(path: Path) -> list[Any]:
    """Return the luma of all pictures in the order of the decoder."""
    with av.open(str(path)) as container:
        return [frame.to_ndarray()[:64] for frame in container.decode(video=0)]


@pytest.mark.parametrize(
    ("codec", "options"),
    [
        ("libx264", {"bf": "2"}),
        ("libx264", {"bf": "8", "b_strategy": "0", "x264-params": "b-pyramid=normal"}),
        ("mpeg4", {"bf": "2"}),
        ("libx265", {"x265-params": "log-level=error:bframes=3"}),
    ],
    ids=["h264", "pyramid", "mpeg4", "hevc"],
)
@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_times_in_coding_order_are_sorted(
    tmp_path: Path, codec: str, options: dict[str, str], suffix: str
) -> None:
    """B pictures whose packets have the times of their place in the file, as in AVI."""
    clip = Clip(codec=codec, pts=FIFTY, options=options)
    plain = write_clip(tmp_path / "plain.mkv", clip)

    def in_coding_order(number: int, packet: Any) -> list[Any]:
        packet.pts = packet.dts = number * 40
        return [packet]

    path = remux(plain, tmp_path / f"in{suffix}", in_coding_order)
    frames, times_s = read(path)
    assert not any(frame.damaged for frame in frames)
    assert times_s == pytest.approx([number / 25 for number in range(50)])
    for frame, luma in zip(frames, lumas(plain), strict=True):
        assert np.array_equal(frame.picture.planes[0], luma)


def test_one_field_a_packet_is_half_a_picture() -> None:
    path = CASES / "paff_field_packets.ts"
    if not path.exists():
        pytest.skip("there is no clip with field packets")
    frames, times_s = read(path)
    assert len(frames) == 100
    assert not any(frame.damaged for frame in frames)
    assert np.diff(times_s) == pytest.approx([0.04] * 99)
    assert VideoSource(path).info.rate == 25


def test_a_silent_loss_is_still_covered_where_times_are_in_order(tmp_path: Path) -> None:
    """A packet without a picture, which the decoder passes over without an error."""
    plain = write_clip(tmp_path / "plain.mkv", Clip(codec="libvpx", pts=FIFTY, options={"g": "10"}))

    def hidden(number: int, packet: Any) -> list[Any]:
        if number != 25:
            return [packet]
        content = bytes(packet)
        silent: Any = av.Packet(bytes([content[0] & ~0x10]) + content[1:])  # show_frame, RFC 6386
        silent.pts, silent.dts, silent.time_base = packet.pts, packet.dts, packet.time_base
        return [silent]

    frames, times_s = read(remux(plain, tmp_path / "in.mkv", hidden))
    assert times_s == pytest.approx([number / 25 for number in range(50)])
    assert frames[25].damaged
    assert not any(frame.damaged for frame in [*frames[:25], *frames[30:]])


def joined(path: Path, *offsets_s: float) -> Path:
    """Write recordings of two seconds one after the other, each beginning at another time."""
    kinds = {".ts": Clip(sound="aac"), ".mpg": Clip(codec="mpeg2video", sound="mp2")}
    ticks = Fraction(1, 25)
    clip = replace(kinds[path.suffix], pts=tuple(range(50)), time_base=ticks, options={"bf": "2"})
    plain = write_clip(path.with_name("plain.mp4"), clip)
    parts = []
    for number, offset_s in enumerate(offsets_s):
        part = path.with_name(f"part{number}{path.suffix}")
        parts.append(remux(plain, part, partial(moved, away_s=offset_s)).read_bytes())
    path.write_bytes(b"".join(parts))
    return path


WRAP_S = 2**33 / 90_000


@pytest.mark.parametrize(
    "offsets_s",
    [(0, 0), (0, 3600), (3600, 0), (0, 40, 5), (WRAP_S - 2, 0), (WRAP_S - 100, WRAP_S - 98)],
    ids=["again", "ahead", "back", "thrice", "wrap", "high"],
)
@pytest.mark.parametrize("suffix", [".ts", ".mpg"])
def test_joined_recordings_follow_each_other(
    tmp_path: Path, offsets_s: tuple[float, ...], suffix: str
) -> None:
    path = joined(tmp_path / f"in{suffix}", *offsets_s)
    frames, times_s = read(path)
    assert len(frames) >= 50 * len(offsets_s) - 1
    steps = np.diff(times_s)
    assert (steps > 0).all()
    assert steps.max() < 0.7  # program streams begin half a second late
    assert times_s[0] < 0.1
    assert times_s[-1] == pytest.approx(2 * len(offsets_s) - 0.04, abs=0.7)


def test_the_first_time_of_a_file_is_0_as_the_ffmpeg_command_makes_it(tmp_path: Path) -> None:
    path = joined(tmp_path / "in.ts", 500.0)
    _, times_s = read(path)
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        start_s = float((video.start_time or 0) * (video.time_base or 0))
        first_s = start_s - (container.start_time or 0) / av.time_base
    assert times_s[0] == pytest.approx(first_s, abs=1e-4)
    assert first_s < 0.1
