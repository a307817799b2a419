"""What outlives lines: source, sink and the newest frame."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import pytest

from streamanon.errors import MediaError
from streamanon.imaging.picture import as_picture
from streamanon.live.latest_frame import LatestFrameTap
from streamanon.live.persistent import PersistentSink, PersistentSource
from streamanon.safety.compose import compose
from streamanon.types import ColourSpace, Frame, MediaInfo, Scene
from testkit.memory_sink import MemorySink

TEN = Fraction(1, 10)


def _frame(index: int) -> Frame:
    return Frame(index, as_picture(np.zeros((16, 16, 3), np.uint8)), index, TEN)


@dataclass
class Ten:
    """A source of ten frames that may break in the middle."""

    breaks_at: int = 10
    closed: bool = False
    info: MediaInfo = field(
        default_factory=lambda: MediaInfo("ten", 16, 16, ColourSpace("rgb"), TEN, Fraction(10))
    )

    def __iter__(self) -> Iterator[Frame]:
        for index in range(10):
            if index == self.breaks_at:
                raise MediaError("broken")
            yield _frame(index)

    def close(self) -> None:
        self.closed = True


def test_each_line_goes_on_where_the_one_before_left_off() -> None:
    source = Ten()
    persistent = PersistentSource(source)
    first = [next(iter(persistent)).index for _ in range(3)]
    persistent.close()
    assert (first, persistent.over, source.closed) == ([0, 1, 2], False, False)
    assert [frame.index for frame in persistent] == [3, 4, 5, 6, 7, 8, 9]
    assert persistent.over
    assert list(persistent) == []


def test_a_source_that_breaks_is_read_again_by_the_next_line() -> None:
    source = Ten(breaks_at=1)
    persistent = PersistentSource(source)
    with pytest.raises(MediaError, match="broken"):
        list(persistent)
    assert not persistent.over
    source.breaks_at = 10
    assert len(list(persistent)) == 10
    assert persistent.over


def test_closing_a_line_leaves_the_outputs_open() -> None:
    sink, written = MemorySink(), list[int]()
    persistent = PersistentSink(sink, lambda: written.append(len(sink.frames)))
    persistent.write(compose(Scene(_frame(0)), []))
    persistent.close(complete=True)
    assert (len(sink.frames), sink.complete, written) == (1, None, [1])


def test_frames_that_are_covered_whole_are_reported_once_with_their_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    sink = MemorySink()
    tap = LatestFrameTap(sink, logging.getLogger())
    for index in range(40):
        distrust = "damaged frame" if index in (3, 4, 8) else ""
        tap.write(compose(Scene(_frame(index), distrust=distrust), []))
    assert tap.latest is sink.frames[-1]
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("WARNING", "frames are covered whole: damaged frame"),
        ("INFO", "frames are shown again, 3 were covered whole"),
    ]
    tap.close(complete=True)
    assert sink.complete
