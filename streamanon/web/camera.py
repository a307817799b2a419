"""WebRTC connections of the camera page: raw pictures in, safe frames out.

Measured with aiortc 1.16 and Chromium at 640 x 480: the resolution holds only if aiortc's bit
rates, the start rate in the answer and the page's ``degradationPreference`` are all set; and VP8
keeps up where H.264 falls to 8 frames a second.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiortc.codecs.vpx
import av
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError
from av.video.frame import VideoFrame

from streamanon.errors import UsageError
from streamanon.sinks.live.encoder import as_frame
from streamanon.types import MediaInfo, SafeFrame
from streamanon.web.visitor_session import LOG, VisitorSession

if TYPE_CHECKING:
    from streamanon.factory import Factory

MAX_VISITORS = 4

_SILENCE_S = 10.0
"""Without a picture for so long, a visitor is gone."""

_KBITS = {"min": 600, "start": 1000, "max": 1500}
"""Measured at 640 x 480 and 30 frames a second: 1500 is good for 43 dB. Twice that adds 1.5 dB, and
3 ms of processor time to each frame, for coding it twice and for its packets."""


def set_bit_rates() -> None:
    """Raise aiortc's limits, which are too low for the size of a camera's pictures."""
    vpx = aiortc.codecs.vpx
    vpx.DEFAULT_BITRATE, vpx.MIN_BITRATE, vpx.MAX_BITRATE = (
        1000 * _KBITS[name] for name in ("start", "min", "max")
    )


class TooManyVisitorsError(Exception):
    """All places are taken."""


class SafeTrack(MediaStreamTrack):
    """Video track of safe frames to a browser; only the newest waits."""

    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self._home = asyncio.get_running_loop()
        self._newest: VideoFrame | None = None
        self._pts = -1
        self._changed = asyncio.Event()

    def show(self, frame: SafeFrame, info: MediaInfo) -> None:
        """Send a frame next; called by one thread at a time."""
        # After a placeholder may come a frame that is a little older than it.
        self._pts = max(self._pts + 1, frame.pts)
        picture = as_frame(frame.picture, info, self._pts)
        with suppress(RuntimeError):  # the loop is closed
            self._home.call_soon_threadsafe(self._set, picture)

    async def recv(self) -> VideoFrame:
        """Return the next frame, for aiortc."""
        if self.readyState != "live":
            raise MediaStreamError
        await self._changed.wait()
        self._changed.clear()
        if self._newest is None:
            raise MediaStreamError
        return self._newest

    def stop(self) -> None:
        """End the track and forget the last frame."""
        super().stop()
        self._set(None)

    def _set(self, picture: VideoFrame | None) -> None:
        if picture is not None and self.readyState != "live":
            return
        self._newest = picture
        self._changed.set()


@dataclass(slots=True)
class _Visitor:
    """One connection, and everything that ends with it."""

    connection: RTCPeerConnection
    session: VisitorSession
    track: SafeTrack
    tasks: set[asyncio.Task[None]] = field(default_factory=set)


class CameraPage:
    """Sessions of all visitors of the camera page."""

    def __init__(self, factory: Factory) -> None:
        """Prepare to take visitors."""
        set_bit_rates()
        self._factory = factory
        self._visitors: dict[str, _Visitor] = {}

    @property
    def visitors(self) -> int:
        """Number of visitors."""
        return len(self._visitors)

    async def enter(self, sdp: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Answer a browser's offer.

        Args:
            sdp: the offer.
            settings: those that differ from the factory's, by name.

        Raises:
            TooManyVisitorsError: all places are taken.
            UsageError: the offer is none, or holds no video.
        """
        if len(self._visitors) >= MAX_VISITORS:
            raise TooManyVisitorsError(f"{MAX_VISITORS} visitors are here already: try again later")
        name = secrets.token_urlsafe(12)
        track = SafeTrack()
        # no STUN servers: both ends are in one network, and no third party learns of them
        connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        session = VisitorSession(self._factory.for_stream(**settings), track.show)
        visitor = _Visitor(connection, session, track)
        self._visitors[name] = visitor
        session.start()
        try:
            answer = await self._answer(name, visitor, sdp)
        except BaseException:
            await self.leave(name)
            raise
        LOG.info(f"a visitor came, {self.visitors} of {MAX_VISITORS} places taken")
        return {"id": name, "type": "answer", "sdp": answer}

    def session(self, name: str) -> VisitorSession | None:
        """Return a session that has not ended."""
        visitor = self._visitors.get(name)
        return visitor.session if visitor else None

    async def leave(self, name: str) -> None:
        """End a session; nothing is kept."""
        visitor = self._visitors.pop(name, None)
        if visitor is None:
            return
        for task in visitor.tasks - {asyncio.current_task()}:
            task.cancel()
        visitor.track.stop()
        await asyncio.gather(asyncio.to_thread(visitor.session.leave), visitor.connection.close())
        LOG.info(f"a visitor left, {self.visitors} of {MAX_VISITORS} places taken")

    async def close(self) -> None:
        """End all sessions."""
        await asyncio.gather(*(self.leave(name) for name in list(self._visitors)))

    async def _answer(self, name: str, visitor: _Visitor, sdp: str) -> str:
        connection = visitor.connection
        incoming: list[MediaStreamTrack] = []

        @connection.on("track")
        def _(track: MediaStreamTrack) -> None:
            if track.kind == "video" and not incoming:
                incoming.append(track)

        @connection.on("connectionstatechange")
        async def _() -> None:
            if connection.connectionState in ("failed", "closed"):
                await self.leave(name)

        vp8 = [codec for codec in RTCRtpSender.getCapabilities("video").codecs if _is_vp8(codec)]
        connection.addTransceiver(visitor.track).setCodecPreferences(vp8)
        try:
            await connection.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        except Exception as error:
            raise UsageError(f"the offer cannot be read ({type(error).__name__})") from error
        if not incoming:
            raise UsageError("the offer holds no video: send the camera's track")
        await connection.setLocalDescription(await connection.createAnswer())
        task = asyncio.create_task(self._receive(name, visitor.session, incoming[0]))
        visitor.tasks.add(task)
        return _with_bit_rates(connection.localDescription.sdp)

    async def _receive(self, name: str, session: VisitorSession, track: MediaStreamTrack) -> None:
        """Hand pictures over as fast as they come, until there are no more."""
        with suppress(MediaStreamError, TimeoutError):
            while True:
                picture = await asyncio.wait_for(track.recv(), _SILENCE_S)
                if isinstance(picture, av.VideoFrame):
                    session.offer(picture)
        await self.leave(name)


def _is_vp8(codec: Any) -> bool:
    return codec.mimeType.lower() in ("video/vp8", "video/rtx")


def _with_bit_rates(sdp: str) -> str:
    """Make Chromium start at a rate at which it need not shrink its pictures."""
    found = re.search(r"a=rtpmap:(\d+) VP8/90000\r\n", sdp)
    if found is None:
        return sdp
    rates = ";".join(f"x-google-{name}-bitrate={rate}" for name, rate in _KBITS.items())
    return sdp.replace(found[0], f"{found[0]}a=fmtp:{found[1]} {rates}\r\n")
