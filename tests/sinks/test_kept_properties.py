"""What a video keeps besides its pictures: fields, HDR, other tracks, chapters and the timecode."""

from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from av.filter import Graph
from av.video.stream import VideoStream

from streamanon.config import Config
from streamanon.detectors.yunet import YuNetDetector
from streamanon.files.run import anonymise
from streamanon.imaging.picture import as_picture, whole_bgr
from streamanon.imaging.structure import kept_structure
from streamanon.sinks.encoding import EncoderSettings
from streamanon.sinks.spherical import insert, projection_boxes
from streamanon.sinks.video import VideoSink
from streamanon.sources.video import VideoSource
from streamanon.types import ContainerTags
from testkit.clips import Clip, picture, write_clip
from testkit.paths import PHOTOS, ROOT

MOSAIC = Config(method="mosaic", keep_subtitles=True)


def write_interlaced(path: Path, first: str, *, layout: str = "yuv420p") -> Path:
    """Write a face that moves 8 px from field to field before green, BT.709."""
    photo = cv2.imread(str(sorted(PHOTOS.glob("london_*.webp"))[0]))
    assert photo is not None
    face = cv2.resize(photo, (240, 240), interpolation=cv2.INTER_AREA)
    codec = "libx264" if path.suffix == ".mp4" else "mpeg2video"
    options = {"flags": "+ildct+ilme", "field_order": {"tff": "tt", "bff": "bb"}[first]}
    if codec == "libx264":
        options |= {"x264-params": f"{first}=1", "crf": "16"}
    with av.open(str(path), "w") as out:
        video = out.add_stream(codec, 25, options)
        assert isinstance(video, VideoStream)
        video.width, video.height, video.pix_fmt = 640, 360, layout
        video.bit_rate = 8_000_000 if codec != "libx264" else 0
        video.codec_context.colorspace = 1
        marking = Graph()
        nodes = [
            marking.add_buffer(
                width=640, height=360, format=av.VideoFormat(layout), time_base=Fraction(1, 25)
            ),
            marking.add("setfield", first),
            marking.add("buffersink"),
        ]
        marking.link_nodes(*nodes).configure()
        for index in range(12):
            woven = np.full((360, 640, 3), (60, 160, 40), np.uint8)
            for field in (0, 1):
                at = 60 + 8 * (2 * index + field)
                whole = np.full((360, 640, 3), (60, 160, 40), np.uint8)
                whole[60:300, at : at + 240] = face
                lines = field if first == "tff" else 1 - field
                woven[lines::2] = whole[lines::2]
            frame = av.VideoFrame.from_ndarray(woven, "bgr24").reformat(format=layout)
            frame.pts, frame.time_base = index, Fraction(1, 25)
            marking.push(frame)
            out.mux(video.encode(marking.vpull()))
        out.mux(video.encode(None))
    return path


def fields(path: Path) -> list[Any]:
    """Return the fields of all frames as pictures of the full height, BGR."""
    source = VideoSource(path)
    frames = [whole_bgr(frame.picture) for frame in source]
    source.close()
    return [np.repeat(image[field::2], 2, 0) for image in frames for field in (0, 1)]


@pytest.mark.parametrize(
    ("suffix", "first", "layout", "order"),
    [(".mp4", "tff", "yuv420p", 2), (".mp4", "bff", "yuv420p", 3), (".ts", "bff", "yuv422p", 3)],
)
def test_interlaced_stays_interlaced_with_faces_hidden_in_both_fields(
    tmp_path: Path, yunet: YuNetDetector, suffix: str, first: str, layout: str, order: int
) -> None:
    path = write_interlaced(tmp_path / f"in{suffix}", first, layout=layout)
    output = tmp_path / "out.mp4"
    report = anonymise(path, output, MOSAIC)
    assert report.ledger.whole_frames == 0
    with av.open(str(output)) as container:
        video = container.streams.video[0]
        assert video.codec_context.field_order == order
        assert all(frame.interlaced_frame for frame in container.decode(video))
    for before, after in zip(fields(path), fields(output), strict=True):
        (face,) = yunet.detect(as_picture(before))[:1]
        pictures = as_picture(before), as_picture(after)
        assert kept_structure(*pictures, face.box) < 0.7
        outside = np.s_[:40, :]
        assert np.abs(before[outside].astype(int) - after[outside]).mean() < 2


