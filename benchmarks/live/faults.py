"""Faults of live streams, caused on purpose: does the stream recover, and does anything leak?

A camera pushes a painted, numbered clip to one server; a stream of the product reads it there and
pushes to another; a player reads that back and looks at every frame. Something in between is
broken and repaired. The frames that the player read show when the stream recovered, whether time
stamps ever went back, and how many frames showed paint.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

from benchmarks.live.player import PlayedFrame
from benchmarks.live.processes import camera, player
from streamanon.config import Config
from streamanon.errors import UsageError
from streamanon.factory import Factory
from streamanon.live.stream import STREAM_LOG, Stream
from streamanon.media.address import Address
from testkit.logs import logged
from testkit.servers.rtsp_relay import RtspRelay

TIMEOUT_S = 30.0
"""Longest wait for a recovery."""
_SETTLE_S = 0.5
_WATCH_S = 1.5
_BOTH_SIZES_S = 3.0
_STALL_S = 6.0
"""Longer than the time-out of inputs."""
_DISK_BYTES = 24 << 20
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class FaultResult:
    """The outcome of one fault.

    Attributes:
        fault: name of the fault.
        times: number of times it was caused.
        recovered_s: seconds from the source's return to the first picture sent after it that the
            player read, each time; where the source never went, the longest gap between pictures.
        frames: number of frames read back.
        raw_frames: number of these that show paint.
        fell_back: number of time stamps not above the one before, within a connection.
        connections: number of connections of the player; more than 1 if viewers were disconnected.
        error: error that ended the stream, or "".
        log: messages of the stream's log from the fault on.
    """

    fault: str
    times: int
    recovered_s: tuple[float, ...]
    frames: int
    raw_frames: int
    fell_back: int
    connections: int
    error: str
    log: tuple[str, ...]

    @property
    def viewers_disconnected(self) -> bool:
        """Whether the player had to connect again."""
        return self.connections > 1

    def was_logged(self, fault: Fault) -> bool:
        """Return whether the log says what happened."""
        return all(any(word in line for line in self.log) for word in fault.expected_log)


class FaultTestbed:
    """A running stream, and everything around it that can be broken.

    Attributes:
        clips: the painted clip, and the same in another size.
        inlet: server between camera and stream.
        outlet: server between stream and player.
        stream: the stream of the product.
        log: messages of the stream's log.
        played: frames that the player read.
        recording: folder of a recording as a second output, or None.
        raw: folder for pictures of frames that show paint, for inspection; or None.
    """

    def __init__(
        self, clips: Sequence[Path], recording: Path | None = None, *, raw: Path | None = None
    ) -> None:
        self.clips, self.recording, self.raw = clips, recording, raw
        self._stack, self._camera = ExitStack(), ExitStack()

    def __enter__(self) -> FaultTestbed:
        with ExitStack() as stack:
            self.log = stack.enter_context(logged(STREAM_LOG))
            self.inlet = stack.enter_context(RtspRelay())
            self.outlet = stack.enter_context(RtspRelay())
            stack.callback(self._remove_camera)
            self.switch_camera(self.clips[0])
            self.stream = _stream(self)
            stack.callback(self.stream.stop)
            self.stream.start()
            watching = player(self.outlet.url("out"), count_magenta=True, keep=self.raw)
            self.played = stack.enter_context(watching)
            if self.first_seen(0) is None:
                raise UsageError(f"the stream does not start: {self.log or self.stream.error}")
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def switch_camera(self, *clips: Path, pace: float = 1.0) -> float:
        """Replace the camera by another one; return when it sent its first frame."""
        self._remove_camera()
        began_s = time.monotonic()
        self.sent = self._camera.enter_context(camera(self.inlet.url("in"), *clips, pace=pace))
        return self.first_sent(began_s)

    def first_sent(self, after_s: float) -> float:
        """Wait for the first frame sent after a moment; return its time."""
        return _wait(lambda: next((at for _, at in self.sent.all if at > after_s), None))

    def first_seen(self, after_s: float) -> float | None:
        """Wait for the first picture sent after a moment to be played; return the time of playing.

        Pictures that were sent before do not count.
        """
        with suppress(TimeoutError):
            return _wait(lambda: self._first_seen(after_s))
        return None

    def _first_seen(self, after_s: float) -> float | None:
        seen = self.pictures(after_s)
        sent = [one for one in self.sent.all if one[1] >= after_s] if seen else []
        for one in seen:  # clips loop: compare with the last time it was sent
            if any(number == one.number and at_s < one.at_s for number, at_s in sent):
                return one.at_s
        return None

    def pictures(self, since_s: float) -> list[PlayedFrame]:
        """Return the frames played after a moment, without placeholders."""
        return [one for one in self.played.all if one.at_s > since_s and one.number >= 0]

    def cause(self, fault: Fault, outages_s: Sequence[float]) -> FaultResult:
        """Cause a fault, once for each of the given durations in seconds."""
        logged, seen = len(self.log), len(self.played.all)
        recovered = []
        for outage_s in outages_s:
            began_s = time.monotonic()
            repaired_s = fault.cause(self, outage_s)
            back_s = self.first_seen(repaired_s)
            recovered.append(TIMEOUT_S if back_s is None else back_s - repaired_s)
            time.sleep(_SETTLE_S if fault.outage else _WATCH_S)
            if not fault.outage:
                times = [began_s, *(one.at_s for one in self.pictures(began_s))]
                recovered[-1] = max(after - before for before, after in pairwise(times))
        frames = self.played.all[seen:]
        pairs = [(a, b) for a, b in pairwise(frames) if a.connection == b.connection]
        return FaultResult(
            fault=fault.name,
            times=len(outages_s),
            recovered_s=tuple(round(one, 3) for one in recovered),
            frames=len(frames),
            raw_frames=sum(one.magenta > 0 for one in frames),
            fell_back=sum(b.time_s <= a.time_s for a, b in pairs),
            connections=len({one.connection for one in frames}),
            error=str(self.stream.error or ""),
            log=tuple(self.log[logged:]),
        )

    def _remove_camera(self) -> None:
        self._camera.close()


def _stream(testbed: FaultTestbed) -> Stream:
    outputs = [Address("rtsp", testbed.outlet.url("out"))]
    if testbed.recording:
        outputs.append(Address("record", str(testbed.recording)))
    source = Address("rtsp", testbed.inlet.url("in"))
    return Stream("faults", source, outputs, Factory(Config(method="warp")))


def _wait(look: Callable[[], _T | None]) -> _T:
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        found = look()
        if found is not None:
            return found
        time.sleep(0.02)
    raise TimeoutError


def _server_killed(testbed: FaultTestbed, outage_s: float) -> float:
    testbed.inlet.kill()
    time.sleep(outage_s)
    testbed.inlet.start()
    return testbed.first_sent(time.monotonic())


def _stalled(testbed: FaultTestbed, outage_s: float) -> float:
    testbed.inlet.stall()
    time.sleep(outage_s)
    testbed.inlet.resume()
    return time.monotonic()


def _garbage(testbed: FaultTestbed, outage_s: float) -> float:
    """Corrupt packets until the log reports a damaged frame, then write garbage into the stream.

    Between two attempts a keyframe can repair the picture.
    """
    began_s, logged = time.monotonic(), len(testbed.log)
    while len(testbed.log) == logged and time.monotonic() < began_s + TIMEOUT_S:
        testbed.inlet.spoil(20)
        time.sleep(outage_s)
    testbed.inlet.send_garbage()
    return began_s


def _output_killed(testbed: FaultTestbed, outage_s: float) -> float:
    testbed.outlet.kill()
    time.sleep(outage_s)
    testbed.outlet.start()
    return time.monotonic()


def _disk_full(testbed: FaultTestbed, outage_s: float) -> float:
    """Fill the recording's disk, free it again, and wait for the recording to continue."""
    assert testbed.recording is not None
    disk = testbed.recording.parent
    ballast = disk / "ballast"
    logged = len(testbed.log)
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(65536))
    _wait(lambda: any("space left" in line for line in testbed.log[logged:]) or None)
    time.sleep(outage_s)
    began_s = time.monotonic()
    before = _recorded(testbed.recording)
    ballast.unlink()
    _wait(lambda: _recorded(testbed.recording) > before or None)
    return began_s


