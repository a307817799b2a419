"""Sound that the container of the output can and cannot hold."""

from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.audio.stream import AudioStream
from av.video.stream import VideoStream

from streamanon.sinks.encoding import EncoderSettings
from streamanon.sinks.video import VideoSink
from streamanon.sources.video import VideoSource
from streamanon.types import SafeFrame
from testkit.clips import Clip, moved, remux, write_clip

SECOND = 48_000


def write(
    path: Path,
    codec: str,
    pieces: list[tuple[int, int]],
    layout: str = "stereo",
    samples: int = 960,
) -> Path:
    """Write four seconds of picture with sound that clicks twenty times a second.

    Args:
        path: file to write.
        codec: of the sound.
        pieces: first and last sample of each piece of sound.
        layout: channels.
        samples: of a packet, where the codec leaves that open.
    """
    video_codec = "mpeg2video" if path.suffix == ".mpg" else "mpeg4"
    clip = Clip(video_codec, pts=tuple(range(100)), time_base=Fraction(1, 25), options={})
    plain = write_clip(path.with_name("plain.mp4"), clip)
    with av.open(str(plain)) as container, av.open(str(path), "w") as out:
        video = out.add_stream_from_template(container.streams.video[0])
        sound = out.add_stream(codec, rate=SECOND)
        assert isinstance(sound, AudioStream)
        sound.codec_context.layout, sound.codec_context.bit_rate = layout, 128_000
        sound.codec_context.open()
        for packet in container.demux(video=0):
            if packet.size:
                packet.stream = video
                out.mux(packet)
        for first, last in pieces:
            for start in range(first, last, sound.codec_context.frame_size or samples):
                size = min(sound.codec_context.frame_size or samples, last - start)
                out.mux(sound.encode(clicks(start, size, sound)))
        out.mux(sound.encode(None))
    return path