def test_a_container_that_cannot_say_which_field_comes_first_says_so(tmp_path: Path) -> None:
    path = write_interlaced(tmp_path / "in.ts", "bff", layout="yuv422p")
    changes = anonymise(path, tmp_path / "out.webm", MOSAIC).changes
    assert "left behind: which field comes first, which webm cannot say" in changes


@pytest.mark.parametrize(("suffix", "codec"), [(".mp4", "hevc"), (".webm", "av1")])
def test_hdr10_keeps_its_metadata_and_ten_bits(tmp_path: Path, suffix: str, codec: str) -> None:
    display = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)"
    parameters = f"log-level=error:master-display={display}:max-cll=1000,400"
    clip = Clip("libx265", "yuv420p10le", matrix=9, colour_range=1)
    clip.options.clear()
    clip.options.update({"x265-params": f"{parameters}:transfer=16:colorprim=9:colormatrix=9"})
    path, output = write_clip(tmp_path / "in.mkv", clip), tmp_path / f"out{suffix}"
    anonymise(path, output, MOSAIC)
    tags = VideoSource(output).info.container
    assert tags is not None
    assert tags.mastering_display is not None
    points = [13250, 34500, 7500, 3000, 34000, 16000, 15635, 16450]
    assert np.allclose(tags.mastering_display, [*points, 10_000_000, 1], atol=1)
    assert tags.light_levels == (1000, 400)
    assert (tags.transfer, tags.primaries, tags.matrix) == (16, 9, 9)
    with av.open(str(output)) as container:
        context = container.streams.video[0].codec_context
        assert context.codec.canonical_name == codec
        assert context.pix_fmt == "yuv420p10le"
        assert context.codec_tag == ("hvc1" if suffix == ".mp4" else "\0\0\0\0")


def write_with_extras(path: Path) -> Path:
    """Write two videos, two chapters and a timecode."""
    with av.open(str(path), "w") as out:
        tick = Fraction(1, 1000)
        ends = {1: (0, 200), 2: (200, 400)}
        chapters: list[Any] = [
            {"id": number, "start": start, "end": end, "time_base": tick, "metadata": {}}
            for number, (start, end) in ends.items()
        ]
        out.set_chapters(chapters)
        tracks = [out.add_stream("libx264", 25), out.add_stream("libx264", 25)]
        tracks[0].metadata["timecode"] = "01:00:00:00"
        for track in tracks:
            assert isinstance(track, VideoStream)
            track.width, track.height, track.pix_fmt = 96, 64, "yuv420p"
        for index in range(10):
            for track in tracks:
                frame = picture(index, Clip())
                frame.pts, frame.time_base = index, Fraction(1, 25)
                out.mux(track.encode(frame))
        for track in tracks:
            out.mux(track.encode(None))
    return path


@pytest.mark.parametrize("suffix", [".mov", ".mp4", ".mkv"])
def test_chapters_and_timecode_are_kept_on_request(tmp_path: Path, suffix: str) -> None:
    path, output = write_with_extras(tmp_path / "in.mov"), tmp_path / f"out{suffix}"
    report = anonymise(path, output, MOSAIC)
    assert report.changes == ("left behind: another video (h264)",)
    with av.open(str(output)) as container:
        assert len(container.streams.video) == 1
        starts_s = [one["start"] * (one["time_base"] or 0) for one in container.chapters()]
        assert starts_s == [0, Fraction(1, 5)]
        tags = {name.lower(): value for name, value in container.streams.video[0].metadata.items()}
        assert tags["timecode"] == "01:00:00:00"


