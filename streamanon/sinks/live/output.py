"""One live output: a queue, its writer process, and a thread that restarts the process.

Handing over a packet never blocks, whatever the server does. When a slow output cannot keep up,
packets are dropped up to the next keyframe, so that the output is never far behind.
"""

import subprocess
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from logging import Logger
from threading import Condition, Thread
from typing import IO

from streamanon.child_process import module_command
from streamanon.media.backoff import Backoff
from streamanon.media.credentials import masked
from streamanon.sinks.live.destination import Destination
from streamanon.sinks.live.endpoint_probe import endpoint_of, is_listening
from streamanon.sinks.writers.messages import VIDEO, MediaPacket, send, send_job
from streamanon.sinks.writers.writer import CLOSED, FAILED, OPEN

_DEPTH = {"libx264": 64, "rawvideo": 2}
"""Packets in the queue: two seconds of H.264; few uncompressed pictures, which are large."""

_OPEN_TIMEOUT_S = 10.0
_WRITE_TIMEOUT_S = 5.0
"""Seconds a writer may take to open its output, and for one packet, before it is killed."""

_STABLE_S = 10.0
"""An output that worked for so long is retried immediately when it fails."""

_LONGEST_WAIT_S = 5.0
"""The wait before a retry is a tenth of the time for which the output has refused, at most this:
each try costs a tenth of a second of a core."""

_PROBE_INTERVAL_S = 0.2
"""Interval of probes for a server that does not listen; they cost next to nothing."""

_EXTRA_KEYFRAMES_S, _EXTRA_KEYFRAME_STEP_S = 5.0, 0.5
"""For so long after an output was opened, keyframes come this often: players that reconnect do so a
moment later than we do, and miss the first keyframe."""

_RECOVERED_S = 1.0
"""An output counts as working again when it has taken packets for so long."""

_CLOSE_TIMEOUT_S = 2.0
"""Seconds a writer has for finishing its output."""


@dataclass(frozen=True, slots=True)
class OutputState:
    """State of one output.

    Attributes:
        name: address without credentials.
        connected: True while it takes pictures.
        restarts: number of times it was opened again.
        dropped: pictures that were not written to it.
        reason: why it is not connected; "" while it is, and before the first try.
    """

    name: str
    connected: bool = False
    restarts: int = 0
    dropped: int = 0
    reason: str = ""


