"""The other end of the camera page, with a WebRTC client that is no browser."""

import asyncio
import gc
import weakref
from fractions import Fraction
from typing import Any

import av
import numpy as np
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from streamanon.types import U8
from streamanon.web.camera import MAX_VISITORS
from testkit.painted import SHOWS, SIZE, loud_pixels, painted_frames
from testkit.requests import Site
from testkit.waiting import wait_until

HERE_ONLY = RTCConfiguration(iceServers=[])


class PaintedTrack(MediaStreamTrack):
    """The painted clip at 25 frames a second."""

    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self._index = 0

    async def recv(self) -> av.VideoFrame:
        await asyncio.sleep(0.04)
        frames = painted_frames()
        frame = av.VideoFrame.from_ndarray(frames[self._index % len(frames)], format="yuv420p")
        self._index += 1
        frame.pts, frame.time_base = self._index * 3600, Fraction(1, 90_000)
        return frame


class Client:
    """A visitor."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self.peer = RTCPeerConnection(HERE_ONLY)
        self.incoming: list[MediaStreamTrack] = []
        self.peer.on("track", self.incoming.append)

    async def enter(self, wish: dict[str, Any]) -> str:
        self.peer.addTrack(PaintedTrack())
        await self.peer.setLocalDescription(await self.peer.createOffer())
        offer = {"sdp": self.peer.localDescription.sdp, **wish}
        answer = await asyncio.to_thread(self._site.ask, "POST", "/api/camera", offer)
        assert answer.status == 201, answer.body
        assert "x-google-start-bitrate" in answer.json["sdp"]
        assert "H264" not in answer.json["sdp"]
        await self.peer.setRemoteDescription(RTCSessionDescription(answer.json["sdp"], "answer"))
        return f"/api/camera/{answer.json['id']}"

    async def next(self) -> U8:
        frame = await asyncio.wait_for(self.incoming[0].recv(), 60)
        assert isinstance(frame, av.VideoFrame)
        return np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)


def offer_without_candidates(kind: str) -> str:
    async def make() -> str:
        peer = RTCPeerConnection(HERE_ONLY)
        peer.addTransceiver(kind)
        await peer.setLocalDescription(await peer.createOffer())
        sdp = peer.localDescription.sdp
        await peer.close()
        return sdp

    return asyncio.run(make())


def test_a_visitor_comes_back_anonymised_and_leaves_nothing(site: Site) -> None:
    async def visit() -> weakref.ref[Any]:
        client = Client(site)
        try:
            path = await client.enter({"method": "warp", "identity": "amara"})
            pictures = [await client.next() for _ in range(25)]
            assert {picture.shape for picture in pictures} == {(SIZE[1], SIZE[0], 3)}
            assert max(loud_pixels(picture) for picture in pictures) < SHOWS
            assert pictures[-1].std() > 10
            status = (await asyncio.to_thread(site.ask, "GET", path)).json
            assert (status["method"], status["identity"], status["error"]) == ("warp", "amara", "")
            wish = {"method": "mosaic", "identity": None}
            status = (await asyncio.to_thread(site.ask, "PATCH", path, wish)).json
            assert (status["method"], status["identity"]) == ("mosaic", None)
            assert max([loud_pixels(await client.next()) for _ in range(10)]) < SHOWS
            name = path.rpartition("/")[2]
            return weakref.ref(site.server.camera.session(name))
        finally:
            await client.peer.close()

    kept = asyncio.run(visit())
    wait_until(lambda: site.server.camera.visitors == 0)

    def gone() -> bool:
        gc.collect()
        return kept() is None

    wait_until(gone)


def test_places_are_limited_and_free_again(site: Site) -> None:
    offer = {"sdp": offer_without_candidates("video")}
    names = []
    for _ in range(MAX_VISITORS):
        answer = site.ask("POST", "/api/camera", offer)
        assert answer.status == 201
        names.append(answer.json["id"])
    full = site.ask("POST", "/api/camera", offer)
    assert full.status == 503
    assert "try again later" in full.json["error"]
    assert (
        f"streamanon_camera_visitors {MAX_VISITORS}.0" in site.ask("GET", "/metrics").body.decode()
    )
    assert site.ask("DELETE", f"/api/camera/{names[0]}").status == 204
    assert site.ask("GET", f"/api/camera/{names[0]}").status == 404
    assert site.ask("POST", "/api/camera", offer).status == 201


def test_offers_that_cannot_be_answered_are_refused_in_one_line(site: Site) -> None:
    bad: list[tuple[object, str]] = [
        ({}, "sdp is missing"),
        ({"sdp": 7}, "sdp is missing"),
        ({"sdp": "v=0 nonsense"}, "the offer"),
        ({"sdp": offer_without_candidates("audio")}, "holds no video"),
        ({"sdp": "v=0", "method": "haze"}, "unknown method 'haze'"),
    ]
    for body, words in bad:
        answer = site.ask("POST", "/api/camera", body)
        assert answer.status == 400, body
        assert words in answer.json["error"]
    assert site.server.camera.visitors == 0