def test_what_stays_behind_is_named(tmp_path: Path) -> None:
    path = write_with_extras(tmp_path / "in.mov")
    report = anonymise(path, tmp_path / "out.mp4", Config(method="mosaic"))
    (line,) = report.changes
    assert line.startswith("left behind: another video (h264)")
    assert "chapters" in line
    assert "timecode" in line
    assert report.to_json()["changes"] == [line]


CASES = ROOT.parent / "shared" / "cases" / "files"
FRAMES = {
    "h264_b_frames.avi": 50,
    "h264_b_from_avi.mp4": 50,
    "ts_back.ts": 100,
    "ts_forward.ts": 100,
    "ts_wrap.ts": 150,
    "windows.wmv": 50,
    "lpcm.vob": 50,
    "camera_pcm.avi": 50,
}


@pytest.mark.parametrize("name", FRAMES)
def test_cases_of_users_come_out_right(tmp_path: Path, name: str) -> None:
    if not (CASES / name).exists():
        pytest.skip("the files of users are not here")
    output = tmp_path / "out.mp4"
    report = anonymise(CASES / name, output, MOSAIC)
    with av.open(str(output)) as container:
        times = [float(frame.time or 0) for frame in container.decode(video=0)]
    assert len(times) == FRAMES[name]
    steps = np.diff(times)
    assert (steps > 0).all()
    assert steps.max() < 0.05
    assert report.ledger.whole_frames <= (3 if name in ("ts_back.ts", "ts_forward.ts") else 0)


def write_panorama(path: Path, stereo: int) -> tuple[Path, bytes]:
    """Write a panorama whose one face is cut in two by the edges; return its boxes, too."""
    photo = cv2.imread(str(PHOTOS / "london_001_neutral.webp"))
    assert photo is not None
    view = np.full((320, 640, 3), 128, np.uint8)
    view[20:300, 180:460] = cv2.resize(photo, (280, 280), interpolation=cv2.INTER_AREA)
    options = {"movflags": "+faststart"}
    with av.open(str(path), "w", options=options) as out:
        video = out.add_stream("libx264", 25)
        assert isinstance(video, VideoStream)
        video.width, video.height, video.pix_fmt = 640, 320, "yuv420p"
        for index in range(3):
            frame = av.VideoFrame.from_ndarray(np.roll(view, 320 + 25, axis=1), "bgr24")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
    pose = (90 << 16, -(45 << 16), 0)
    boxes = projection_boxes(ContainerTags(0, "", spherical=(0, *pose, *[0] * 5), stereo=stereo))
    insert(path, boxes)
    return path, boxes


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_panoramas_stay_panoramas_and_a_face_cut_by_the_edge_is_hidden(
    tmp_path: Path, suffix: str, yunet: YuNetDetector
) -> None:
    path, boxes = write_panorama(tmp_path / "in.mp4", stereo=2)
    output = tmp_path / f"out{suffix}"
    anonymise(path, output, MOSAIC)
    assert boxes in output.read_bytes()
    seen = []
    for name in (path, output):
        with closing(VideoSource(name)) as source:
            tags, pictures = source.info.container, [whole_bgr(one.picture) for one in source]
        assert tags is not None
        assert (tags.spherical, tags.stereo) == ((0, 90 << 16, -(45 << 16), *[0] * 6), 2)
        assert len(pictures) == 3
        seen.append([as_picture(np.roll(one, 320, axis=1).copy()) for one in pictures])
    for before, after in zip(*seen, strict=True):
        (face,) = yunet.detect(before)
        assert kept_structure(before, after, face.box) < 0.5


def test_a_container_that_is_not_given_the_projection_says_so(tmp_path: Path) -> None:
    path, _ = write_panorama(tmp_path / "in.mp4", stereo=0)
    with closing(VideoSource(path)) as source:
        sink = VideoSink(tmp_path / "out.mkv", source.info, EncoderSettings(None, 30, "ultrafast"))
        sink.close(complete=False)
    assert "left behind: the projection of 360 degree video" in sink.changes
