"""Offers of visitors: limited before they are parsed, and reduced to one camera's video.

aiortc believes an offer: it sends packets to every address in it, opens a socket for each section,
and decodes what nothing reads. It is given an offer of ours with what a camera needs of the
visitor's.
"""

import ipaddress
import re
from collections.abc import Iterable

from aiortc import (
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCIceCandidate,
    RTCIceParameters,
    RTCRtpCodecParameters,
    RTCRtpHeaderExtensionParameters,
    RTCRtpParameters,
)
from aiortc.codecs import HEADER_EXTENSIONS
from aiortc.rtcrtpparameters import RTCRtcpFeedback
from aiortc.sdp import GroupDescription, MediaDescription, SessionDescription, SsrcDescription

from streamanon.errors import UsageError

MAX_BYTES = 32 * 1024
"""Size of an offer; Chromium's for one camera has 4,500."""

MAX_LINES = 500
"""Lines of an offer; Chromium's for one camera has 130."""

MAX_CANDIDATES = 50
"""Addresses in an offer; a browser names one or two for each network of its machine."""

_MAX_OWN = 4
_CLOCK = 90_000
_DYNAMIC = range(96, 128)
_ICE_NAME = re.compile(r"[A-Za-z0-9+/]{4,256}")
_ICE_PASSWORD = re.compile(r"[A-Za-z0-9+/]{22,256}")
_MID = re.compile(r"[A-Za-z0-9_+-]{1,32}")
_FINGERPRINT = re.compile(r"(?:[0-9A-Fa-f]{2}:){31,63}[0-9A-Fa-f]{2}")
_HASHES = ("sha-256", "sha-384", "sha-512")
_FEEDBACK = {("nack", None), ("nack", "pli"), ("goog-remb", None)}
_EXTENSIONS = {extension.uri for extension in HEADER_EXTENSIONS["video"]}


def check_size(text: str) -> None:
    """Refuse an offer that would take long to read.

    Raises:
        UsageError: it is too long, or holds too many lines, sections or candidates.
    """
    sections = len(re.findall(r"^m=", text, re.MULTILINE))
    for what, got, most in (
        ("bytes", len(text.encode("utf-8", "surrogatepass")), MAX_BYTES),
        ("lines", len(text.splitlines()), MAX_LINES),
        ("candidates", text.count("a=candidate:"), MAX_CANDIDATES),
        ("sections", sections, 1),
    ):
        if got > most:
            raise UsageError(f"the offer has {got} {what}, at most {most} are taken")


def reduced_offer(text: str, address: str) -> str:
    """Return an offer with the visitor's video and nothing else.

    Args:
        text: SDP that :func:`check_size` lets pass.
        address: address the visitor's request came from. Of the candidates only those with this
            address are kept; a visitor at another one is answered once they send a packet that
            proves that they know this session's password (a peer-reflexive candidate).

    Raises:
        UsageError: the offer cannot be read, or holds no video in VP8.
    """
    try:
        offered = SessionDescription.parse(text)
    except Exception as error:
        raise UsageError(f"the offer cannot be read ({type(error).__name__})") from error
    video = next((one for one in offered.media if one.kind == "video"), None)
    if video is None or video.direction not in (None, "sendrecv", "sendonly"):
        raise UsageError("the offer holds no video: send the camera's track")
    codecs = _codecs(video.rtp.codecs)
    if not codecs:
        raise UsageError("the offer holds no VP8: offer it for the camera's track")
    media = MediaDescription("video", 9, "UDP/TLS/RTP/SAVPF", [one.payloadType for one in codecs])
    media.direction = video.direction or "sendrecv"
    extensions = _extensions(video.rtp.headerExtensions)
    mid = _checked(_MID, video.rtp.muxId, "mid")
    media.rtp = RTCRtpParameters(codecs=codecs, headerExtensions=extensions, muxId=mid)
    media.rtcp_port, media.rtcp_mux = 9, video.rtcp_mux
    # that of the pictures, and that of their retransmission where there are two
    kept = video.ssrc if len(video.ssrc) == 2 else video.ssrc[:1]
    media.ssrc = [
        SsrcDescription(one.ssrc, cname="visitor") for one in kept if 0 < one.ssrc < 1 << 32
    ]
    ice = video.ice or RTCIceParameters()
    media.ice = RTCIceParameters(
        _checked(_ICE_NAME, ice.usernameFragment, "ice-ufrag"),
        _checked(_ICE_PASSWORD, ice.password, "ice-pwd"),
    )
    media.dtls = _dtls(video.dtls)
    media.ice_candidates = _own_candidates(video.ice_candidates, address)
    reduced = SessionDescription()
    reduced.origin = "- 1 1 IN IP4 0.0.0.0"
    reduced.group = [GroupDescription("BUNDLE", [mid])] if offered.group else []
    reduced.media = [media]
    return str(reduced)


