"""One live output: a queue, the process that writes it, and a thread that keeps that process alive.

Whatever a server does, whoever hands packets over never waits. What a slow output cannot take is
dropped up to the next place where a player can begin, so that it is never far behind either.
"""

from __future__ import annotations

import subprocess
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from threading import Condition, Thread
from typing import IO, TYPE_CHECKING

from streamanon.child_process import module_command
from streamanon.media.address import masked
from streamanon.media.backoff import Backoff
from streamanon.sinks.live.endpoint_probe import answers, door_of
from streamanon.sinks.writers.messages import VIDEO, send, send_order
from streamanon.sinks.writers.writer import CLOSED, FAILED, OPEN

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamanon.sinks.live.destination import Destination
    from streamanon.sinks.writers.messages import Unit

_DEPTH = {"libx264": 64, "rawvideo": 2}
"""Packets that may wait: two seconds; of whole pictures, which are large, hardly any."""

_OPENING_S = 10.0
_PATIENCE_S = 5.0
"""Seconds a writer may take to open its output, and for one packet, before it is killed."""

_STEADY_S = 10.0
"""An output that lasted so long is tried again at once when it fails."""

_SELDOM_S = 5.0
"""An output that has refused for long is tried after a tenth of that time, but this often at least:
each try costs a tenth of a second of a core."""

_KNOCK_EVERY_S = 0.2
"""A server that is not there is called on this often, which costs next to nothing."""

_WELCOME_S, _WELCOME_STEP_S = 5.0, 0.5
"""For so long after an output was opened keyframes come this often: the players who return to it
connect a moment later than we do, and miss the first."""

_PROVEN_S = 1.0
"""An output works again when it took packets for so long."""

_FAREWELL_S = 2.0
"""Seconds a writer has for finishing its output."""


@dataclass(frozen=True, slots=True)
class OutputState:
    """One output as it stands.

    Attributes:
        name: its address, safe to show.
        connected: True while it takes pictures.
        restarts: times it had to be opened again.
        dropped: pictures it did not get.
        reason: why it is not connected; "" when it is, or was not tried yet.
    """

    name: str
    connected: bool = False
    restarts: int = 0
    dropped: int = 0
    reason: str = ""


