import os
import re
import resource
import signal
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from av.audio.stream import AudioStream

from streamanon.backends.choice import has_gpu
from streamanon.errors import UsageError
from streamanon.imaging.picture import whole_bgr
from streamanon.sinks.encoding import EncoderSettings
from streamanon.sinks.video import VideoSink
from streamanon.sources.video import VideoSource
from streamanon.types import Frame, SafeFrame
from testkit.clips import VFR, Clip, copy_packets, write_clip, write_silence
from testkit.paths import ROOT

FAST = EncoderSettings(None, 12, "superfast")
LOSSLESS = EncoderSettings(None, 0, "ultrafast")
STANDARD = EncoderSettings(None, 20, "veryfast")


def safe(frame: Frame) -> SafeFrame:
    return SafeFrame(frame.index, frame.picture, frame.pts, frame.time_base)


def pass_through(
    path: Path, output: Path, settings: EncoderSettings = FAST, **options: Any
) -> list[str]:
    """Send every frame of a file, as it is, into a sink; return what it says it changes."""
    source = VideoSource(path)
    sink = VideoSink(output, source.info, settings, **options)
    for frame in source:
        sink.write(safe(frame))
    sink.close(complete=True)
    sink.close(complete=True)
    source.close()
    return sink.changes


def facts(path: Path) -> dict[str, Any]:
    """Return what has to survive, as an independent reading of the file finds it."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        first = frames[0]
        return {
            "times": [frame.time for frame in frames],
            "duration": float((stream.duration or 0) * (stream.time_base or 0)),
            "stored size": (first.width, first.height),
            "rotation": first.rotation,
            "aspect": stream.sample_aspect_ratio,
            "layout": first.format.name,
            "colour": (first.colorspace, first.color_range, first.color_primaries, first.color_trc),
        }


def sound(path: Path) -> list[tuple[bytes, float]]:
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(audio=0) if packet.size]
        return [
            (bytes(packet), float((p.pts or 0) * p.time_base)) for p in packets for packet in [p]
        ]


def psnr_db(one: Path, other: Path) -> float:
    pairs = zip(VideoSource(one), VideoSource(other), strict=True)
    return min(cv2.PSNR(whole_bgr(a.picture), whole_bgr(b.picture)) for a, b in pairs)


KINDS = {
    "constant rate": Clip(),
    # without B-frames, because the clip's own writer gets their duration wrong
    "variable rate": Clip(pts=VFR, options={"bf": "0"}),
    "late start": Clip(pts=tuple(pts + 6400 for pts in VFR), options={"bf": "0"}),
    "ntsc": Clip(
        pts=tuple(range(0, 12012, 1001)), time_base=Fraction(1, 30000), options={"bf": "0"}
    ),
    "no b-frames": Clip(options={"bf": "0"}),
    "ten bits": Clip(layout="yuv420p10le"),
    "4:2:2": Clip(layout="yuv422p"),
    "4:4:4": Clip(layout="yuv444p"),
    "turned left": Clip(rotation=90, layout="yuv422p"),
    "turned right": Clip(rotation=-90),
    "upside down": Clip(rotation=180),
    "mirrored": Clip(hflip=True),
    "wide pixels": Clip(aspect=Fraction(16, 11)),
    "full range": Clip(layout="yuvj420p", matrix=5, colour_range=2),
    "bt709": Clip(matrix=1, colour_range=1),
    "bt2020": Clip(matrix=9, colour_range=1, layout="yuv420p10le"),
}


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_video_comes_out_as_it_went_in(tmp_path: Path, kind: str, suffix: str) -> None:
    path = write_clip(tmp_path / f"in{suffix}", replace(KINDS[kind], sound="aac"))
    output = tmp_path / f"out{suffix}"
    pass_through(path, output)
    expected = facts(path)
    if suffix == ".mp4":  # browsers and phones show nothing else
        expected["layout"] = re.sub("422|444", "420", expected["layout"])
    if kind == "ten bits":  # x265 always says which
        expected["colour"] = (2, 1, 2, 2)
    assert facts(output) == expected
    assert sound(output) == sound(path)
    assert len(sound(output)) > 5
    assert psnr_db(path, output) > 37


@pytest.mark.parametrize("kind", ["constant rate", "variable rate", "turned left", "wide pixels"])
@pytest.mark.parametrize(
    ("before", "after"), [(".mkv", ".mkv"), (".mkv", ".mp4"), (".mp4", ".mkv")]
)
def test_matroska_keeps_times_to_its_millisecond(
    tmp_path: Path, kind: str, before: str, after: str
) -> None:
    path = write_clip(tmp_path / f"in{before}", replace(KINDS[kind], sound="aac"))
    output = tmp_path / f"out{after}"
    pass_through(path, output)
    expected, found = facts(path), facts(output)
    for name in ("stored size", "rotation", "aspect", "colour"):
        assert found[name] == expected[name]
    assert [content for content, _ in sound(output)] == [content for content, _ in sound(path)]
    shifts = np.subtract(found["times"], expected["times"])
    lags = np.subtract([at for _, at in sound(output)], [at for _, at in sound(path)])
    # Matroska cannot begin before 0, as the sound of an mp4 does: all is moved by as much
    moved = -sound(path)[0][1] if (before, after) == (".mp4", ".mkv") else 0.0
    tolerance = 0.0011 if before == ".mp4" else 1e-9
    assert np.allclose(shifts, moved, rtol=0, atol=tolerance)
    assert np.allclose(lags, moved, rtol=0, atol=0.0011)
    assert psnr_db(path, output) > 38


def test_webm_is_written_with_vp9_and_its_opus_copied(tmp_path: Path) -> None:
    clip = Clip(codec="libvpx-vp9", size=(95, 63), sound="libopus", options={"crf": "10", "b": "0"})
    path, output = write_clip(tmp_path / "in.webm", clip), tmp_path / "out.webm"
    pass_through(path, output)
    assert facts(output) == facts(path)
    assert [content for content, _ in sound(output)] == [content for content, _ in sound(path)]
    assert psnr_db(path, output) > 36
    with av.open(str(output)) as container:
        assert container.streams.video[0].codec_context.name == "vp9"


@pytest.mark.parametrize("size", [(1, 1), (95, 64), (96, 63), (33, 21)])
def test_the_last_row_and_column_of_odd_sizes_are_repeated(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    clip = Clip(codec="libvpx-vp9", size=size, options={"crf": "4", "b": "0"})
    path, output = write_clip(tmp_path / "in.webm", clip), tmp_path / "out.mp4"
    (change,) = pass_through(path, output)
    width, height = (side + side % 2 for side in size)
    assert change.startswith(f"size {size[0]}x{size[1]} becomes {width}x{height}")
    assert facts(output)["stored size"] == (width, height)
    assert facts(output)["layout"] == "yuv420p"
    for one, other in zip(VideoSource(path), VideoSource(output), strict=True):
        kept = whole_bgr(other.picture)[: size[1], : size[0]]
        assert cv2.PSNR(whole_bgr(one.picture), kept) > 30


def test_twelve_bits_are_written_as_hevc(tmp_path: Path) -> None:
    clip = Clip(codec="ffv1", layout="yuv420p12le", pts=VFR, options={})
    path, output = write_clip(tmp_path / "in.mkv", clip), tmp_path / "out.mp4"
    pass_through(path, output)
    assert facts(output)["layout"] == "yuv420p12le"
    assert np.allclose(facts(output)["times"], facts(path)["times"], atol=1e-9)
    assert psnr_db(path, output) > 38


@pytest.mark.parametrize("layout", ["yuv420p10le", "yuv422p10le", "yuv444p12le"])
def test_deep_pictures_keep_ten_bits_in_webm(tmp_path: Path, layout: str) -> None:
    clip = Clip(codec="ffv1", layout=layout, size=(161, 97), pts=VFR, options={})
    path, output = write_clip(tmp_path / "in.mkv", clip), tmp_path / "out.webm"
    pass_through(path, output)
    assert facts(output)["layout"] == "yuv420p10le"
    assert np.allclose(facts(output)["times"], facts(path)["times"], atol=1e-3)


def test_no_encoder_makes_this_process_a_real_time_one(tmp_path: Path) -> None:
    """SVT-AV1 does that to processes that may: the machine would do nothing else."""
    path = write_clip(tmp_path / "in.mkv", Clip(codec="ffv1", layout="yuv420p10le", options={}))
    usual = os.sched_getscheduler(0)
    with closing(VideoSource(path)) as source:
        sink = VideoSink(tmp_path / "out.webm", source.info, FAST)
        threads = [int(thread.name) for thread in Path("/proc/self/task").iterdir()]
        policies = {os.sched_getscheduler(thread) for thread in threads}
        sink.close(complete=False)
    assert len(threads) > 1
    assert policies == {usual} == {os.sched_getscheduler(0)}


def test_a_lower_depth_is_taken_where_the_encoder_has_no_other(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "in.mkv", Clip(layout="yuv420p10le"))
    pass_through(path, tmp_path / "out.webm", replace(FAST, codec="vp9"))
    assert facts(tmp_path / "out.webm")["layout"] == "yuv420p"
    assert psnr_db(path, tmp_path / "out.webm") > 34


@pytest.mark.parametrize("codec", ["h264", "hevc", "vp9", "mpeg4"])
def test_the_codec_asked_for_is_used(tmp_path: Path, codec: str) -> None:
    path, output = write_clip(tmp_path / "in.mp4"), tmp_path / "out.mp4"
    pass_through(path, output, replace(FAST, codec=codec))
    assert facts(output)["times"] == facts(path)["times"]
    with av.open(str(output)) as container:
        assert container.streams.video[0].codec_context.name == codec


@pytest.mark.parametrize(
    ("matrix", "colour_range"), [(1, 1), (5, 1), (6, 2), (1, 2), (2, 0)], ids=str
)
def test_a_player_sees_the_same_colours(tmp_path: Path, matrix: int, colour_range: int) -> None:
    clip = Clip(matrix=matrix, colour_range=colour_range)
    path, output = write_clip(tmp_path / "in.mp4", clip), tmp_path / "out.mp4"
    pass_through(path, output)
    for one, other in zip(VideoSource(path), VideoSource(output), strict=True):
        means = [whole_bgr(frame.picture).mean(axis=(0, 1)) for frame in (one, other)]
        assert np.abs(means[0] - means[1]).max() < 0.6


def test_rgb_input_keeps_its_colours(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "in.mov", Clip(codec="png", layout="rgb24", options={}))
    pass_through(path, tmp_path / "out.mp4")
    with av.open(str(path)) as a, av.open(str(tmp_path / "out.mp4")) as b:
        for one, other in zip(a.decode(video=0), b.decode(video=0), strict=True):
            shown = other.to_ndarray(format="rgb24", src_colorspace="ITU601").astype(int)
            assert np.abs(one.to_ndarray(format="rgb24") - shown).mean() < 3


SECRET = "Anna Larsson 59.33N"


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_nothing_but_pictures_sound_and_language_remains(tmp_path: Path, suffix: str) -> None:
    tags = {"title": SECRET, "location": SECRET, "comment": SECRET, "creation_time": "2024-05-01"}
    path = write_clip(tmp_path / f"in{suffix}", Clip(sound="aac", cover=True, metadata=tags))
    assert SECRET.encode() in path.read_bytes()
    output = tmp_path / f"out{suffix}"
    pass_through(path, output)
    content = output.read_bytes()
    assert SECRET.encode() not in content
    assert b"Lavf6" not in content
    assert b"\xff\xd8\xff" not in content, "a cover picture is a JPEG"
    with av.open(str(output)) as container:
        assert [stream.type for stream in container.streams] == ["video", "audio"]
        language = container.streams.audio[0].metadata.get("language")
        assert language == ("swe" if suffix != ".mov" else None), "this muxer writes none in mov"
        assert not {"title", "location", "comment", "creation_time"} & set(container.metadata)


def test_chapters_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "in.mkv"
    with av.open(str(path), "w") as out:
        tick, title = Fraction(1, 1000), {"title": SECRET}
        out.set_chapters([{"id": 1, "start": 0, "end": 400, "time_base": tick, "metadata": title}])
        copy_packets(write_clip(tmp_path / "plain.mkv"), out)
    assert SECRET.encode() in path.read_bytes()
    pass_through(path, tmp_path / "out.mkv")
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert container.chapters() == []
    assert SECRET.encode() not in (tmp_path / "out.mkv").read_bytes()


def with_subtitles(path: Path) -> Path:
    """Write a clip with sound and one SubRip line."""
    plain = write_clip(path.with_name("plain.mkv"), Clip(sound="aac"))
    (path.with_name("line.srt")).write_text(f"1\n00:00:00,100 --> 00:00:00,300\n{SECRET}\n")
    with (
        av.open(str(plain)) as container,
        av.open(str(path.with_name("line.srt"))) as lines,
        av.open(str(path), "w") as out,
    ):
        copies = {s.index: out.add_stream_from_template(s) for s in container.streams}
        text = out.add_stream_from_template(lines.streams.subtitles[0])
        text.metadata["title"] = "names"
        for packet in lines.demux():
            if packet.size:
                packet.stream = text
                out.mux(packet)
        for packet in container.demux():
            if packet.size:
                packet.stream = copies[packet.stream_index]
                out.mux(packet)
    return path


def test_subtitles_are_dropped_unless_asked_for(tmp_path: Path) -> None:
    path = with_subtitles(tmp_path / "in.mkv")
    pass_through(path, tmp_path / "without.mkv")
    assert SECRET.encode() not in (tmp_path / "without.mkv").read_bytes()
    pass_through(path, tmp_path / "with.mkv", keep_subtitles=True)
    content = (tmp_path / "with.mkv").read_bytes()
    assert SECRET.encode() in content
    assert b"names" not in content
    (change,) = pass_through(path, tmp_path / "with.mp4", keep_subtitles=True)
    assert change == "subtitles converted from srt to mov_text"
    changes = pass_through(path, tmp_path / "with.nut", keep_subtitles=True)
    assert changes == ["left behind: subtitles (srt)"]
    with av.open(str(tmp_path / "with.mp4")) as container:
        (text,) = container.streams.subtitles
        assert text.codec_context.name == "mov_text"
        (line,) = [packet for packet in container.demux(text) if packet.size > 2]
        times_s = [float((ticks or 0) * line.time_base) for ticks in (line.pts, line.duration)]
        assert times_s == [0.1, 0.2]
        assert SECRET.encode() in bytes(line)


@pytest.mark.parametrize("matrix", [8, 10, 14])
def test_pictures_of_any_matrix_are_subsampled(tmp_path: Path, matrix: int) -> None:
    """FFmpeg converts none of YCgCo, BT.2020 of constant luminance and ICtCp."""
    clip = Clip(codec="libx264", layout="yuv444p", matrix=matrix)
    path, output = write_clip(tmp_path / "in.mkv", clip), tmp_path / "out.mp4"
    pass_through(path, output)
    assert (facts(output)["layout"], facts(output)["colour"][0]) == ("yuv420p", matrix)
    for one, other in zip(VideoSource(path), VideoSource(output), strict=True):
        pairs = zip(one.picture.planes, other.picture.planes, strict=True)
        assert all(abs(before.mean() - after.mean()) < 2 for before, after in pairs)


@pytest.mark.parametrize("suffix", [".mkv", ".webm", ".mp4"])
def test_a_film_with_a_gap_before_its_last_picture_ends_with_it(
    tmp_path: Path, suffix: str
) -> None:
    ticks = (*range(0, 21 * 512, 512), 31 * 512)
    path = write_clip(tmp_path / "in.mkv", Clip(codec="ffv1", pts=ticks, options={}))
    pass_through(path, tmp_path / f"out{suffix}", STANDARD)
    with av.open(str(tmp_path / f"out{suffix}")) as container:
        assert container.duration == pytest.approx(32 / 25 * av.time_base, abs=2000)


def test_the_index_of_mp4_comes_first(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "in.mp4", Clip(sound="aac"))
    pass_through(path, tmp_path / "out.mp4")
    content = (tmp_path / "out.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_sound_of_a_transport_stream_fits_into_mp4(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "in.ts", Clip(sound="aac"))
    pass_through(path, tmp_path / "out.mp4")
    with av.open(str(path)) as a, av.open(str(tmp_path / "out.mp4")) as b:
        heard = [sum(frame.samples for frame in c.decode(audio=0)) for c in (a, b)]
    assert heard[0] == heard[1] > 10000


def test_damaged_sound_does_not_end_the_run(tmp_path: Path) -> None:
    """Lose one packet of the transport, as a receiver does, and with it the tail of a frame."""
    clip = Clip(sound="aac", pts=tuple(range(0, 50 * 512, 512)))
    path, output = write_clip(tmp_path / "in.ts", clip), tmp_path / "out.mp4"
    content = path.read_bytes()
    tails = [at for at in range(0, len(content), 188) if content[at + 1 : at + 3] == b"\x01\x01"]
    path.write_bytes(content[: tails[20]] + content[tails[20] + 188 :])
    pass_through(path, output)
    assert len(facts(output)["times"]) == 50
    assert len(sound(path)) - 4 < len(sound(output)) < len(sound(path))


def test_the_comments_of_vorbis_stay_behind(tmp_path: Path) -> None:
    path, output = tmp_path / "in.mkv", tmp_path / "out.mkv"
    with av.open(str(path), "w") as out:
        track = out.add_stream("vorbis", rate=48000, options={"strict": "-2"})
        assert isinstance(track, AudioStream)
        track.layout = "stereo"
        track.codec_context.open()
        header = bytes(track.codec_context.extradata or b"")
        first = header[3 : 3 + header[1]]
        third = header[3 + header[1] + header[2] :]
        comments = b"\3vorbis" + bytes(4) + b"\1\0\0\0" + b"\x12\0\0\0TITLE=Home of Jane\1"
        track.codec_context.extradata = (
            bytes([2, len(first), len(comments)]) + first + comments + third
        )
        copy_packets(write_clip(tmp_path / "plain.mkv"), out)
        write_silence(out, track, 20)
    assert b"Home of Jane" in path.read_bytes()
    pass_through(path, output)
    assert b"Home of Jane" not in output.read_bytes()
    with av.open(str(path)) as before, av.open(str(output)) as after:
        heard = [sum(one.samples for one in each.decode(audio=0)) for each in (before, after)]
    assert heard[0] == heard[1] > 0


REFUSED = {
    "codec": (".mp4", replace(STANDARD, codec="nonsense"), "nonsense"),
    "audio codec": (".mp4", replace(STANDARD, codec="aac"), "aac"),
    "container": (".webm", replace(STANDARD, codec="h264"), "libx264"),
    "preset": (".mp4", replace(STANDARD, preset="warp9"), "warp9"),
    "gpu": (
        ".mp4",
        replace(STANDARD, codec="h264_nvenc"),
        "h264_nvenc.* needs an NVIDIA GPU that can encode",
    ),
    "suffix": (".avi", STANDARD, r"\.mp4"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_written_is_refused_before_it_begins(tmp_path: Path, what: str) -> None:
    if what == "gpu" and has_gpu():
        pytest.skip("there is a GPU, which may be able to encode")
    path = write_clip(tmp_path / "in.mp4", Clip(sound="aac"))
    suffix, settings, message = REFUSED[what]
    source = VideoSource(path)
    with pytest.raises(UsageError, match=message) as caught:
        VideoSink(tmp_path / f"out{suffix}", source.info, settings)
    source.close()
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == [path]


def test_an_output_that_appears_meanwhile_is_left_alone(tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    source = VideoSource(write_clip(tmp_path / "in.mp4"))
    sink = VideoSink(output, source.info, FAST)
    for frame in source:
        sink.write(safe(frame))
    source.close()
    output.write_text("mine")
    with pytest.raises(UsageError):
        sink.close(complete=True)
    assert output.read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mp4", "out.mp4"]


def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    source = VideoSource(write_clip(tmp_path / "in.mp4"))
    with pytest.raises(UsageError, match="/proc"):
        VideoSink(Path("/proc/out.mp4"), source.info, FAST)
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="file"):
        VideoSink(tmp_path / "file" / "out.mp4", source.info, FAST)
    source.close()


LONG = Clip(size=(320, 240), pts=tuple(range(0, 300 * 512, 512)), options={"preset": "ultrafast"})

SCRIPT = """
import sys
from pathlib import Path
sys.path[:0] = [{tests!r}]
from tests.sinks.test_video_sink import *
from streamanon.errors import MediaError
print("go", flush=True)
try:
    pass_through(Path({path!r}), Path({output!r}), LOSSLESS)