def _checked(pattern: re.Pattern[str], text: str | None, what: str) -> str:
    if not text or not pattern.fullmatch(text):
        raise UsageError(f"the offer has no valid {what}: send it as the browser made it")
    return text


def _codecs(offered: Iterable[RTCRtpCodecParameters]) -> list[RTCRtpCodecParameters]:
    """Return VP8, and its retransmission where it is offered."""
    known = [one for one in offered if one.clockRate == _CLOCK and one.payloadType in _DYNAMIC]
    vp8 = next((one for one in known if one.mimeType.lower() == "video/vp8"), None)
    if vp8 is None:
        return []
    feedback = {(one.type, one.parameter) for one in vp8.rtcpFeedback} & _FEEDBACK
    again = next(
        (
            one
            for one in known
            if one.mimeType.lower() == "video/rtx"
            and one.parameters.get("apt") == vp8.payloadType != one.payloadType
        ),
        None,
    )
    codecs = [
        RTCRtpCodecParameters(
            mimeType="video/VP8",
            clockRate=_CLOCK,
            payloadType=vp8.payloadType,
            rtcpFeedback=[RTCRtcpFeedback(*one) for one in sorted(feedback, key=str)],
        )
    ]
    if again:
        codecs.append(
            RTCRtpCodecParameters(
                mimeType="video/rtx",
                clockRate=_CLOCK,
                payloadType=again.payloadType,
                parameters={"apt": vp8.payloadType},
            )
        )
    return codecs


def _extensions(
    offered: Iterable[RTCRtpHeaderExtensionParameters],
) -> list[RTCRtpHeaderExtensionParameters]:
    """Return the header extensions that aiortc knows, each once."""
    known = {one.uri: one for one in offered if one.uri in _EXTENSIONS and 1 <= one.id <= 14}
    by_id = {one.id: one for one in known.values()}
    return list(by_id.values())


def _dtls(offered: RTCDtlsParameters | None) -> RTCDtlsParameters:
    fingerprints = [
        RTCDtlsFingerprint(one.algorithm.lower(), one.value.upper())
        for one in (offered.fingerprints if offered else ())
        if one.algorithm.lower() in _HASHES and _FINGERPRINT.fullmatch(one.value)
    ]
    if offered is None or not fingerprints:
        raise UsageError("the offer has no valid fingerprint: send it as the browser made it")
    return RTCDtlsParameters(fingerprints=fingerprints[:4], role=offered.role)


def _own_candidates(offered: Iterable[RTCIceCandidate], address: str) -> list[RTCIceCandidate]:
    """Return the candidates that have the visitor's own address."""
    own = ipaddress.ip_address(address.partition("%")[0])
    ports = [
        one.port
        for one in offered
        if one.protocol.lower() == "udp"
        and one.component == 1
        and 0 < one.port < 1 << 16
        and one.ip == str(own)
    ]
    return [
        RTCIceCandidate(1, str(number), str(own), port, 1 << 24 | 255 - number, "udp", "host")
        for number, port in enumerate(dict.fromkeys(ports[:_MAX_OWN]), 1)
    ]
