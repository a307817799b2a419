"""What every test is checked for, and the clips they share."""

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from benchmarks.live.clips import write_painted_pair
from streamanon.detectors.age import AgeNet
from streamanon.detectors.gender import GenderNet
from streamanon.detectors.mesh import MeshFitter
from streamanon.detectors.mobilefacenet import MobileFaceNetEmbedder
from streamanon.detectors.yunet import YuNetDetector
from streamanon.identities.gallery import load_builtin
from testkit import networks
from testkit.paths import DEMO
from testkit.servers.rtsp_relay import RtspRelay


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what is remembered between runs out of the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _signals_arrive() -> None:
    """Let programs that tests start end by signals, also where the tests run in the background."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
            signal.signal(number, usual)


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    """Fail a test that leaves a thread behind."""
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + 20
    while (left := set(threading.enumerate()) - before) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not left, f"threads left behind: {sorted(thread.name for thread in left)}"


@pytest.fixture(scope="session")
def yunet() -> YuNetDetector:
    return networks.yunet()


@pytest.fixture(scope="session")
def mesher() -> MeshFitter:
    return networks.mesh_fitter()


@pytest.fixture(scope="session")
def embedder() -> MobileFaceNetEmbedder:
    return networks.embedder()


@pytest.fixture(scope="session")
def gender_net() -> GenderNet:
    return networks.gender_net()


@pytest.fixture(scope="session")
def age_net() -> AgeNet:
    return networks.age_net()


@pytest.fixture(params=[b"", b"not a network", b"\xff" * 40, None])
def broken_network(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A path at which there is no network."""
    path = tmp_path / "broken.onnx"
    if request.param is not None:
        path.write_bytes(request.param)
    return path


@pytest.fixture(scope="session")
def face_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of 16 frames with sound, in which a face of the gallery moves slowly."""
    path: Path = tmp_path_factory.mktemp("clips") / "face.mp4"
    write_face_clip(path, frames=16)
    return path


@pytest.fixture(scope="session")
def long_face_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with 400 frames on noise, for those who need time to get in between.

    Noise makes for many bytes, so that the output grows from its first frames on.
    """
    path: Path = tmp_path_factory.mktemp("clips") / "long.mp4"
    write_face_clip(path, frames=400, noise=40)
    return path


def write_face_clip(path: Path, frames: int, noise: int = 0) -> None:
    """Encode a portrait of the gallery that drifts over grey, 240 x 240 px, 25 fps, and a tone."""
    random = np.random.default_rng(0)
    portrait = cv2.resize(load_builtin()[0].portrait, (200, 200), interpolation=cv2.INTER_AREA)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = 240, 240, "yuv420p"
        sound = container.add_stream("aac", rate=48000)
        sound.layout = "mono"
        for index in range(frames):
            image = random.integers(128 - noise, 129 + noise, (240, 240, 3), np.uint8)
            x, y = 20 + round(15 * np.sin(index / 9)), 20 + round(15 * np.cos(index / 9))
            image[y : y + 200, x : x + 200] = portrait
            container.mux(video.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
            at = index * 1920 + np.arange(1920)
            tone = (0.1 * np.sin(at * 2 * np.pi * 440 / 48000)).astype(np.float32)
            samples = av.AudioFrame.from_ndarray(tone[None], format="fltp", layout="mono")
            samples.rate, samples.pts = 48000, index * 1920
            container.mux(sound.encode(samples))
        container.mux(video.encode())
        container.mux(sound.encode())


@pytest.fixture(scope="session")
def painted_pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The painted clip, and the same in another size."""
    return write_painted_pair(tmp_path_factory.mktemp("live"), DEMO, 48)


@pytest.fixture(scope="session")
def painted_clip(painted_pair: tuple[Path, Path]) -> Path:
    """Two seconds of the demo clip, numbered, the face painted."""
    return painted_pair[0]


@pytest.fixture
def relay() -> Iterator[RtspRelay]:
    with RtspRelay() as running:
        yield running
