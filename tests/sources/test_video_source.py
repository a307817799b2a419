from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.video.stream import VideoStream
from PIL import ExifTags, Image

from streamanon.errors import UsageError
from streamanon.imaging.picture import whole_bgr
from streamanon.sources.video import VideoSource
from streamanon.types import ColourSpace, Frame, MediaInfo, Plane
from testkit.clips import CFR, VFR, Clip, picture, remux, write_clip
from testkit.paths import DEMO
from testkit.videos import read_frames


def read(path: Path) -> tuple[MediaInfo, list[Frame]]:
    source = VideoSource(path)
    frames = list(source)
    source.close()
    source.close()
    return source.info, frames


@pytest.mark.parametrize("pts", [CFR, VFR])
def test_frames_come_in_order_with_their_own_time_and_pixels(
    tmp_path: Path, pts: tuple[int, ...]
) -> None:
    path = write_clip(tmp_path / "in.mp4", Clip(pts=pts))
    info, frames = read(path)
    assert info.path == path
    assert (info.width, info.height, info.frame_count) == (96, 64, len(pts))
    assert [frame.index for frame in frames] == list(range(len(pts)))
    assert [frame.pts for frame in frames] == list(pts)
    assert {frame.time_base for frame in frames} == {info.time_base} == {Fraction(1, 12800)}
    assert not any(frame.damaged for frame in frames)
    for frame, expected in zip(frames, read_frames(path), strict=True):
        joined = expected.to_ndarray()
        assert np.array_equal(frame.picture.planes[0], joined[:64])
        assert np.array_equal(frame.picture.planes[1].ravel(), joined[64:80].ravel())
        assert np.array_equal(frame.picture.planes[2].ravel(), joined[80:].ravel())


def test_frames_say_how_their_file_predicts_them() -> None:
    source = VideoSource(DEMO)
    found = [frame.bidirectional for frame, _ in zip(source, range(9), strict=False)]
    source.close()
    assert found == [None, True, False, True, True, True, False, True, True]


@pytest.mark.parametrize(("layout", "shift"), [("yuv420p10le", (1, 1)), ("yuv422p10le", (1, 0))])
def test_ten_bits_stay_ten_bits(tmp_path: Path, layout: str, shift: tuple[int, int]) -> None:
    path = write_clip(tmp_path / "in.mkv", Clip(layout=layout))
    info, frames = read(path)
    assert info.colour == ColourSpace("bt601", depth=10, chroma_shift=shift)
    assert frames[0].picture.planes[0].dtype == np.uint16
    expected = np.frombuffer(bytes(read_frames(path)[0].planes[0]), "<u2").reshape(64, -1)[:, :96]
    assert np.array_equal(frames[0].picture.planes[0], expected)


