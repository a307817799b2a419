"""Files that were damaged at random: an output with every face hidden, or one line and nothing."""

from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.audio.stream import AudioStream
from av.video.stream import VideoStream
from PIL import Image

from streamanon.audit.judge import SAME_PERSON, Judge
from streamanon.audit.run import load_judge
from streamanon.cli.main import execute
from streamanon.config import Config
from streamanon.errors import StreamanonError
from streamanon.factory import Factory
from streamanon.types import F32
from testkit import networks
from testkit.paths import PHOTOS

PICTURES = (
    "a.jpg",
    "a.png",
    "a.webp",
    "a.tiff",
    "a.bmp",
    "a.jp2",
    "a.avif",
    "anim.webp",
    "anim.png",
)
ANIMATIONS = ("anim.webp", "b.png")
VIDEOS = ("a.mp4", "a.mkv", "a.ts", "a.avi", "a.mov", "a.webm", "a.gif")
FORMS = ("flip", "cut", "join", "blank", "shuffle")


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory, face_clip: Path) -> dict[str, bytes]:
    """Intact files with a face, by name."""
    folder: Path = tmp_path_factory.mktemp("originals")
    with Image.open(PHOTOS / "london_001_neutral.webp") as photo:
        face = photo.convert("RGB").resize((200, 200))
    for name in PICTURES:
        several: dict[str, Any] = {"save_all": True, "append_images": [face.rotate(2)]}
        face.save(folder / name, **(several if name in ANIMATIONS else {}))
    for name in VIDEOS:
        _transcode(face_clip, folder / name)
    return {name: (folder / name).read_bytes() for name in (*PICTURES, *VIDEOS)}


def _transcode(source: Path, target: Path) -> None:
    """Encode a clip with the usual codecs of another container."""
    codecs = {".avi": ("mjpeg", "pcm_s16le"), ".webm": ("libvpx", "libopus"), ".gif": ("gif", "")}
    codec, sound = codecs.get(target.suffix, ("libx264", "aac"))
    with av.open(str(source)) as before, av.open(str(target), "w") as after:
        video = after.add_stream(codec, rate=25)
        assert isinstance(video, VideoStream)
        video.width, video.height = 240, 240
        video.pix_fmt = {"mjpeg": "yuvj420p", "gif": "rgb8"}.get(codec, "yuv420p")
        audio = after.add_stream(sound, rate=48000) if sound else None
        if isinstance(audio, AudioStream):
            audio.layout = "mono"
        for index, frame in enumerate(before.decode(video=0)):
            picture = frame.reformat(format=video.pix_fmt)
            picture.pts, picture.time_base = index, Fraction(1, 25)
            after.mux(video.encode(picture))
        after.mux(video.encode(None))
        if isinstance(audio, AudioStream):
            before.seek(0)
            resampler = av.AudioResampler(audio.format, "mono", 48000, audio.frame_size or 1024)
            for heard in (*before.decode(audio=0), None):
                for part in resampler.resample(heard):
                    after.mux(audio.encode(part))
            after.mux(audio.encode(None))


def mutated(originals: dict[str, bytes], seed: int) -> tuple[str, bytes]:
    """Return the name and the content of a damaged file."""
    random = np.random.default_rng(seed)
    names = sorted(originals)
    name = names[seed % len(names)]
    data = np.frombuffer(originals[name], np.uint8).copy()
    at, length = int(random.integers(len(data))), int(random.integers(1, 2000))
    form = FORMS[seed // len(names) % len(FORMS)]
    if form == "flip":
        places = random.integers(0, len(data), int(random.integers(1, 30)))
        data[places] ^= random.integers(1, 256, len(places), np.uint8)
    elif form == "cut":
        data = data[:at]
    elif form == "blank":
        data[at : at + length] = 0
    elif form == "shuffle":
        data = np.concatenate([data[:at], data[at + length :], data[at : at + length]])
    else:
        other = originals[names[int(random.integers(len(names)))]]
        data = np.concatenate([data[:at], np.frombuffer(other, np.uint8)[-length * 4 :]])
    return name, data.tobytes()


def leaks(judge: Judge, people: list[F32], before: Path, after: Path) -> list[str]:
    """Return the faces of a file that its anonymised version shows.

    A face counts if it is still a face of its person: decoders make up others, of which nothing can
    be known.
    """
    found, embedder = [], networks.embedder()
    factory = Factory(Config())
    with closing(factory.source(before)) as first, closing(factory.source(after)) as second:
        for raw, safe in zip(first, second, strict=False):
            if raw.damaged or raw.picture.planes[0].shape != safe.picture.planes[0].shape:
                continue
            for face in judge.find(raw.picture):
                (compared,) = judge.compare(raw.picture, safe.picture, [face])
                if compared.leaks and face.points is not None:
                    seen = embedder.embed(raw.picture, face.points)
                    if max(float(seen @ person) for person in people) >= SAME_PERSON:
                        found.append(f"frame {raw.index}: {compared}")
    return found


@pytest.fixture(scope="module")
def judge() -> Judge:
    return load_judge()


@pytest.fixture(scope="module")
def people(originals: dict[str, bytes], judge: Judge, tmp_path_factory: Any) -> list[F32]:
    """The faces of the intact files, as the recogniser describes them."""
    folder: Path = tmp_path_factory.mktemp("people")
    found, embedder = [], networks.embedder()
    for name in ("a.png", "a.mp4"):
        (folder / name).write_bytes(originals[name])
        with closing(Factory(Config()).source(folder / name)) as source:
            picture = next(iter(source)).picture
        points = judge.find(picture)[0].points
        assert points is not None
        found.append(embedder.embed(picture, points))
    return found


MANY = (pytest.mark.slow, pytest.mark.timeout(60, func_only=True))


@pytest.mark.parametrize(
    "seed", [*range(12), *(pytest.param(seed, marks=MANY) for seed in range(12, 1012))]
)
def test_a_damaged_file(
    originals: dict[str, bytes],
    judge: Judge,
    people: list[F32],
    tmp_path: Path,
    seed: int,
    capfd: pytest.CaptureFixture[str],
) -> None:
    name, content = mutated(originals, seed)
    source, out = tmp_path / name, tmp_path / "out"
    source.write_bytes(content)
    out.mkdir()
    target = out / (f"{source.stem}.mp4" if name in VIDEOS else name)
    code = execute(["run", str(source), "-o", str(target), "--method", "mosaic"])
    printed = capfd.readouterr().err
    assert "Traceback" not in printed, (seed, name, printed)
    assert code in (0, 1, 2), (seed, name)
    assert list(out.iterdir()) == ([target] if code == 0 else []), (seed, name, printed)
    if code:
        assert "streamanon: error: " in printed.splitlines()[-1], (seed, name, printed)
    else:
        try:
            assert leaks(judge, people, source, target) == [], (seed, name)
        except StreamanonError as error:
            pytest.fail(f"seed {seed}, {name}: the output cannot be read: {error}")