def clicks(start: int, size: int, sound: AudioStream) -> av.AudioFrame:
    at = np.arange(start, start + size)
    loud = 0.5 * np.sin(at * 2 * np.pi * 1000 / SECOND) * (at // 480 % 5 == 0)
    channels = sound.codec_context.layout.nb_channels
    frame = av.AudioFrame.from_ndarray(
        np.repeat(loud[None], channels, 0).astype(np.float32), "fltp", sound.codec_context.layout
    )
    frame.sample_rate, frame.pts, frame.time_base = SECOND, start, Fraction(1, SECOND)
    (converted,) = av.AudioResampler(sound.codec_context.format.name).resample(frame)
    return converted


def run(path: Path, output: Path, sound: str = "copy") -> list[str]:
    """Send every frame of a file into a sink; return what it says it changes."""
    source = VideoSource(path)
    sink = VideoSink(output, source.info, EncoderSettings(None, 30, "ultrafast"), sound=sound)
    for frame in source:
        sink.write(SafeFrame(frame.index, frame.picture, frame.pts, frame.time_base))
    sink.close(complete=True)
    source.close()
    return sink.changes


def heard(path: Path) -> tuple[str, str, Any]:
    """Return codec, layout and the loudness of every 10 ms from time 0 on."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        loud = np.zeros(5 * SECOND, np.float32)
        for frame in container.decode(stream):
            if frame.time is None:
                continue
            (one,) = av.AudioResampler("flt", "mono", SECOND).resample(frame)
            wave, start = one.to_ndarray()[0], round(frame.time * SECOND)
            wave = wave[max(0, -start) :]
            loud[max(0, start) : max(0, start) + len(wave)] = wave
        codec = stream.codec_context
        return codec.name, codec.layout.name, np.abs(loud).reshape(-1, 480).max(1)


WHOLE = [(0, 4 * SECOND)]


@pytest.mark.parametrize(
    ("codec", "before", "after", "expected"),
    [
        ("aac", ".mp4", ".mkv", "aac"),
        ("libmp3lame", ".mkv", ".mp4", "mp3float"),
        ("pcm_s16le", ".avi", ".mp4", "aac"),
        ("pcm_s16le", ".avi", ".mov", "pcm_s16le"),
        ("pcm_s24le", ".mov", ".mkv", "pcm_s24le"),
        ("wmav2", ".asf", ".mp4", "aac"),
        ("wmav2", ".asf", ".webm", "opus"),
        ("adpcm_ima_wav", ".avi", ".mp4", "aac"),
        ("aac", ".mp4", ".webm", "opus"),
        ("ac3", ".mkv", ".mp4", "ac3"),
        ("flac", ".mkv", ".mov", "aac"),
        ("mp2", ".mpg", ".webm", "opus"),
        ("wmav2", ".asf", ".nut", "aac"),
    ],
)
def test_every_sound_comes_out_with_its_picture(
    tmp_path: Path, codec: str, before: str, after: str, expected: str
) -> None:
    path, output = write(tmp_path / f"in{before}", codec, WHOLE), tmp_path / f"out{after}"
    changes = run(path, output)
    found, _, loud = heard(output)
    assert found == expected
    assert len(changes) == (expected in ("aac", "opus") and codec != expected)
    _, _, original = heard(path)
    first = [int(np.argmax(one > 0.25)) for one in (original, loud)]
    with av.open(str(path)) as container:  # files begin at 0, wherever the original does
        first[0] -= round((container.start_time or 0) / 10_000)
    assert abs(first[0] - first[1]) <= 2, "hundredths of a second"
    assert 75 <= (loud > 0.25).sum() <= 170


def test_channels_without_a_layout_get_the_usual_one(tmp_path: Path) -> None:
    path = write(tmp_path / "in.avi", "pcm_s16le", WHOLE)
    with av.open(str(path)) as container:
        assert container.streams.audio[0].codec_context.layout.name == "2 channels"
    run(path, tmp_path / "out.mov")
    assert heard(tmp_path / "out.mov")[1] == "stereo"


@pytest.mark.parametrize(
    ("layout", "suffix", "codec", "kept"),
    [
        ("mono", ".mp4", "aac", "mono"),
        ("5.1", ".mp4", "aac", "5.1"),
        ("3.0", ".webm", "opus", "3.0"),
        ("4.0", ".webm", "opus", "quad"),
    ],
)
def test_channels_are_kept_when_sound_is_converted(
    tmp_path: Path, layout: str, suffix: str, codec: str, kept: str
) -> None:
    path = write(tmp_path / "in.mkv", "pcm_s16le", WHOLE, layout)
    run(path, tmp_path / f"out{suffix}")
    assert heard(tmp_path / f"out{suffix}")[:2] == (codec, kept)


def test_missing_sound_is_silence_and_what_follows_is_in_time(tmp_path: Path) -> None:
    path = write(tmp_path / "in.mkv", "pcm_s16le", [(0, SECOND), (3 * SECOND, 4 * SECOND)])
    run(path, tmp_path / "out.mp4")
    loud = heard(tmp_path / "out.mp4")[2] > 0.25
    assert not loud[105:295].any()
    assert np.flatnonzero(loud[295:])[0] + 295 == pytest.approx(300, abs=2)


def test_a_track_of_which_nothing_came_stays_behind(tmp_path: Path) -> None:
    """A transport stream that was cut may name sound of which it holds no packet."""
    path = write_clip(tmp_path / "in.ts", Clip(sound="aac"))
    content = path.read_bytes()
    packets = [content[at : at + 188] for at in range(0, len(content), 188)]
    path.write_bytes(b"".join(one for one in packets if one[1] & 31 != 1 or one[2] != 1))
    for sound in ("copy", "convert"):
        output = tmp_path / f"{sound}.mp4"
        assert run(path, output, sound) == ["left behind: empty sound (aac)"]
        with av.open(str(output)) as container:
            assert [one.type for one in container.streams] == ["video"]


def test_asked_for_all_is_converted_and_none_is_left_out(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "in.mp4", Clip(sound="aac"))
    assert run(path, tmp_path / "a.mkv", "convert") == ["sound converted from aac to aac"]
    assert run(path, tmp_path / "b.mkv", "none") == ["left behind: sound (aac)"]
    with av.open(str(tmp_path / "b.mkv")) as container:
        assert [stream.type for stream in container.streams] == ["video"]


def test_channels_that_cannot_be_mixed_by_their_names_are_heard(tmp_path: Path) -> None:
    path = tmp_path / "in.mkv"
    with av.open(str(path), "w") as out:
        video = out.add_stream("mpeg4", rate=10)
        assert isinstance(video, VideoStream)
        video.width = video.height = 64
        sound = out.add_stream("libopus", rate=SECOND, options={"mapping_family": "2"})
        assert isinstance(sound, AudioStream)
        sound.codec_context.layout = "ambisonic 1"
        out.mux([*video.encode(av.VideoFrame(64, 64, "yuv420p")), *video.encode(None)])
        for start in range(0, SECOND, 960):
            out.mux(sound.encode(clicks(start, 960, sound)))
        out.mux(sound.encode(None))
    run(path, tmp_path / "out.mp4", "convert")
    codec, layout, loud = heard(tmp_path / "out.mp4")
    assert (codec, layout) == ("aac", "4.0")
    assert 15 <= (loud > 0.25).sum() <= 42


def test_short_packets_keep_their_times(tmp_path: Path) -> None:
    """As those of TrueHD: 1200 a second, where Matroska counts milliseconds."""
    path = write(tmp_path / "in.mkv", "pcm_s16le", [(0, SECOND)], samples=40)
    run(path, tmp_path / "out.mkv")
    found = []
    for one in (path, tmp_path / "out.mkv"):
        with av.open(str(one)) as container:
            found.append([packet.pts for packet in container.demux(audio=0) if packet.size])
    assert len(found[0]) == SECOND // 40
    assert found[0] == found[1]


def test_what_an_edit_list_cuts_off_does_not_shift_the_film(tmp_path: Path) -> None:
    whole, cut = write(tmp_path / "whole.mp4", "aac", WHOLE), tmp_path / "cut.mp4"
    remux(whole, cut, partial(moved, away_s=-1))
    run(cut, tmp_path / "out.mkv")
    with av.open(str(tmp_path / "out.mkv")) as container:
        video, sound = container.streams.video[0], container.streams.audio[0]
        first = next(packet for packet in container.demux(video) if packet.pts is not None)
        assert float((first.pts or 0) * first.time_base) < 0.06
        assert sound.start_time is not None
        assert float(sound.start_time * (sound.time_base or 0)) < 0.06
