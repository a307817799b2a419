"""Offers that a WebRTC client which is no browser makes."""

import asyncio

from aiortc import RTCConfiguration, RTCPeerConnection

HERE_ONLY = RTCConfiguration(iceServers=[])


def offer_of_aiortc(kind: str) -> str:
    """Return the offer of a client that wants to receive "video" or "audio"."""

    async def make() -> str:
        peer = RTCPeerConnection(HERE_ONLY)
        peer.addTransceiver(kind)
        await peer.setLocalDescription(await peer.createOffer())
        sdp = peer.localDescription.sdp
        await peer.close()
        return str(sdp)

    return asyncio.run(make())
