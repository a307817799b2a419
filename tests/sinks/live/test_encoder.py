import io
from dataclasses import replace
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest

from streamanon.errors import UsageError
from streamanon.media.audio import AudioFormat
from streamanon.sinks.live.encoder import Encoder, as_frame, h264_options
from streamanon.sinks.writers.messages import MediaPacket
from streamanon.types import ColourSpace, ContainerTags, MediaInfo, Picture
from testkit.numbered_frames import counted, number, stream_info

INFO = stream_info()


def h264(info: MediaInfo = INFO) -> Encoder:
    return Encoder("libx264", info, h264_options(info, 20, "ultrafast"))


def encode(encoder: Encoder, stamps: list[int], forced: tuple[int, ...] = ()) -> list[MediaPacket]:
    found = []
    for index, pts in enumerate(stamps):
        frame = as_frame(counted(index).picture, INFO, pts)
        found += encoder.encode(frame, keyframe=index in forced)
    return found


def decode(packets: list[MediaPacket]) -> list[av.VideoFrame]:
    decoder = av.CodecContext.create("h264", "r")
    decoded: list[Any] = []
    for packet in packets:
        decoded += decoder.decode(av.Packet(packet.data))
    return decoded + decoder.decode(None)


def test_every_picture_comes_out_at_once() -> None:
    encoder = h264()
    for index in range(5):
        packets = encoder.encode(as_frame(counted(index).picture, INFO, 3000 * index))
        assert [packet.pts for packet in packets] == [3000 * index]


@pytest.mark.parametrize("rate", [5, 30])
def test_a_player_can_begin_every_two_seconds_whatever_the_rate(rate: int) -> None:
    step = 90_000 // rate
    packets = encode(h264(), [step * index for index in range(5 * rate)])
    keys = [packet.pts / 90_000 for packet in packets if packet.keyframe]
    assert keys == [0.0, 2.0, 4.0]


def test_a_player_can_begin_when_asked_for() -> None:
    packets = encode(h264(), [3000 * index for index in range(20)], forced=(7,))
    assert [index for index, packet in enumerate(packets) if packet.keyframe] == [0, 7]
    frames = decode(packets[7:])
    assert [number(frame) for frame in frames] == list(range(7, 20))
    first = frames[0]
    assert (first.colorspace, first.color_range) == (1, 1)
    assert {int(first.color_primaries), int(first.color_trc)} == {1}


def test_browsers_can_play_it() -> None:
    with av.open(io.BytesIO(h264().header()), format="nut") as container:
        context = container.streams.video[0].codec_context
        assert context.profile in ("Constrained Baseline", "Baseline")
        assert context.pix_fmt == "yuv420p"


def test_odd_sizes_lose_a_line() -> None:
    info = stream_info((321, 243))
    encoder = h264(info)
    planes = tuple(np.full(shape, 100, np.uint8) for shape in ((243, 321), (122, 161), (122, 161)))
    packets = encoder.encode(as_frame(Picture(planes, info.colour), info, 0))
    frame = decode(packets)[0]
    assert (frame.width, frame.height) == (320, 242)
    with av.open(io.BytesIO(encoder.header()), format="nut") as container:
        assert container.streams.video[0].width == 320


@pytest.mark.parametrize(
    ("colour", "layout", "values"),
    [
        (ColourSpace("bt601", True, 8, (1, 0)), "yuvj422p", (250, 90, 170)),  # noqa: FBT003
        (ColourSpace("bt709", False, 10, (0, 0)), "yuv444p10le", (200, 100, 150)),  # noqa: FBT003
    ],
    ids=["a webcam's MJPEG", "10 bit 4:4:4"],
)
def test_other_layouts_keep_their_colours(
    colour: ColourSpace, layout: str, values: tuple[int, int, int]
) -> None:
    tags = ContainerTags(
        0, layout, matrix=5 if colour.full_range else 1, colour_range=2 if colour.full_range else 1
    )
    info = replace(INFO, colour=colour, container=tags, width=64, height=48)
    dtype = np.uint8 if colour.depth == 8 else np.uint16
    chroma = (48 >> colour.chroma_shift[1], 64 >> colour.chroma_shift[0])
    scaled = [value << (colour.depth - 8) for value in values]
    planes = tuple(
        np.full(shape, value, dtype)
        for shape, value in zip(((48, 64), chroma, chroma), scaled, strict=True)
    )
    frame = as_frame(Picture(planes, colour), info, 0)
    assert frame.format.name == "yuv420p"
    found = [int(np.frombuffer(memoryview(plane), np.uint8)[3]) for plane in frame.planes]
    assert np.abs(np.array(found) - values).max() <= 1
    assert frame.color_range == (2 if colour.full_range else 1)


