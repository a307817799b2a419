"""The other end of the camera page, with a WebRTC client that is no browser."""

import asyncio
import gc
import socket
import weakref
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest
from aioice.ice import get_host_addresses
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription
from aiortc.codecs import CODECS, get_decoder
from aiortc.jitterbuffer import JitterFrame
from aiortc.sdp import SessionDescription

from streamanon.factory import Factory
from streamanon.types import U8
from streamanon.web import camera
from streamanon.web.camera import MAX_BY_ADDRESS, MAX_VISITORS, CameraPage
from streamanon.web.offer import reduced_offer
from streamanon.web.visitor_session import LOG, VisitorSession
from testkit.logs import logged
from testkit.offers import HERE_ONLY, offer_of_aiortc
from testkit.painted import SHOWS, SIZE, loud_pixels, painted_frames
from testkit.requests import Answer, Site
from testkit.waiting import wait_until


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

    async def enter(self, wanted: dict[str, Any]) -> str:
        self.peer.addTrack(PaintedTrack())
        await self.peer.setLocalDescription(await self.peer.createOffer())
        offer = {"sdp": self.peer.localDescription.sdp, **wanted}
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


def with_candidates(*lines: str) -> str:
    offer = offer_of_aiortc("video")
    kept = [line for line in offer.splitlines() if not line.startswith("a=candidate:")]
    return "\r\n".join([*kept, *lines, ""])


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
            document = (await asyncio.to_thread(site.ask, "GET", "/api/openapi.json")).json
            assert status.keys() == document["components"]["schemas"]["Visit"]["properties"].keys()
            wanted = {"method": "mosaic", "identity": None}
            status = (await asyncio.to_thread(site.ask, "PATCH", path, wanted)).json
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


def test_a_visit_ends_although_the_server_ends_meanwhile(factory: Factory) -> None:
    offer = offer_of_aiortc("video")

    async def visit() -> VisitorSession:
        page = CameraPage(factory)
        name = (await page.enter(offer, {"method": "mosaic"}, "127.0.0.1"))["id"]
        visitor = page._visitors[name]
        leaving = asyncio.create_task(page.leave(name))
        await asyncio.sleep(0)
        leaving.cancel()
        await visitor.connection.close()
        return visitor.session

    session = asyncio.run(visit())
    wait_until(lambda: not session._thread.is_alive())


