"""Sound of a live stream stays with its pictures, also where time stamps jump."""

import random
from itertools import pairwise

import pytest

from streamanon.media.audio import AudioPacket
from streamanon.media.live_sound import LiveSound
from streamanon.media.timeline import Timeline

SECOND = 90_000
PICTURE, SOUND = 3600, 1920


def _packet(pts: int) -> AudioPacket:
    return AudioPacket(b"", pts, SOUND)


class _Stream:
    """A stream of pictures and sound, interleaved by arrival."""

    def __init__(self, *, paced: bool = False) -> None:
        self.line = Timeline(paced=paced)
        self.sound = LiveSound(self.line)
        self.now = 0
        self.pictures: dict[int, int] = {}
        self.heard: dict[int, int] = {}

    def play(self, seconds: float, shift: int, ahead: int = 0, jump_sound_first: int = 0) -> None:
        """Send pictures and sound at the pace of the clock.

        Args:
            seconds: how long.
            shift: ticks from this machine's clock to the source's.
            ahead: ticks by which sound comes earlier than its picture.
            jump_sound_first: ticks by which sound has this shift earlier than pictures do.
        """
        end = self.now + round(seconds * SECOND)
        events = [(at, PICTURE) for at in range(self.now, end, PICTURE)]
        early = self.now - jump_sound_first
        events += [(at, SOUND) for at in range(early, end, SOUND)]
        for at, kind in sorted(events):
            if kind == PICTURE:
                self.pictures[at + shift] = self.line.place(at + shift, at)
                found = self.sound.placed()
            else:
                found = self.sound.add(_packet(at + ahead + shift))
            for packet in found:
                self.heard[len(self.heard)] = packet.pts
        self.now = end

    def gaps(self) -> list[int]:
        times = list(self.heard.values())
        return [later - earlier - SOUND for earlier, later in pairwise(times)]


def test_sound_goes_with_the_picture_and_without_seams() -> None:
    line, draw = Timeline(), random.Random(0)
    sound = LiveSound(line)
    assert sound.add(_packet(0)) == []
    ends = None
    for number in range(500):
        line.place(7 * SECOND + number * 1920, number * 1920 + draw.randrange(900))
        [packet] = sound.add(_packet(7 * SECOND + number * 1920))
        assert ends is None or packet.pts == ends
        ends = packet.pts + 1920
        assert abs(packet.pts - number * 1920) < 4500


@pytest.mark.parametrize("paced", [False, True])
@pytest.mark.parametrize("ahead", [0, SECOND // 3, -SECOND // 3])
@pytest.mark.parametrize("jump", [3600, 3, -3, -3600, 26 * 3600])
def test_sound_and_picture_jump_together(jump: int, ahead: int, *, paced: bool) -> None:
    stream = _Stream(paced=paced)
    stream.play(5, 0, ahead)
    stream.play(5, jump * SECOND, ahead)
    assert len(stream.heard) == pytest.approx(10 * SECOND / SOUND, abs=SECOND / SOUND)
    assert max(stream.gaps()) < SECOND // 2
    assert min(stream.gaps()) >= 0
    assert list(stream.heard.values())[-1] == pytest.approx(stream.now + ahead, abs=SECOND // 2)


@pytest.mark.parametrize("jump", [3600, 3, -3600])
def test_sound_that_jumps_first_waits_for_the_picture(jump: int) -> None:
    stream = _Stream()
    stream.play(5, 0)
    stream.play(5, jump * SECOND, jump_sound_first=SECOND // 4)
    assert max(stream.gaps()) < SECOND // 2
    assert min(stream.gaps()) >= 0


def test_sound_returns_after_another_connection() -> None:
    stream = _Stream()
    stream.play(2, 0)
    stream.sound.add(_packet(stream.now + 3600 * SECOND))  # the last before it broke
    stream.line.restart(paced=False)
    stream.sound.restart()
    stream.play(2, 7 * SECOND)
    assert max(stream.gaps()) < SECOND // 2


def test_sound_far_from_its_pictures_is_heard_in_the_end() -> None:
    stream = _Stream()
    stream.play(2, 0)
    stream.play(8, 0, ahead=5 * SECOND)
    assert len(stream.heard) > 7 * SECOND / SOUND


def test_pictures_that_come_seldom_do_not_silence() -> None:
    line = Timeline()
    sound, heard = LiveSound(line), 0
    for at in range(0, 60 * SECOND, SOUND):
        if at % (5 * SECOND) < SOUND:
            line.place(at, at)
            heard += len(sound.placed())
        heard += len(sound.add(_packet(at)))
    assert heard > 55 * SECOND / SOUND


def test_sound_never_goes_back() -> None:
    line = Timeline()
    sound = LiveSound(line)
    line.place(10 * SECOND, 0)
    assert [one.pts for one in sound.add(_packet(10 * SECOND))] == [0]
    assert sound.add(_packet(10 * SECOND - SECOND // 2)) == []
    assert [one.pts for one in sound.add(_packet(10 * SECOND + SECOND // 2))] == [SECOND // 2]
