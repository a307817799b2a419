"""Sound waits for its picture, and not without end."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from streamanon.media.audio import AudioFormat, AudioPacket, AudioQueue, without_comments

AAC = AudioFormat("aac", 48000, "stereo", b"\x11\x90")


def _packet(number: int) -> AudioPacket:
    return AudioPacket(number.to_bytes(4, "big"), number * 1920, 1920)


def test_packets_leave_in_order_and_not_before_their_time() -> None:
    track = AudioQueue(AAC)
    for number in range(5):
        track.put(_packet(number))
    assert track.take_until(0) == []
    assert [packet.pts for packet in track.take_until(3 * 1920)] == [0, 1920, 3840]
    assert [packet.pts for packet in track.take_until(10**9)] == [5760, 7680]
    assert track.take_until(10**9) == []


def test_what_is_not_taken_is_lost_oldest_first() -> None:
    track = AudioQueue(AAC)
    for number in range(5000):
        track.put(_packet(number))
    kept = track.take_until(10**12)
    assert len(kept) == 1024
    assert kept[-1] == _packet(4999)


def test_two_threads_may_use_it_at_once() -> None:
    track = AudioQueue(AAC)
    taken: list[AudioPacket] = []

    def write() -> None:
        for number in range(20_000):
            track.put(_packet(number))

    with ThreadPoolExecutor() as pool:
        writing = pool.submit(write)
        while not writing.done():
            taken += track.take_until(10**12)
    taken += track.take_until(10**12)
    times = [packet.pts for packet in taken]
    assert times == sorted(set(times))
    assert times[-1] == 19_999 * 1920


def laced(*headers: bytes) -> bytes:
    sizes = [b"\xff" * (len(one) // 255) + bytes([len(one) % 255]) for one in headers[:2]]
    return b"\2" + b"".join(sizes) + b"".join(headers)


@pytest.mark.parametrize("size", [10, 254, 255, 256, 70_000])
def test_the_comments_of_vorbis_are_left_out(size: int) -> None:
    first, third = b"\1vorbis" + bytes(23), b"\5vorbis" + b"books"
    header = laced(first, b"\3vorbis" + b"name" * (size // 4), third)
    left = without_comments("vorbis", header)
    assert left == laced(first, b"\3vorbis" + bytes(8) + b"\1", third)
    assert without_comments("vorbis", left) == left


@pytest.mark.parametrize("header", [b"\2", b"\2\x1e", b"\2\xff\xff", b"name" * 9, b"\2\1\1abname"])
def test_what_cannot_be_read_is_not_passed_on(header: bytes) -> None:
    assert without_comments("vorbis", header) == b""


def test_of_flac_only_what_a_decoder_needs_stays() -> None:
    info = bytes(range(34))
    assert without_comments("flac", b"fLaC\0\0\0\x22" + info + b"\4\0\0\4name") == info
    assert without_comments("flac", info) == info
    assert without_comments("aac", b"\x11\x90") == b"\x11\x90"
    assert without_comments("vorbis", b"") == b""