def test_places_are_limited_and_free_again(site: Site) -> None:
    offer = {"sdp": offer_of_aiortc("video")}

    def enter(number: int) -> Answer:
        return site.ask("POST", "/api/camera", offer, source=f"127.0.0.{number}")

    names = []
    for number in range(MAX_VISITORS):
        answer = enter(1 + number // MAX_BY_ADDRESS)
        assert answer.status == 201
        names.append(answer.json["id"])
    full = enter(9)
    assert full.status == 503
    assert f"{MAX_VISITORS} visitors are here already: try again later" in full.json["error"]
    assert (
        f"streamanon_camera_visitors {MAX_VISITORS}.0" in site.ask("GET", "/metrics").body.decode()
    )
    assert site.ask("DELETE", f"/api/camera/{names[0]}").status == 204
    assert site.ask("GET", f"/api/camera/{names[0]}").status == 404
    of_address = enter(2)
    assert of_address.status == 503
    assert f"{MAX_BY_ADDRESS} visitors from your address are here" in of_address.json["error"]
    assert enter(1).status == 201


def test_places_that_send_nothing_are_given_back(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(camera, "START_S", 0.3)
    offer = {"sdp": offer_of_aiortc("video")}
    with logged(LOG.name) as said:
        for _ in range(5):
            for _ in range(MAX_BY_ADDRESS):
                assert site.ask("POST", "/api/camera", offer).status == 201
            wait_until(lambda: site.server.camera.visitors == 0)
    assert said == []  # offers cannot fill the log


def test_a_place_is_not_held_longer_by_connecting_late(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each part is in time, both together are not."""
    monkeypatch.setattr(camera, "START_S", 1.0)
    part_s = 0.6

    class LateTrack(PaintedTrack):
        async def recv(self) -> av.VideoFrame:
            if not self._index:
                await asyncio.sleep(part_s)
            return await super().recv()

    async def visit() -> None:
        peer = RTCPeerConnection(HERE_ONLY)
        peer.addTrack(LateTrack())
        await peer.setLocalDescription(await peer.createOffer())
        offer = {"sdp": peer.localDescription.sdp}
        answer = await asyncio.to_thread(site.ask, "POST", "/api/camera", offer)
        await asyncio.sleep(part_s)
        description = RTCSessionDescription(answer.json["sdp"], "answer")
        await peer.setRemoteDescription(description)
        await asyncio.to_thread(wait_until, lambda: site.server.camera.visitors == 0)
        await peer.close()

    with logged(LOG.name) as said:
        asyncio.run(visit())
    assert said == []


def test_foreign_addresses_get_no_packet(site: Site) -> None:
    addresses = get_host_addresses(use_ipv4=True, use_ipv6=False)
    if not addresses:
        pytest.skip("this machine has no address but the loopback's")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as victim:
        victim.bind((addresses[0], 0))
        victim.settimeout(0.5)
        offer = with_candidates(
            f"a=candidate:1 1 udp 9 {addresses[0]} {victim.getsockname()[1]} typ host"
        )
        assert site.ask("POST", "/api/camera", {"sdp": offer}).status == 201
        with pytest.raises(TimeoutError):
            victim.recv(2000)


def test_of_the_candidates_those_of_the_visitor_are_kept() -> None:
    offered = [
        *("192.0.2.1 5000 typ host", "192.0.2.2 5001 typ host", "a.local 5002 typ host"),
        *("2001:db8::1 5003 typ host", "192.0.2.1 0 typ host", "192.0.2.1 70000 typ host"),
        "192.0.2.1 5004 typ relay raddr 192.0.2.9 rport 9",
    ]
    offer = with_candidates(*(f"a=candidate:1 1 udp 9 {one}" for one in offered))

    def kept(address: str) -> list[tuple[str, int]]:
        (media,) = SessionDescription.parse(reduced_offer(offer, address)).media
        return [(one.ip, one.port) for one in media.ice_candidates]

    assert kept("192.0.2.1") == [("192.0.2.1", 5000), ("192.0.2.1", 5004)]
    assert kept("2001:db8::1") == [("2001:db8::1", 5003)]
    assert kept("127.0.0.1") == []


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("a=candidate:1 1 udp 9 192.0.2.1 9 typ host\r\n" * 60, "candidates, at most 50"),
        ("a=rtcp-fb:* nack\r\n" * 600, "lines, at most 500"),
        ("a=x:" + "y" * 40_000 + "\r\n", "bytes, at most 32768"),
        ("m=video 9 UDP/TLS/RTP/SAVPF 96\r\n" * 60, "61 sections, at most 1"),
        ("m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n", "2 sections, at most 1"),
    ],
)
def test_offers_that_ask_for_much_are_refused_unread(site: Site, more: str, words: str) -> None:
    offer = {"sdp": offer_of_aiortc("video") + more}
    answer = site.ask("POST", "/api/camera", offer)
    assert answer.status == 400
    assert words in answer.json["error"]


@pytest.mark.parametrize(
    ("size", "frames"), [((640, 480), 1), ((1080, 1920), 1), ((1936, 1088), 0), ((16_383, 16), 1)]
)
def test_pictures_larger_than_a_camera_has_are_not_decoded(
    site: Site, size: tuple[int, int], frames: int
) -> None:
    encoder = av.CodecContext.create("libvpx", "w")
    encoder.width, encoder.height = size
    encoder.pix_fmt, encoder.time_base = "yuv420p", Fraction(1, 30)
    encoder.options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}
    picture = av.VideoFrame(*size, "yuv420p")
    data = b"".join(bytes(packet) for packet in [*encoder.encode(picture), *encoder.encode(None)])
    vp8 = next(one for one in CODECS["video"] if one.name == "VP8")
    assert len(get_decoder(vp8).decode(JitterFrame(data, 0))) == frames


def test_offers_that_cannot_be_answered_are_refused_in_one_line(site: Site) -> None:
    bad: list[tuple[object, str]] = [
        ({}, "sdp is missing"),
        ({"sdp": 7}, "sdp is missing"),
        ({"sdp": "v=0 nonsense"}, "the offer"),
        ({"sdp": offer_of_aiortc("audio")}, "holds no video"),
        ({"sdp": "v=0", "method": "haze"}, "unknown method 'haze'"),
    ]
    for body, words in bad:
        answer = site.ask("POST", "/api/camera", body)
        assert answer.status == 400, body
        assert words in answer.json["error"]
    assert site.server.camera.visitors == 0