def test_whole_pictures_stay_exact() -> None:
    encoder = Encoder("rawvideo", INFO)
    frame = counted(5)
    [packet] = encoder.encode(as_frame(frame.picture, INFO, 0))
    assert packet.keyframe
    assert packet.data == b"".join(plane.tobytes() for plane in frame.picture.planes)


@pytest.mark.parametrize(
    "sound",
    [
        AudioFormat("aac", 48000, "stereo", bytes.fromhex("1190")),
        AudioFormat("aac", 44100, "mono"),
        AudioFormat("opus", 48000, "stereo"),
        AudioFormat("pcm_alaw", 8000, "mono"),
        AudioFormat("mp3float", 44100, "stereo"),
    ],
    ids=lambda sound: sound.codec,
)
def test_the_header_describes_the_sound(sound: AudioFormat) -> None:
    with av.open(io.BytesIO(h264().header(sound)), format="nut") as container:
        context = container.streams.audio[0].codec_context
        assert context.codec.canonical_name == sound.codec.removesuffix("float")
        assert context.sample_rate == sound.rate
        assert context.layout.nb_channels == (2 if sound.layout == "stereo" else 1)
        if sound.extradata:
            assert context.extradata == sound.extradata


def test_unknown_sound_is_refused() -> None:
    with pytest.raises(ValueError, match="nonsense"):
        h264().header(AudioFormat("nonsense", 8000, "mono"))


def test_settings_that_make_no_sense() -> None:
    with pytest.raises(UsageError, match="preset quick"):
        Encoder("libx264", INFO, h264_options(INFO, 20, "quick"))


def test_a_sudden_change_does_not_flood_the_line() -> None:
    info = stream_info((640, 480))
    encoder = Encoder("libx264", info, h264_options(info, 20, "ultrafast"))
    rng = np.random.default_rng(0)
    size = 0
    for index in range(60):
        noise = rng.integers(16, 236, (480, 640), np.uint8)
        flat = np.full((240, 320), 128, np.uint8)
        frame = as_frame(Picture((noise, flat, flat), info.colour), info, 3000 * index)
        size += sum(len(packet.data) for packet in encoder.encode(frame))
    ceiling = 640 * 480 * 30 * 0.2 / 8  # bytes a second
    assert size < 2 * ceiling * 1.7


def test_time_stamps_of_ninety_days() -> None:
    late = 90 * 24 * 3600 * 90_000
    packets = encode(h264(), [late, late + 3000])
    assert [packet.pts for packet in packets] == [late, late + 3000]
    assert Fraction(1, 90_000) * late == 90 * 24 * 3600


def test_devices_are_given_studio_range() -> None:
    tags = ContainerTags(0, "yuvj420p", matrix=5, colour_range=2)
    colour = ColourSpace("bt601", full_range=True)
    info = replace(INFO, colour=colour, container=tags, width=64, height=48)
    planes = tuple(np.full(shape, 255, np.uint8) for shape in ((48, 64), (24, 32), (24, 32)))
    [packet] = Encoder("rawvideo", info).encode(as_frame(Picture(planes, colour), info, 0))
    assert (packet.data[0], packet.data[-1]) == (235, 240)
    [packet] = Encoder("libx264", info, h264_options(info, 1, "ultrafast")).encode(
        as_frame(Picture(planes, colour), info, 0)
    )
    shown = decode([packet])[0]
    assert shown.color_range == 2
    assert np.frombuffer(memoryview(shown.planes[0]), np.uint8)[0] > 252