def _recorded(recording: Path | None) -> int:
    return (
        sum(path.stat().st_size for path in recording.rglob("*") if path.is_file())
        if recording
        else 0
    )


def _resized(testbed: FaultTestbed, outage_s: float) -> float:
    del outage_s
    back_s = testbed.switch_camera(*testbed.clips)
    time.sleep(_BOTH_SIZES_S)
    return back_s


def _looping(testbed: FaultTestbed, outage_s: float) -> float:
    del outage_s
    began_s = time.monotonic()
    testbed.inlet.jump(-8)
    return began_s


def _overloaded(testbed: FaultTestbed, outage_s: float) -> float:
    testbed.switch_camera(testbed.clips[0], pace=5.0)
    time.sleep(outage_s)
    return testbed.switch_camera(testbed.clips[0])


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault.

    Attributes:
        name: name of the fault.
        cause: function that breaks something for some seconds, repairs it, and returns when.
        outage: True if no frame can pass meanwhile.
        outages_s: durations in the short form.
        long_outages_s: durations in the long form.
        needs_recording: True if the stream must write a recording.
        expected_log: texts that the log must contain.
        disconnects_viewers: True if it stops the server that viewers are connected to.
    """

    name: str
    cause: Callable[[FaultTestbed, float], float]
    outage: bool = True
    outages_s: tuple[float, ...] = (1.0,)
    long_outages_s: tuple[float, ...] = (1.0, 2.0, 4.0)
    needs_recording: bool = False
    expected_log: tuple[str, ...] = ()
    disconnects_viewers: bool = False


FAULTS = (
    Fault(
        "server killed",
        _server_killed,
        outages_s=(0.3, 0.6, 0.9),
        expected_log=("lost", "back"),
        long_outages_s=tuple(round(60 ** (number / 19), 1) for number in range(20)),
    ),
    Fault(
        "stall without close",
        _stalled,
        outages_s=(_STALL_S,),
        long_outages_s=(2.0, _STALL_S, 20.0),
        expected_log=("lost: no picture", "back"),
    ),
    Fault(
        "garbage in mid-stream",
        _garbage,
        outage=False,
        outages_s=(1.0,),
        long_outages_s=(1.0,) * 20,
        expected_log=("frames are covered whole",),
    ),
    Fault(
        "output server killed",
        _output_killed,
        long_outages_s=(1.0, 5.0, 20.0),
        disconnects_viewers=True,
        expected_log=("output rtsp",),
    ),
    Fault(
        "disk full on the recording",
        _disk_full,
        outage=False,
        needs_recording=True,
        long_outages_s=(1.0, 5.0),
    ),
    Fault(
        "resolution change",
        _resized,
        long_outages_s=(0.0,),
        expected_log=("the picture is 960x684",),
    ),
    Fault(
        "time stamps that loop",
        _looping,
        outage=False,
        outages_s=(0.0,) * 2,
        long_outages_s=(0.0,) * 5,
    ),
    Fault("overload, 5 times", _overloaded, outages_s=(3.0,), long_outages_s=(20.0,)),
)


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Mount a file system of a few megabytes; yield a folder on it.

    Raises:
        UsageError: mounting is not permitted.
    """
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK_BYTES}", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        raise UsageError("a small disk cannot be mounted here: run this as the superuser")
    try:
        yield folder / "recording"
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
