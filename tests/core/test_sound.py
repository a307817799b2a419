"""Sound waits for its picture, and not without end."""

from __future__ import annotations

from threading import Thread

from streamanon.core.sound import SoundFormat, SoundPacket, SoundTrack

AAC = SoundFormat("aac", 48000, "stereo", b"\x11\x90")


def _packet(number: int) -> SoundPacket:
    return SoundPacket(number.to_bytes(4, "big"), number * 1920, 1920)


def test_packets_leave_in_order_and_not_before_their_time() -> None:
    track = SoundTrack(AAC)
    for number in range(5):
        track.put(_packet(number))
    assert track.take_until(0) == []
    assert [packet.pts for packet in track.take_until(3 * 1920)] == [0, 1920, 3840]
    assert [packet.pts for packet in track.take_until(10**9)] == [5760, 7680]
    assert track.take_until(10**9) == []


def test_what_nobody_takes_is_lost_from_its_old_end() -> None:
    track = SoundTrack(AAC)
    for number in range(5000):
        track.put(_packet(number))
    kept = track.take_until(10**12)
    assert len(kept) == 1024
    assert kept[-1] == _packet(4999)


def test_two_threads_may_use_it_at_once() -> None:
    track = SoundTrack(AAC)
    taken: list[SoundPacket] = []

    def write() -> None:
        for number in range(20_000):
            track.put(_packet(number))

    writer = Thread(target=write)
    writer.start()
    while writer.is_alive():
        taken += track.take_until(10**12)
    writer.join()
    taken += track.take_until(10**12)
    times = [packet.pts for packet in taken]
    assert times == sorted(set(times))
    assert times[-1] == 19_999 * 1920
