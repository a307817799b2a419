"""WebRTC connections of the camera page: raw pictures in, safe frames out.

Measured with aiortc 1.16 and Chromium at 640 x 480: the resolution holds only if aiortc's bit
rates, the start rate in the answer and the page's ``degradationPreference`` are all set; and VP8
keeps up where H.264 falls to 8 frames a second.
"""

import asyncio
import re
import secrets
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from struct import unpack_from
from typing import Any

import aiortc.codecs.vpx
import av
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.jitterbuffer import JitterFrame
from aiortc.mediastreams import MediaStreamError
from av.frame import Frame
from av.video.frame import VideoFrame

from streamanon.errors import UsageError
from streamanon.factory import Factory
from streamanon.sinks.live.encoder import as_frame
from streamanon.types import MediaInfo, SafeFrame
from streamanon.web.connections import network_of
from streamanon.web.offer import check_size, reduced_offer
from streamanon.web.visitor_session import LOG, VisitorSession

MAX_VISITORS = 4

MAX_BY_ADDRESS = 2
"""Places that visitors from one address can have."""

START_S = 3.0
"""Longest time from the answer to an offer until the first picture."""

_SILENCE_S = 10.0
"""Without a picture for so long, a visitor is gone."""

MAX_PIXELS = 1920 * 1080
"""Size of a visitor's pictures; larger ones are not decoded."""

_KBITS = {"min": 600, "start": 1000, "max": 1500}
"""Measured at 640 x 480 and 30 frames a second: 1500 is good for 43 dB. Twice that adds 1.5 dB, and
3 ms of processor time to each frame, for coding it twice and for its packets."""


def set_codec_limits() -> None:
    """Raise aiortc's limits of rates, which are too low for a camera, and limit its pictures."""
    vpx = aiortc.codecs.vpx
    vars(aiortc.codecs)["Vp8Decoder"] = LimitedVp8Decoder
    vpx.DEFAULT_BITRATE, vpx.MIN_BITRATE, vpx.MAX_BITRATE = (
        1000 * _KBITS[name] for name in ("start", "min", "max")
    )


class TooManyVisitorsError(Exception):
    """All places are taken, or all that one address can have."""


class LimitedVp8Decoder(aiortc.codecs.vpx.Vp8Decoder):
    """Decoder that drops keyframes of a size no camera has: 50 bytes can ask for 400 MB."""

    def decode(self, encoded_frame: JitterFrame) -> list[Frame]:
        """Decode one frame; see RFC 6386, section 9.1, for the header."""
        head = encoded_frame.data[:10]
        if len(head) == 10 and not head[0] & 1:
            width, height = (value & 0x3FFF for value in unpack_from("<HH", head, 6))
            if width * height > MAX_PIXELS:
                return []
        return super().decode(encoded_frame)


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

    network: str
    connection: RTCPeerConnection
    session: VisitorSession
    track: SafeTrack
    connected: asyncio.Event = field(default_factory=asyncio.Event)
    seen: bool = False
    tasks: set[asyncio.Task[None]] = field(default_factory=set)


class CameraPage:
    """Sessions of all visitors of the camera page."""

    def __init__(self, factory: Factory) -> None:
        """Prepare to take visitors."""
        set_codec_limits()
        self._factory = factory
        self._visitors: dict[str, _Visitor] = {}
        self._entering: Counter[str] = Counter()

    @property
    def visitors(self) -> int:
        """Number of visitors."""
        return len(self._visitors)

    async def enter(self, sdp: str, settings: Mapping[str, Any], address: str) -> dict[str, Any]:
        """Answer a browser's offer, with settings that differ from the factory's.

        Raises:
            TooManyVisitorsError: all places are taken, or those of this address.
            UsageError: the offer is none, or holds no video.
        """
        check_size(sdp)
        network = network_of(address)
        self._check_places(network)
        self._entering[network] += 1
        try:
            offer = await asyncio.to_thread(reduced_offer, sdp, address)
        finally:
            self._entering -= Counter([network])
        name, answer = await self._take_place(offer, settings, network)
        return {"id": name, "type": "answer", "sdp": answer}

    def _check_places(self, network: str) -> None:
        taken = Counter(visitor.network for visitor in self._visitors.values()) + self._entering
        if taken.total() >= MAX_VISITORS:
            raise TooManyVisitorsError(f"{MAX_VISITORS} visitors are here already: try again later")
        if taken[network] >= MAX_BY_ADDRESS:
            raise TooManyVisitorsError(
                f"{MAX_BY_ADDRESS} visitors from your address are here already: try again later"
            )

    async def _take_place(
        self, offer: str, settings: Mapping[str, Any], network: str
    ) -> tuple[str, str]:
        """Return the name of a new session, and the answer to its offer."""
        name, track = secrets.token_urlsafe(12), SafeTrack()
        # no STUN servers: both ends are in one network, and no third party learns of them
        connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        session = VisitorSession(self._factory.for_stream(**settings), track.show)
        visitor = self._visitors[name] = _Visitor(network, connection, session, track)
        session.start()
        try:
            return name, await self._answer(name, visitor, offer)
        except BaseException:
            await self.leave(name)
            raise

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
        visitor.session.end()  # at once: the server may end before anything below is done
        await asyncio.gather(asyncio.to_thread(visitor.session.leave), visitor.connection.close())
        if visitor.seen:
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
            if connection.connectionState == "connected":
                visitor.connected.set()
            if connection.connectionState in ("failed", "closed"):
                await self.leave(name)

        codecs = RTCRtpSender.getCapabilities("video").codecs
        vp8 = [one for one in codecs if one.mimeType.lower() in ("video/vp8", "video/rtx")]
        connection.addTransceiver(visitor.track).setCodecPreferences(vp8)
        try:
            await connection.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        except Exception as error:
            raise UsageError(f"the offer cannot be read ({type(error).__name__})") from error
        if not incoming:
            raise UsageError("the offer holds no video: send the camera's track")
        await connection.setLocalDescription(await connection.createAnswer())
        task = asyncio.create_task(self._receive(name, visitor, incoming[0]))
        visitor.tasks.add(task)
        return _with_bit_rates(connection.localDescription.sdp)

    async def _receive(self, name: str, visitor: _Visitor, track: MediaStreamTrack) -> None:
        """Hand pictures over as fast as they come, until there are no more."""
        with suppress(MediaStreamError, TimeoutError):
            async with asyncio.timeout(START_S):
                await visitor.connected.wait()
                picture = await track.recv()
            visitor.seen = True  # logged with the first picture: offers alone could fill the log
            LOG.info(f"a visitor came, {self.visitors} of {MAX_VISITORS} places taken")
            while True:
                if isinstance(picture, av.VideoFrame):
                    visitor.session.offer(picture)
                picture = await asyncio.wait_for(track.recv(), _SILENCE_S)
        await self.leave(name)


def _with_bit_rates(sdp: str) -> str:
    """Make Chromium start at a rate at which it need not shrink its pictures."""
    found = re.search(r"a=rtpmap:(\d+) VP8/90000\r\n", sdp)
    if found is None:
        return sdp
    rates = ";".join(f"x-google-{name}-bitrate={rate}" for name, rate in _KBITS.items())
    return sdp.replace(found[0], f"{found[0]}a=fmtp:{found[1]} {rates}\r\n")
