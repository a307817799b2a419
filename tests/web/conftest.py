"""A real server over a real stream: the demo clip, painted, coming in at the pace of a camera."""

from contextlib import ExitStack

import pytest

pytest.importorskip("aiohttp", reason="the extra web is not installed")
pytest.importorskip("aiortc", reason="the extra web is not installed")
pytest.importorskip("prometheus_client", reason="the extra web is not installed")


from collections.abc import Iterator
from pathlib import Path

from streamanon.config import Config
from streamanon.factory import Factory
from streamanon.live.stream import Stream
from streamanon.web import camera
from streamanon.web.server import Server
from testkit.addresses import live_input
from testkit.logs import Log, logged
from testkit.painted import painted_frames
from testkit.requests import Serve, Site
from testkit.streams import running
from testkit.videos import write_video
from testkit.waiting import wait_until


@pytest.fixture(scope="session")
def factory() -> Factory:
    return Factory(Config(method="warp"))


@pytest.fixture(scope="session")
def painted_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The painted frames as a file, without loss of colour that matters."""
    path = tmp_path_factory.mktemp("painted") / "painted.mp4"
    return write_video(path, painted_frames(), form="yuv420p")


@pytest.fixture(scope="module")
def stream(factory: Factory, painted_clip: Path) -> Iterator[Stream]:
    """A live stream that shows the painted clip again and again."""
    address = live_input(f"lavfi:movie={painted_clip}:loop=0,setpts=N/25/TB,realtime")
    stream = Stream("hall 1", address, (), factory.for_stream())
    with running(stream):
        wait_until(lambda: stream.status().state == "live" and stream.status().frames > 5)
        yield stream


@pytest.fixture(autouse=True)
def _time_to_connect(monkeypatch: pytest.MonkeyPatch) -> None:
    """Visitors of a busy machine may take longer than those of the product."""
    monkeypatch.setattr(camera, "START_S", 20.0)


@pytest.fixture
def serve(stream: Stream, factory: Factory) -> Iterator[Serve]:
    """Start servers on the loopback interface, or on another host, until the test ends."""
    with ExitStack() as stack:

        def start(token: str | None = None, host: str = "127.0.0.1", **options: bool) -> Site:
            server = Server([stream], factory, (host, 0), token, **options)
            server.start()
            stack.callback(server.close)
            return Site(server)

        yield start


@pytest.fixture
def said() -> Iterator[Log]:
    """What the server logs."""
    with logged("streamanon.web") as lines:
        yield lines


@pytest.fixture
def site(serve: Serve, stream: Stream) -> Iterator[Site]:
    """A server without a token."""
    yield serve()
    stream.set_method("warp")
    stream.set_identity(None)