except MediaError as error:
    print(error)
"""


def start(path: Path, output: Path, **options: Any) -> subprocess.Popen[str]:
    tests = str(ROOT)
    script = SCRIPT.format(tests=tests, path=str(path), output=str(output))
    command = [sys.executable, "-c", script]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options)


@pytest.mark.parametrize("limit", [20_000, 200_000, None], ids=str)
def test_a_full_disk_is_reported_and_leaves_nothing(tmp_path: Path, limit: int | None) -> None:
    path = write_clip(tmp_path / "in.mp4", LONG)
    (tmp_path / "out").mkdir()
    if limit is None:  # just too small, which only shows when the index moves to the front
        pass_through(path, tmp_path / "whole.mp4", LOSSLESS)
        limit = (tmp_path / "whole.mp4").stat().st_size - 100

    def restrict() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    process = start(path, tmp_path / "out" / "out.mp4", preexec_fn=restrict)
    text, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    (line,) = text.splitlines()[1:]
    assert "out.mp4 could not be written" in line
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("after_s", [0.0, 0.1, 0.3])
def test_a_killed_process_leaves_nothing_under_the_final_name(
    tmp_path: Path, after_s: float
) -> None:
    path = write_clip(tmp_path / "in.mp4", replace(LONG, pts=tuple(range(0, 4000 * 512, 512))))
    process = start(path, tmp_path / "out.mp4")
    assert process.stdout
    assert process.stdout.readline() == "go\n"
    time.sleep(after_s)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL, "it was to be killed while at work"
    assert not (tmp_path / "out.mp4").exists()