@pytest.mark.parametrize("rotation", [0, 90, 180, -90])
@pytest.mark.parametrize("hflip", [False, True])
def test_rotated_files_are_read_upright(tmp_path: Path, rotation: int, *, hflip: bool) -> None:
    clip = Clip(codec="ffv1", layout="yuv422p", rotation=rotation, hflip=hflip, options={})
    info, frames = read(write_clip(tmp_path / "in.mov", Clip(**{**vars(clip), "codec": "libx264"})))
    _, stored = read(write_clip(tmp_path / "plain.mov", Clip(layout="yuv422p", options={})))
    luma = np.rot90(stored[3].picture.planes[0], rotation // 90)
    luma = luma[:, ::-1] if hflip else luma
    assert np.array_equal(frames[3].picture.planes[0], luma)
    assert (info.height, info.width) == luma.shape
    assert info.colour.chroma_shift == ((0, 1) if rotation in (90, -90) else (1, 0))
    across, down = info.colour.chroma_shift
    chroma = frames[3].picture.planes[1]
    assert chroma.shape == (info.height >> down, info.width >> across)


@pytest.mark.parametrize(
    ("codec", "layout", "suffix"),
    [
        ("png", "rgb24", ".mov"),
        ("png", "rgb48be", ".mov"),
        ("ffv1", "bgr0", ".mkv"),
        ("ffv1", "gbrp10le", ".mkv"),
        ("gif", "rgb8", ".gif"),
        ("ffv1", "yuva420p", ".mkv"),
        ("ffv1", "yuv440p", ".mkv"),
        ("ffv1", "yuv411p", ".mkv"),
        ("ffv1", "yuv444p16le", ".mkv"),
        ("rawvideo", "nv12", ".mkv"),
        ("rawvideo", "yuyv422", ".mkv"),
        ("mjpeg", "yuvj420p", ".mov"),
    ],
)
def test_any_pixel_format_shows_the_colours_players_show(
    tmp_path: Path, codec: str, layout: str, suffix: str
) -> None:
    path = write_clip(tmp_path / f"in{suffix}", Clip(codec=codec, layout=layout, options={}))
    info, frames = read(path)
    for frame, shown in zip(frames, read_frames(path), strict=True):
        expected = shown.to_ndarray(
            format="bgr24",
            src_colorspace="ITU601",
            src_color_range="JPEG" if info.colour.full_range else "MPEG",
            dst_color_range="JPEG",
        )
        difference = np.abs(whole_bgr(frame.picture).astype(int) - expected)
        assert difference.mean() < 2
        assert np.percentile(difference, 95) < 8


@pytest.mark.parametrize(("layout", "middle"), [("gray", 128), ("gray10le", 512)])
def test_a_grey_picture_keeps_its_luma_and_gets_neutral_chroma(
    tmp_path: Path, layout: str, middle: int
) -> None:
    clip = Clip(codec="ffv1", layout=layout, size=(33, 21), options={})
    _, frames = read(write_clip(tmp_path / "in.mkv", clip))
    luma, first, second = frames[5].picture.planes
    assert np.array_equal(luma, plane(picture(5, clip)))
    assert first.shape == second.shape == (11, 17)
    assert (first == middle).all()
    assert (second == middle).all()


def plane(frame: av.VideoFrame) -> Plane:
    deep = frame.format.components[0].bits > 8
    content = bytes(frame.planes[0])
    values: Plane = np.frombuffer(content, np.uint16) if deep else np.frombuffer(content, np.uint8)
    return values.reshape(frame.height, -1)[:, : frame.width]


@pytest.mark.parametrize(
    ("matrix", "colour_range", "height", "expected"),
    [
        (1, 1, 64, ColourSpace("bt709")),
        (5, 1, 64, ColourSpace("bt601")),
        (6, 2, 64, ColourSpace("bt601", full_range=True)),
        (9, 1, 64, ColourSpace("bt2020")),
        (2, 0, 64, ColourSpace("bt601")),
        (2, 0, 720, ColourSpace("bt709")),
        (1, 2, 64, ColourSpace("bt709", full_range=True)),
    ],
)
def test_colour_tags_are_read_and_guessed_like_players_do(
    tmp_path: Path, matrix: int, colour_range: int, height: int, expected: ColourSpace
) -> None:
    clip = Clip(size=(96, height), pts=(0, 512), matrix=matrix, colour_range=colour_range)
    info, _ = read(write_clip(tmp_path / "in.mp4", clip))
    assert info.colour == expected
    assert info.container is not None
    assert info.container.matrix == matrix
    assert info.container.colour_range == colour_range


def _overwrite(path: Path, packets: slice) -> None:
    """Replace whole packets by bytes that are no slice of a picture."""
    with av.open(str(path)) as container:
        found = [(p.pos, p.size) for p in container.demux(video=0) if p.size][packets]
    content = bytearray(path.read_bytes())
    for place, size in found:
        assert place is not None
        content[place : place + size] = b"\x5a" * size
    path.write_bytes(content)


@pytest.mark.parametrize("lost", [0, 1, 5, 8, 23])
@pytest.mark.parametrize("bframes", ["0", "2"])
def test_a_corrupt_packet_becomes_a_damaged_frame(tmp_path: Path, lost: int, bframes: str) -> None:
    clip = Clip(
        pts=tuple(range(0, 24 * 512, 512)),
        options={"g": "4", "bf": bframes, "crf": "12", "flags": "+cgop"},
    )
    path = write_clip(tmp_path / "in.mp4", clip)
    whole = read(path)[1]
    _overwrite(path, slice(lost, lost + 1))
    _, frames = read(path)
    assert [frame.pts for frame in frames] == list(clip.pts)
    damaged = [frame.index for frame in frames if frame.damaged]
    # a lost key frame also takes the pictures that waited for it to be shown
    group = range(lost // 4 * 4 - 2, lost // 4 * 4 + 4)
    assert damaged
    assert set(damaged) <= set(group), "the next key frame should have ended it"
    for frame, before in zip(frames, whole, strict=True):
        same = np.array_equal(frame.picture.planes[0], before.picture.planes[0])
        assert same or frame.damaged, "what comes from a damaged picture is damaged"


@pytest.mark.parametrize("codec", ["mpeg4", "libx264"])
def test_what_comes_before_the_first_key_frame_is_not_believed(tmp_path: Path, codec: str) -> None:
    clip = Clip(codec=codec, pts=tuple(range(0, 24 * 512, 512)), options={"g": "12", "bf": "0"})
    plain = write_clip(tmp_path / "plain.mkv", clip)
    whole = {frame.pts: frame for frame in read(plain)[1]}
    cut = remux(plain, tmp_path / "in.mkv", lambda number, packet: [packet] * (number > 2))
    _, frames = read(cut)
    believed = [frame for frame in frames if not frame.damaged]
    assert len(believed) == 12
    for frame in believed:  # the file begins at 0, whatever its first time
        original = whole[frame.pts + 3 * 40]
        assert np.array_equal(frame.picture.planes[0], original.picture.planes[0])


def test_pictures_that_share_one_time_come_at_the_usual_pace(tmp_path: Path) -> None:
    clip = Clip(pts=tuple(range(12)), time_base=Fraction(1, 25), options={"bf": "0"})

    def at_0(number: int, packet: Any) -> list[Any]:
        packet.pts = packet.dts = packet.pts if number > 8 else 0
        return [packet]

    plain = write_clip(tmp_path / "plain.mkv", clip)
    info, frames = read(remux(plain, tmp_path / "in.mkv", at_0))
    times = np.array([float(frame.pts * info.time_base) for frame in frames])
    assert len(times) == len(read(plain)[1])
    steps = np.diff(times)
    assert (steps > 0).all()
    assert steps[1:8] == pytest.approx(1 / 25, abs=0.002)
    assert not any(frame.damaged for frame in frames)


def test_a_corrupt_stretch_keeps_every_place_in_time(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "in.mp4", Clip(pts=tuple(range(0, 40 * 512, 512))))
    _overwrite(path, slice(10, 25))
    _, frames = read(path)
    assert [frame.pts for frame in frames] == list(range(0, 40 * 512, 512))
    assert sum(frame.damaged for frame in frames) >= 15
    assert not frames[-1].damaged


def test_hidden_reference_pictures_are_not_taken_for_lost_ones(tmp_path: Path) -> None:
    """VP8 stores them as packets of their own, just before the picture that uses them."""

    def with_hidden(_: int, packet: Any) -> Iterator[Any]:
        if packet.pts and not packet.is_keyframe:
            content = bytes(packet)
            hidden: Any = av.Packet(
                bytes([content[0] & ~0x10]) + content[1:]
            )  # show_frame, RFC 6386
            hidden.pts = hidden.dts = packet.pts - 3
            hidden.time_base = packet.time_base
            yield hidden
        yield packet

    plain = write_clip(tmp_path / "plain.webm", Clip(codec="libvpx", options={}))
    path = remux(plain, tmp_path / "in.webm", with_hidden)
    with av.open(str(path)) as container:
        assert sum(packet.size > 0 for packet in container.demux(video=0)) == 12 + 11
    _, frames = read(path)
    assert [frame.pts for frame in frames] == list(range(0, 12 * 40, 40))
    assert not any(frame.damaged for frame in frames)


def test_a_change_of_size_on_the_way_is_undone(tmp_path: Path) -> None:
    one = write_clip(tmp_path / "one.ts", Clip(options={"bf": "0"}))
    later = tuple(pts + 12 * 512 for pts in CFR)
    other = Clip(size=(160, 120), layout="yuv422p", pts=later, options={"bf": "0"})
    two = write_clip(tmp_path / "two.ts", other)
    path = tmp_path / "in.ts"
    path.write_bytes(one.read_bytes() + two.read_bytes())
    info, frames = read(path)
    assert len(frames) >= 23
    assert {frame.picture.planes[0].shape for frame in frames} == {(info.height, info.width)}
    assert {frame.picture.planes[1].shape for frame in frames} == {(32, 48)}
    assert frames[-1].picture.planes[0].std() > 20


@pytest.mark.parametrize("layout", ["nv12", "yuyv422"])
def test_a_matrix_that_ffmpeg_does_not_convert_is_no_hindrance(tmp_path: Path, layout: str) -> None:
    clips = [Clip("rawvideo", layout, matrix=matrix, options={}) for matrix in (2, 10)]
    read_ones = [read(write_clip(tmp_path / f"{clip.matrix}.mkv", clip))[1] for clip in clips]
    for one, other in zip(*read_ones, strict=True):
        pairs = zip(one.picture.planes, other.picture.planes, strict=True)
        assert all(np.array_equal(*pair) for pair in pairs)


@pytest.mark.parametrize("rate", [25, 50])
def test_missing_timestamps_are_derived(tmp_path: Path, rate: int) -> None:
    with av.open(str(tmp_path / "in.h264"), "w") as out:
        video = out.add_stream("libx264", rate, {"bf": "0"})
        assert isinstance(video, VideoStream)
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        for index in range(12):
            out.mux(video.encode(picture(index, Clip())))
        out.mux(video.encode(None))
    info, frames = read(tmp_path / "in.h264")
    assert (len(frames), float(info.rate)) == (12, rate)
    steps = np.diff([float(frame.pts * frame.time_base) for frame in frames])
    assert np.allclose(steps, 1 / rate, atol=1e-3), steps


def test_a_film_of_photographs_is_read_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    with (tmp_path / "in.mjpeg").open("wb") as film:
        for level in (40, 120, 200):
            Image.new("L", (96, 64), level).save(film, "JPEG", exif=exif)
    info, frames = read(tmp_path / "in.mjpeg")
    assert (info.width, info.height) == (64, 96)
    assert [round(frame.picture.planes[0].mean()) for frame in frames] == [40, 120, 200]


def test_a_cover_picture_is_not_the_video(tmp_path: Path) -> None:
    info, frames = read(write_clip(tmp_path / "in.mp4", Clip(sound="aac", cover=True)))
    assert (info.width, len(frames)) == (96, 12)


def test_a_wrong_name_is_a_wrong_request(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        VideoSource(tmp_path / "none.mp4")
    with pytest.raises(UsageError, match="folder"):
        VideoSource(tmp_path)


def test_the_painted_picture_is_what_is_read(tmp_path: Path) -> None:
    """The fixture itself: lossy only by a little, and not constant."""
    _, frames = read(write_clip(tmp_path / "in.mp4"))
    painted = plane(picture(3, Clip()))
    read_back = frames[3].picture.planes[0].astype(int)
    assert np.abs(read_back - painted).mean() < 2
    assert painted.std() > 20
