"""An RTSP server of our own, in a process of its own: what is pushed to a path is read from it.

A process, because faults are then real ones: it can be killed, restarted on the same port, frozen
and woken (SIGSTOP, SIGCONT), and made to send garbage. RTP is interleaved with RTSP on one TCP
connection, or goes to readers by UDP.

Measured: starts in 0.1 s and forwards within 1 ms.
"""

import asyncio
import base64
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from testkit.children import child
from testkit.paths import ROOT

_MAX_WAITING_BYTES = 8_000_000
"""What a reader that does not read is kept at most."""


class RtspRelay:
    """Starts, torments and ends the server; a context manager.

    When a push ends its readers are sent away, as MediaMTX does (``setNotReady``).

    Attributes:
        port: port of the relay, the same after restarts.
    """

    def __init__(self, user: str = "", password: str = "", *, keeps_readers: bool = False) -> None:
        """Prepare one.

        Args:
            user: name of the only user allowed; "" for everybody.
            password: password of the user.
            keeps_readers: readers stay, and are sent whatever is pushed to their path next.
        """
        self._secret = f"{user}:{password}" if user else ""
        self._habits = "keeps" if keeps_readers else ""
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def url(self, path: str, credentials: str = "") -> str:
        """Return the address of a path, with "user:password" if given."""
        return f"rtsp://{credentials + '@' if credentials else ''}127.0.0.1:{self.port}/{path}"

    def start(self) -> None:
        """Start, on the same port as before if it ran before; returns once it listens."""
        relay = (sys.executable, "-m", "testkit.servers.rtsp_relay")
        self._process = subprocess.Popen(
            [*relay, str(self.port), self._secret, self._habits],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def kill(self) -> None:
        """End it as a crash would: no connection is closed politely."""
        if self._process:
            for pipe in (self._process.stdin, self._process.stdout):
                assert pipe is not None
                pipe.close()
            self._process.kill()
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        """Kill it and start it again on the same port."""
        self.kill()
        self.start()

    def stall(self) -> None:
        """Freeze it: connections stay open and nothing comes."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after :meth:`stall`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def send_garbage(self, size: int = 2000) -> None:
        """Put random bytes among those that all readers are sent."""
        self._order(f"garbage {size}")

    def spoil(self, packets: int = 1) -> None:
        """Overwrite the payload of the next packets on their way to readers."""
        self._order(f"spoil {packets}")

    def lose(self, packets: int = 1) -> None:
        """Lose the next packets."""
        self._order(f"lose {packets}")

    def jump(self, seconds: int) -> None:
        """Shift the timestamps of all packets from now on."""
        self._order(f"jump {seconds}")

    def hang_up(self) -> None:
        """Close the connections of all readers."""
        self._order("hangup")

    def _order(self, text: str) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(text.encode() + b"\n")
        self._process.stdin.flush()

    @contextmanager
    def serve_file(self, clip: Path, path: str, *, loop: str = "") -> Iterator[str]:
        """Push a clip in real time for as long as the context lasts; yields where to read it.

        The push reconnects by itself when the relay was restarted, like a camera.

        Args:
            clip: any video; its packets are copied.
            path: path on the relay.
            loop: what to do at the end of the clip: "" ends, "steady" goes on with growing
                timestamps, "again" ends the push and begins a new one.
        """
        with publish(clip, self.url(path, self._secret), loop=loop):
            yield self.url(path, self._secret)


@contextmanager
def publish(clip: Path, url: str, *, loop: str = "") -> Iterator[None]:
    """Push a clip to any rtsp, rtmp or udp address in real time; returns once it is on its way."""
    publisher = (sys.executable, "-m", "testkit.servers.publisher")
    with child((*publisher, str(clip.absolute()), url, loop)) as printed:
        printed.readline()
        yield


class _Reader:
    """A client that plays a path."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.by_udp: dict[int, tuple[str, int]] = {}

    def send(self, channel: int, payload: bytes, udp: socket.socket) -> None:
        if channel in self.by_udp:
            udp.sendto(payload, self.by_udp[channel])
        elif self.writer.is_closing():
            return
        elif self.writer.transport.get_write_buffer_size() < _MAX_WAITING_BYTES:
            self.writer.write(bytes((0x24, channel)) + len(payload).to_bytes(2, "big") + payload)


@dataclass
class _Path:
    """What is known of one path."""

    sdp: bytes = b""
    readers: list[_Reader] = field(default_factory=list)

    def clock(self, channel: int) -> int:
        """Return the timestamps a second of a channel."""
        clocks = re.findall(rb"a=rtpmap:\d+ [^/]+/(\d+)", self.sdp)
        return int(clocks[channel // 2]) if channel // 2 < len(clocks) else 90_000


class _Server:
    """The server itself; runs in the other process."""

    def __init__(self, secret: str, habits: str) -> None:
        self._secret = secret
        self.keeps_readers = habits == "keeps"
        self._paths: dict[str, _Path] = {}
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.settimeout(0)
        self._spoil = self._lose = self._jump_s = 0

    def obey(self, order: str) -> None:
        """Carry out a line of the parent."""
        word, _, number = order.strip().partition(" ")
        readers = [reader for path in self._paths.values() for reader in path.readers]
        if word == "garbage":
            for reader in readers:
                reader.writer.write(os.urandom(int(number)))
        elif word == "hangup":
            for reader in readers:
                reader.writer.transport.abort()
        elif word == "jump":
            self._jump_s += int(number)
        elif word == "spoil":
            self._spoil += int(number)
        elif word == "lose":
            self._lose += int(number)

    async def serve(self, stream: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Talk to one client until it goes."""
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client = _Client(self, writer)
        with suppress(asyncio.IncompleteReadError, ConnectionError, ValueError):
            while True:
                first = await stream.readexactly(1)
                if first == b"$":
                    head = await stream.readexactly(3)
                    payload = await stream.readexactly(int.from_bytes(head[1:], "big"))
                    client.packet(head[0], payload)
                else:
                    request = first + await stream.readuntil(b"\r\n\r\n")
                    length = re.search(rb"(?i)content-length: *(\d+)", request)
                    body = await stream.readexactly(int(length[1])) if length else b""
                    client.answer(request.decode(), body)
        client.leave()
        writer.close()

    def path(self, name: str) -> _Path:
        """Return what is known of a path."""
        return self._paths.setdefault(name, _Path())

    def allows(self, request: str) -> bool:
        """Tell whether a request carries the right password."""
        token = base64.b64encode(self._secret.encode()).decode()
        return not self._secret or f"Basic {token}" in request

    def forward(self, path: _Path, channel: int, payload: bytes) -> None:
        """Hand a packet to all readers, unless it is to be lost or spoilt."""
        media = channel % 2 == 0
        if media and self._lose:
            self._lose -= 1
            return
        if self._jump_s:
            if not media:
                return  # a sender report would tell what the time really is
            payload = _shifted(payload, self._jump_s * path.clock(channel))
        if media and self._spoil and len(payload) > 40:
            self._spoil -= 1
            payload = payload[:16] + os.urandom(len(payload) - 16)
        for reader in path.readers:
            with suppress(OSError):
                reader.send(channel, payload, self._udp)


def _shifted(payload: bytes, ticks: int) -> bytes:
    """Return an RTP packet with another timestamp."""
    stamp = (int.from_bytes(payload[4:8], "big") + ticks) % (1 << 32)
    return payload[:4] + stamp.to_bytes(4, "big") + payload[8:]


class _Client:
    """One connection of a client that pushes or reads."""

    def __init__(self, server: _Server, writer: asyncio.StreamWriter) -> None:
        self._server, self._writer = server, writer
        self._reader = _Reader(writer)
        self._path: _Path | None = None
        self._pushes = False

    def packet(self, channel: int, payload: bytes) -> None:
        if self._pushes and self._path:
            self._server.forward(self._path, channel, payload)

    def answer(self, request: str, body: bytes) -> None:
        """Answer one request."""
        method, url, _ = request.split(" ", 2)
        name = re.sub(r"^\w+://[^/]*/|/?streamid=\d+$|/$", "", url)
        if method != "OPTIONS" and not self._server.allows(request):
            challenge = 'WWW-Authenticate: Basic realm="relay"'
            return self._reply(request, "401 Unauthorized", challenge)
        handlers: dict[str, Callable[[str, str, bytes], None]] = {
            "ANNOUNCE": self._announce,
            "DESCRIBE": self._describe,
            "SETUP": self._setup,
            "RECORD": self._record,
            "PLAY": self._play,
            "TEARDOWN": self._teardown,
        }
        handler = handlers.get(method)
        if handler is None:
            return self._reply(request, "200 OK", "Public: ANNOUNCE, DESCRIBE, SETUP, PLAY, RECORD")
        return handler(request, name, body)

    def _announce(self, request: str, name: str, body: bytes) -> None:
        self._path = self._server.path(name)
        self._path.sdp = body
        self._reply(request, "200 OK")

    def _describe(self, request: str, name: str, body: bytes) -> None:
        sdp = self._server.path(name).sdp
        if not sdp:
            return self._reply(request, "404 Not Found")
        return self._reply(request, "200 OK", "Content-Type: application/sdp", body=sdp)

    def _setup(self, request: str, name: str, body: bytes) -> None:
        self._path = self._path or self._server.path(name)
        transport = re.search(r"(?i)^transport: *(.*?)\r?$", request, re.MULTILINE)
        track = re.search(r"streamid=(\d+)", request.partition("\r\n")[0])
        wanted = transport[1] if transport else ""
        ports = re.search(r"client_port=(\d+)-(\d+)", wanted)
        if ports:
            channel = 2 * int(track[1] if track else 0)
            host = self._writer.get_extra_info("peername")[0]
            self._reader.by_udp[channel] = (host, int(ports[1]))
            self._reader.by_udp[channel + 1] = (host, int(ports[2]))
            wanted += ";server_port=50000-50001"
        self._reply(request, "200 OK", f"Transport: {wanted}", "Session: 1")

    def _record(self, request: str, name: str, body: bytes) -> None:
        self._pushes = True
        self._reply(request, "200 OK", "Session: 1")

    def _play(self, request: str, name: str, body: bytes) -> None:
        self._reply(request, "200 OK", "Session: 1", "Range: npt=0-")
        if self._path:
            self._path.readers.append(self._reader)

    def _teardown(self, request: str, name: str, body: bytes) -> None:
        self._reply(request, "200 OK")
        self.leave()

    def leave(self) -> None:
        """Forget this client."""
        if self._path and self._reader in self._path.readers:
            self._path.readers.remove(self._reader)
        if self._path and self._pushes:
            self._path.sdp = b""
            self._pushes = False
            if not self._server.keeps_readers:
                for reader in self._path.readers:
                    reader.writer.close()

    def _reply(self, request: str, status: str, *headers: str, body: bytes = b"") -> None:
        number = re.search(r"(?i)cseq: *(\d+)", request)
        lines = [f"RTSP/1.0 {status}", f"CSeq: {number[1] if number else 0}", *headers]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        self._writer.write("\r\n".join([*lines, "", ""]).encode() + body)


async def _main(port: int, secret: str, habits: str) -> None:
    server = _Server(secret, habits)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", port)
    print(listener.sockets[0].getsockname()[1], flush=True)  # noqa: T201  the parent waits for it
    loop = asyncio.get_running_loop()
    while order := await loop.run_in_executor(None, sys.stdin.readline):
        server.obey(order)


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]), *sys.argv[2:]))