class Output:
    """Hands packets to a writing process, and starts another one whenever that fails."""

    def __init__(self, destination: Destination, head: bytes, say: Callable[[str], None]) -> None:
        """Start writing.

        Args:
            destination: what is written where.
            head: tells the parameters of the streams.
            say: takes a line for the log, credentials hidden.
        """
        self.destination = destination
        self._head, self._say = head, say
        self._name = str(destination.address)
        self._depth = _DEPTH[destination.kind]
        self._queue: deque[Unit] = deque()
        self._change = Condition()
        self._writer: subprocess.Popen[bytes] | None = None
        self._deadline: float | None = None
        self._over = self._hung = self._connected = self._awaits_keyframe = False
        self._restarts = self._dropped = 0
        self._reason = ""
        self._lost_at: float | None = None
        self._refused_at = 0.0
        self._opened_at = self._keyframe_at = 0.0
        self._door = door_of(destination.order)
        self._thread = Thread(target=self._run, name=f"streamanon-{self._name}", daemon=True)
        self._thread.start()

    @property
    def state(self) -> OutputState:
        """How it stands; from any thread."""
        with self._change:
            return OutputState(
                self._name, self._connected, self._restarts, self._dropped, self._reason
            )

    @property
    def wants_keyframe(self) -> bool:
        """True from when it was opened until a player could begin, and now and then after that."""
        now = time.monotonic()
        welcome = now - self._opened_at < _WELCOME_S and now - self._keyframe_at >= _WELCOME_STEP_S
        return self._connected and (self._awaits_keyframe or welcome)

    def put(self, unit: Unit) -> None:
        """Hand over a packet, or drop it; returns at once. A writer that hangs is killed."""
        with self._change:
            if self._deadline is not None and time.monotonic() > self._deadline:
                self._hung = True
                self._kill()
            if len(self._queue) >= self._depth:
                self._dropped += sum(waiting.kind == VIDEO for waiting in self._queue)
                self._queue.clear()
                self._awaits_keyframe = True
            begins = unit.keyframe and unit.kind == VIDEO
            if not self._connected or (self._awaits_keyframe and not begins):
                self._dropped += unit.kind == VIDEO
                return
            self._awaits_keyframe = False
            if begins:
                self._keyframe_at = time.monotonic()
            self._queue.append(unit)
            self._change.notify_all()

    def stop(self) -> None:
        """Ask for what waits to be written and for the output to be finished; returns at once."""
        with self._change:
            self._over = True
            self._change.notify_all()

    def join(self, deadline: float) -> None:
        """Wait for the end; from the deadline (of time.monotonic) on it is not finished nicely."""
        self._thread.join(max(0.0, deadline - time.monotonic()))
        with self._change:
            self._kill()
        self._thread.join(1.0)

    def _run(self) -> None:
        backoff, warm = Backoff(), None
        while True:
            began = time.monotonic()
            ended = self._serve(warm)
            warm = None
            if self._over:
                return
            if time.monotonic() - began > _STEADY_S:
                backoff.reset()
                self._refused_at = 0.0
            self._report(ended)
            if ended.startswith(CLOSED):
                return
            # it takes a quarter of a second until it can be told what to do
            with suppress(OSError):
                warm = _started(self.destination.program)
            self._wait(backoff)
            if self._over:
                _discard(warm)
                return
            self._restarts += 1

    def _wait(self, backoff: Backoff) -> None:
        """Wait until another try makes sense, or for the end."""
        now = time.monotonic()
        if self._door and not answers(self._door):
            while not self._sleep(_KNOCK_EVERY_S) and not answers(self._door):
                pass
            backoff.reset()
            self._refused_at = 0.0
            return
        self._refused_at = self._refused_at or now
        self._sleep(max(backoff.next_s(), min(_SELDOM_S, (now - self._refused_at) / 10)))

    def _sleep(self, seconds: float) -> bool:
        """Return after a while or at the end; tell whether it is the end."""
        with self._change:
            return self._change.wait_for(lambda: self._over, seconds)

    def _serve(self, warm: subprocess.Popen[bytes] | None) -> str:
        """Run one writer until it ends; return why it did.

        Args:
            warm: the writer, if it was started already.
        """
        try:
            writer = warm or _started(self.destination.program)
        except OSError as error:
            return f"{FAILED}no process can be started: {error.strerror}"
        assert writer.stdin
        assert writer.stdout
        with self._change:
            self._writer, self._hung = writer, False
            self._deadline = time.monotonic() + _OPENING_S
        words = ""
        try:
            send_order(writer.stdin, self.destination.order, self._head)
            words = writer.stdout.readline().decode(errors="replace").strip()
            if words == OPEN:
                self._opened()
                self._hand_over(writer.stdin)
        except OSError:
            pass  # the writer is gone, and says why below
        return self._ended(writer, words)

    def _opened(self) -> None:
        with self._change:
            self._deadline = None
            self._connected = self._awaits_keyframe = True
            self._opened_at = time.monotonic()
            self._reason = ""

    def _hand_over(self, pipe: IO[bytes]) -> None:
        """Send what is put, until there is no more.

        Raises:
            OSError: the writer is gone.
        """
        opened = time.monotonic()
        while True:
            with self._change:
                self._deadline = None
                self._change.wait_for(lambda: self._queue or self._over)
                if not self._queue:
                    return
                unit = self._queue.popleft()
                now = time.monotonic()
                self._deadline = now + _PATIENCE_S
            if self._lost_at is not None and now - opened > _PROVEN_S:
                self._say(f"output {self._name} works again after {opened - self._lost_at:.1f} s")
                self._lost_at = None
            send(pipe, unit)

    def _ended(self, writer: subprocess.Popen[bytes], words: str) -> str:
        """Wait until a writer is gone; return its last words or the next best."""
        assert writer.stdin
        assert writer.stdout
        with self._change:
            self._connected, self._deadline = False, None
            self._dropped += sum(waiting.kind == VIDEO for waiting in self._queue)
            self._queue.clear()
        with suppress(OSError):
            writer.stdin.close()
        try:
            writer.wait(_FAREWELL_S)
        except subprocess.TimeoutExpired:
            writer.kill()
        rest = writer.stdout.read().decode(errors="replace").strip()
        writer.stdout.close()
        code = writer.wait()
        with self._change:
            self._writer = None
        last = (rest or words).rpartition("\n")[2]
        if last.startswith((FAILED, CLOSED)):
            return last
        if self._hung:
            return f"no answer for {_PATIENCE_S if words == OPEN else _OPENING_S:g} s"
        return f"its writer died, exit code {code}{': ' + last if rest else ''}"

    def _report(self, ended: str) -> None:
        reason = masked(ended.removeprefix(FAILED).removeprefix(CLOSED))
        with self._change:
            self._reason = reason
        if ended.startswith(CLOSED):
            self._say(f"output {self._name} ended: {reason}")
        elif self._lost_at is None:
            self._lost_at = time.monotonic()
            self._say(f"output {self._name} failed ({reason}): trying again until it works")

    def _kill(self) -> None:
        if self._writer is not None:
            self._writer.kill()


def _started(program: str) -> subprocess.Popen[bytes]:
    """Start a writer.

    In a session of its own: Ctrl-C is meant for this process, which then has the end written.

    Raises:
        OSError: there is no room for another process.
    """
    return subprocess.Popen(
        module_command(program),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def _discard(writer: subprocess.Popen[bytes] | None) -> None:
    """End a writer that was told nothing yet."""
    if writer:
        writer.kill()
        writer.communicate()
