"""What goes wrong with live streams, done on purpose: does it come back, and does anything leak?

A camera pushes a painted, numbered clip to one server; a stream of the product reads it there and
pushes to another; a player reads that back and looks at every frame. Between the two something is
broken and mended, and the player's log tells the rest: when the first frame came through again,
whether time stamps ever fell back, and how many frames showed paint.
"""

from __future__ import annotations

import subprocess
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

from benchmarks.live.processes import camera, player
from streamanon.config import Config
from streamanon.errors import UsageError
from streamanon.factory import Factory
from streamanon.live.stream import STREAM_LOG, Stream
from streamanon.media.address import Address
from testkit.logs import logged
from testkit.servers.rtsp_relay import RtspRelay

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from benchmarks.live.player import Seen

PATIENCE_S = 30.0
"""What does not come back in this time never does."""

WITHIN_S = 2.0
"""In this time after the source's return it should be back."""

_SETTLE_S = 0.5
_WATCH_S = 1.5
_BOTH_SIZES_S = 3.0
_STALL_S = 6.0
"""Longer than inputs are waited for."""
_DISK_BYTES = 24 << 20
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one fault.

    Attributes:
        fault: its name.
        times: it was caused.
        recovered_s: from the source's return to the first picture sent after it that the player
            saw, one a time; where the source never went, the longest time without a picture.
        frames: read back.
        raw_frames: of these, showing paint.
        fell_back: time stamps not above the one before, within a connection of the player.
        connections: of the player; more than 1 means that viewers were cut off.
        error: what ended the stream, or "".
        log: what an operator was told, from the fault on.
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
    def cuts_off_viewers(self) -> bool:
        """Whether the player had to connect again."""
        return self.connections > 1

    def told(self, fault: Fault) -> bool:
        """Tell whether the operator was told what happened."""
        return all(any(word in line for line in self.log) for word in fault.words)


class Stage:
    """A stream at work, and everything around it that can be broken.

    Attributes:
        clips: the painted one, and the same in another size.
        inlet: server between camera and stream.
        outlet: server between stream and player.
        stream: of the product.
        log: what the operator is told.
        watched: what the player saw.
        tape: folder of a recording beside it, or None.
        raw: folder for pictures of the frames that show paint, to look at; or None.
    """

    def __init__(
        self, clips: Sequence[Path], tape: Path | None = None, *, raw: Path | None = None
    ) -> None:
        self.clips, self.tape, self.raw = clips, tape, raw
        self._stack, self._camera = ExitStack(), ExitStack()

    def __enter__(self) -> Stage:
        with ExitStack() as stack:
            self.log = stack.enter_context(logged(STREAM_LOG))
            self.inlet = stack.enter_context(RtspRelay())
            self.outlet = stack.enter_context(RtspRelay())
            stack.callback(self._remove_camera)
            self.film(self.clips[0])
            self.stream = _stream(self)
            stack.callback(self.stream.stop)
            self.stream.start()
            watching = player(self.outlet.url("out"), count_magenta=True, keep=self.raw)
            self.watched = stack.enter_context(watching)
            if self.first_seen(0) is None:
                raise UsageError(f"the stream does not start: {self.log or self.stream.error}")
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def film(self, *clips: Path, pace: float = 1.0) -> float:
        """Put another camera in place of the present one; return when it sent its first frame."""
        self._remove_camera()
        began_s = time.monotonic()
        self.sent = self._camera.enter_context(camera(self.inlet.url("in"), *clips, pace=pace))
        return self.first_sent(began_s)

    def first_sent(self, after_s: float) -> float:
        """Wait for the first frame that the camera sends after a moment; return when it did."""
        return _wait(lambda: next((at for _, at in self.sent.all if at > after_s), None))

    def first_seen(self, after_s: float) -> float | None:
        """Wait for the first picture sent after a moment that the player sees; return when it did.

        Pictures that were on their way then do not count.
        """
        with suppress(TimeoutError):
            return _wait(lambda: self._first_seen(after_s))
        return None

    def _first_seen(self, after_s: float) -> float | None:
        seen = self.pictures(after_s)
        sent = [one for one in self.sent.all if one[1] >= after_s] if seen else []
        for one in seen:  # clips are played in a loop: when it was sent last tells
            if any(number == one.number and at_s < one.at_s for number, at_s in sent):
                return one.at_s
        return None

    def pictures(self, since_s: float) -> list[Seen]:
        """Return what the player saw from a moment on, cards left out."""
        return [one for one in self.watched.all if one.at_s > since_s and one.number >= 0]

    def suffer(self, fault: Fault, downs_s: Sequence[float]) -> Finding:
        """Cause a fault, for each of some times in seconds."""
        told, seen = len(self.log), len(self.watched.all)
        recovered = []
        for down_s in downs_s:
            began_s = time.monotonic()
            mended_s = fault.cause(self, down_s)
            back_s = self.first_seen(mended_s)
            recovered.append(PATIENCE_S if back_s is None else back_s - mended_s)
            time.sleep(_SETTLE_S if fault.outage else _WATCH_S)
            if not fault.outage:
                times = [began_s, *(one.at_s for one in self.pictures(began_s))]
                recovered[-1] = max(after - before for before, after in pairwise(times))
        frames = self.watched.all[seen:]
        pairs = [(a, b) for a, b in pairwise(frames) if a.connection == b.connection]
        return Finding(
            fault=fault.name,
            times=len(downs_s),
            recovered_s=tuple(round(one, 3) for one in recovered),
            frames=len(frames),
            raw_frames=sum(one.magenta > 0 for one in frames),
            fell_back=sum(b.time_s <= a.time_s for a, b in pairs),
            connections=len({one.connection for one in frames}),
            error=str(self.stream.error or ""),
            log=tuple(self.log[told:]),
        )

    def _remove_camera(self) -> None:
        self._camera.close()