class Output:
    """Sends packets to a writer process, and starts another one whenever that fails."""

    def __init__(self, destination: Destination, header: bytes, log: Logger) -> None:
        self.destination = destination
        self._header, self._log = header, log
        self._name = str(destination.address)
        self._depth = _DEPTH[destination.kind]
        self._queue: deque[MediaPacket] = deque()
        self._change = Condition()
        self._writer: subprocess.Popen[bytes] | None = None
        self._deadline: float | None = None
        self._over = self._hung = self._connected = self._awaits_keyframe = False
        self._restarts = self._dropped = 0
        self._reason = ""
        self._lost_at: float | None = None
        self._refused_at = 0.0
        self._opened_at = self._keyframe_at = 0.0
        self._endpoint = endpoint_of(destination.job)
        self._thread = Thread(target=self._run, name=f"streamanon-{self._name}", daemon=True)
        self._thread.start()

    @property
    def state(self) -> OutputState:
        """Present state; for any thread."""
        with self._change:
            return OutputState(
                self._name, self._connected, self._restarts, self._dropped, self._reason
            )

    @property
    def wants_keyframe(self) -> bool:
        """True until the first keyframe after opening, and at intervals for a while after that."""
        now = time.monotonic()
        extra = now - self._opened_at < _EXTRA_KEYFRAMES_S
        extra = extra and now - self._keyframe_at >= _EXTRA_KEYFRAME_STEP_S
        return self._connected and (self._awaits_keyframe or extra)

    def put(self, packet: MediaPacket) -> None:
        """Queue a packet, or drop it, without blocking. A writer that hangs is killed."""
        with self._change:
            if self._deadline is not None and time.monotonic() > self._deadline:
                self._hung = True
                self._kill()
            if len(self._queue) >= self._depth:
                self._dropped += sum(waiting.kind == VIDEO for waiting in self._queue)
                self._queue.clear()
                self._awaits_keyframe = True
            begins = packet.keyframe and packet.kind == VIDEO
            if not self._connected or (self._awaits_keyframe and not begins):
                self._dropped += packet.kind == VIDEO
                return
            self._awaits_keyframe = False
            if begins:
                self._keyframe_at = time.monotonic()
            self._queue.append(packet)
            self._change.notify_all()

    def stop(self) -> None:
        """Have the queue written and the output finished; does not block."""
        with self._change:
            self._over = True
            self._change.notify_all()

    def join(self, deadline: float) -> None:
        """Wait for the end; at the deadline (time.monotonic) the writer is killed."""
        self._thread.join(max(0.0, deadline - time.monotonic()))
        with self._change:
            self._kill()
        self._thread.join(1.0)

    def _run(self) -> None:
        backoff, spare = Backoff(), None
        while True:
            began = time.monotonic()
            ended = self._serve(spare)
            spare = None
            if self._over:
                return
            if time.monotonic() - began > _STABLE_S:
                backoff.reset()
                self._refused_at = 0.0
            self._report(ended)
            if ended.startswith(CLOSED):
                return
            # it takes a quarter of a second until it can receive its job
            with suppress(OSError):
                spare = _started(self.destination.program)
            self._wait(backoff)
            if self._over:
                if spare:  # it has received no job
                    spare.kill()
                    spare.communicate()
                return
            self._restarts += 1

    def _wait(self, backoff: Backoff) -> None:
        """Wait until the next try is due, or until the end."""
        now = time.monotonic()
        if self._endpoint and not is_listening(self._endpoint):
            while not self._sleep(_PROBE_INTERVAL_S) and not is_listening(self._endpoint):
                pass
            backoff.reset()
            self._refused_at = 0.0
            return
        self._refused_at = self._refused_at or now
        self._sleep(max(backoff.next_s(), min(_LONGEST_WAIT_S, (now - self._refused_at) / 10)))

    def _sleep(self, seconds: float) -> bool:
        """Sleep until a time or the end; return whether it is the end."""
        with self._change:
            return self._change.wait_for(lambda: self._over, seconds)

    def _serve(self, spare: subprocess.Popen[bytes] | None) -> str:
        """Run one writer until it ends; return why it did."""
        try:
            writer = spare or _started(self.destination.program)
        except OSError as error:
            return f"{FAILED}no process can be started: {error.strerror}"
        assert writer.stdin
        assert writer.stdout
        with self._change:
            self._writer, self._hung = writer, False
            self._deadline = time.monotonic() + _OPEN_TIMEOUT_S
        words = ""
        try:
            send_job(writer.stdin, self.destination.job, self._header)
            words = writer.stdout.readline().decode(errors="replace").strip()
            if words == OPEN:
                with self._change:
                    self._deadline = None
                    self._connected = self._awaits_keyframe = True
                    self._opened_at = time.monotonic()
                    self._reason = ""
                self._hand_over(writer.stdin)
        except OSError:
            pass  # the writer has ended; its output says why
        return self._ended(writer, words)

    def _hand_over(self, pipe: IO[bytes]) -> None:
        """Send what is queued until the end."""
        opened = time.monotonic()
        while True:
            with self._change:
                self._deadline = None
                self._change.wait_for(lambda: self._queue or self._over)
                if not self._queue:
                    return
                packet = self._queue.popleft()
                now = time.monotonic()
                self._deadline = now + _WRITE_TIMEOUT_S
            if self._lost_at is not None and now - opened > _RECOVERED_S:
                away_s = opened - self._lost_at
                self._log.info(f"output {self._name} works again after {away_s:.1f} s")
                self._lost_at = None
            send(pipe, packet)

    def _ended(self, writer: subprocess.Popen[bytes], words: str) -> str:
        """Wait until a writer has ended; return its last line, or another reason."""
        assert writer.stdin
        assert writer.stdout
        with self._change:
            self._connected, self._deadline = False, None
            self._dropped += sum(waiting.kind == VIDEO for waiting in self._queue)
            self._queue.clear()
        with suppress(OSError):
            writer.stdin.close()
        try:
            writer.wait(_CLOSE_TIMEOUT_S)
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
            return f"no answer for {_WRITE_TIMEOUT_S if words == OPEN else _OPEN_TIMEOUT_S:g} s"
        return f"its writer died, exit code {code}{': ' + last if rest else ''}"

    def _report(self, ended: str) -> None:
        reason = masked(ended.removeprefix(FAILED).removeprefix(CLOSED))
        with self._change:
            self._reason = reason
        if ended.startswith(CLOSED):
            self._log.info(f"output {self._name} ended: {reason}")
        elif self._lost_at is None:
            self._lost_at = time.monotonic()
            self._log.warning(f"output {self._name} failed ({reason}): trying again until it works")

    def _kill(self) -> None:
        if self._writer is not None:
            self._writer.kill()


def _started(program: str) -> subprocess.Popen[bytes]:
    """Start a writer process.

    It gets its own session: Ctrl-C is for this process, which then has the output finished.
    """
    return subprocess.Popen(
        module_command(program),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