def _stream(stage: Stage) -> Stream:
    outputs = [Address("rtsp", stage.outlet.url("out"))]
    if stage.tape:
        outputs.append(Address("record", str(stage.tape)))
    source = Address("rtsp", stage.inlet.url("in"))
    return Stream("faults", source, outputs, Factory(Config(method="warp")))


def _wait(look: Callable[[], _T | None]) -> _T:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        found = look()
        if found is not None:
            return found
        time.sleep(0.02)
    raise TimeoutError


def _server_killed(stage: Stage, down_s: float) -> float:
    stage.inlet.kill()
    time.sleep(down_s)
    stage.inlet.start()
    return stage.first_sent(time.monotonic())


def _stalled(stage: Stage, down_s: float) -> float:
    stage.inlet.stall()
    time.sleep(down_s)
    stage.inlet.resume()
    return time.monotonic()


def _garbage(stage: Stage, down_s: float) -> float:
    """Spoil packets until a spoilt frame was not thrown away anyhow, then write into the stream.

    Each time a keyframe can mend the picture before more is spoilt.
    """
    began_s, told = time.monotonic(), len(stage.log)
    while len(stage.log) == told and time.monotonic() < began_s + PATIENCE_S:
        stage.inlet.spoil(20)
        time.sleep(down_s)
    stage.inlet.send_garbage()
    return began_s


def _output_killed(stage: Stage, down_s: float) -> float:
    stage.outlet.kill()
    time.sleep(down_s)
    stage.outlet.start()
    return time.monotonic()


def _disk_full(stage: Stage, down_s: float) -> float:
    """Let the recording fill its disk, then make room, and wait for the recording to go on."""
    assert stage.tape is not None
    disk = stage.tape.parent
    ballast = disk / "ballast"
    with ballast.open("wb") as file, suppress(OSError):
        while True:
            file.write(bytes(65536))
            file.flush()
    told = len(stage.log)
    _wait(lambda: len(stage.log) > told or None)
    time.sleep(down_s)
    began_s = time.monotonic()
    before = _recorded(stage.tape)
    ballast.unlink()
    _wait(lambda: _recorded(stage.tape) > before or None)
    return began_s


def _recorded(tape: Path | None) -> int:
    return sum(path.stat().st_size for path in tape.rglob("*") if path.is_file()) if tape else 0


def _resized(stage: Stage, down_s: float) -> float:
    del down_s
    back_s = stage.film(*stage.clips)
    time.sleep(_BOTH_SIZES_S)
    return back_s


def _looping(stage: Stage, down_s: float) -> float:
    del down_s
    began_s = time.monotonic()
    stage.inlet.jump(-8)
    return began_s


def _overloaded(stage: Stage, down_s: float) -> float:
    stage.film(stage.clips[0], pace=5.0)
    time.sleep(down_s)
    return stage.film(stage.clips[0])


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that can go wrong.

    Attributes:
        name: of it.
        cause: breaks something for some seconds, mends it, and returns when it was mended.
        outage: whether nothing can come through meanwhile.
        downs_s: for how long, in the short form.
        long_s: the same in the long form.
        needs_tape: whether there must be a recording.
        words: that must stand in the log.
        cuts: whether viewers are cut off, as it is their server that goes.
    """

    name: str
    cause: Callable[[Stage, float], float]
    outage: bool = True
    downs_s: tuple[float, ...] = (1.0,)
    long_s: tuple[float, ...] = (1.0, 2.0, 4.0)
    needs_tape: bool = False
    words: tuple[str, ...] = ()
    cuts: bool = False


FAULTS = (
    Fault(
        "server killed",
        _server_killed,
        downs_s=(0.3, 0.6, 0.9),
        words=("lost", "back"),
        long_s=tuple(round(60 ** (number / 19), 1) for number in range(20)),
    ),
    Fault(
        "stall without close",
        _stalled,
        downs_s=(_STALL_S,),
        long_s=(2.0, _STALL_S, 20.0),
        words=("lost: no picture", "back"),
    ),
    Fault(
        "garbage in mid-stream",
        _garbage,
        outage=False,
        downs_s=(1.0,),
        long_s=(1.0,) * 20,
        words=("frames are covered whole",),
    ),
    Fault(
        "output server killed",
        _output_killed,
        long_s=(1.0, 5.0, 20.0),
        cuts=True,
        words=("output rtsp",),
    ),
    Fault(
        "disk full on the recording", _disk_full, outage=False, needs_tape=True, long_s=(1.0, 5.0)
    ),
    Fault("resolution change", _resized, long_s=(0.0,), words=("the picture is 960x684",)),
    Fault("time stamps that loop", _looping, outage=False, downs_s=(0.0,) * 2, long_s=(0.0,) * 5),
    Fault("overload, 5 times", _overloaded, downs_s=(3.0,), long_s=(20.0,)),
)


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Mount a file system of a few megabytes; yields a folder on it.

    Raises:
        UsageError: that is not allowed here.
    """
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK_BYTES}", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        raise UsageError("a small disk cannot be mounted here: run this as the superuser")
    try:
        yield folder / "tape"
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
