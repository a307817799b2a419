"""The figures of a running stream: right, of the last seconds, and readable from any thread."""

import time
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import pytest

from streamanon.imaging.picture import blank_picture
from streamanon.pipeline.meter import MAX_ENTRIES, Meter
from streamanon.types import ColourSpace, SafeFrame, Treated, Treatment

PICTURE = blank_picture((4, 4), ColourSpace("bt709"))


def _safe(*treated: Treated) -> SafeFrame:
    return SafeFrame(0, PICTURE, 0, Fraction(1, 25), treated)


def test_nothing_has_happened_yet() -> None:
    reading = Meter().read()
    assert (reading.fps_in, reading.fps_out, reading.latency_p99_ms, reading.faces) == (0, 0, 0, 0)
    assert (reading.frames, reading.dropped, reading.level) == (0, {}, "full")
    assert Meter().interval_s() is None


def test_rates_and_latencies_are_those_of_what_happened(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    meter = Meter()
    for index in range(300):
        now[0] += 1 / 30
        meter.count_received()
        if index % 2:
            meter.count_written(_safe(), 0.020 if index > 8 else 0.5)
        else:
            meter.count_dropped("replace")
    reading = meter.read()
    assert reading.fps_in == pytest.approx(30, abs=1)
    assert reading.fps_out == pytest.approx(15, abs=1)
    assert reading.latency_p50_ms == pytest.approx(20)
    assert reading.latency_p99_ms > 400
    assert (reading.frames, reading.dropped) == (150, {"replace": 150})
    assert meter.interval_s() == pytest.approx(1 / 30)
    now[0] += 11
    late = meter.read()
    assert (late.fps_in, late.fps_out, late.latency_p99_ms, late.frames) == (0, 0, 0, 150)


def test_a_pause_and_a_burst_do_not_mislead_about_the_interval(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    meter = Meter()
    for index in range(60):
        burst = 30 <= index < 45  # half a second comes late, all at once
        now[0] += 0.5 if index == 30 else 0.0 if burst else 1 / 30
        meter.count_received()
    assert meter.interval_s() == pytest.approx(1 / 30, rel=0.05)


def test_faces_are_counted_by_what_was_done_to_them_and_people_once() -> None:
    meter = Meter()
    drawn = Treated(1, Treatment.REPLACED, method="warp")
    both = _safe(drawn, Treated(2, Treatment.COVERED, "no mesh"))
    for _ in range(10):
        meter.count_written(both, 0.01)
    whole = Treatment.WHOLE_FRAME
    meter.count_written(_safe(Treated(None, whole, "damaged"), Treated(2, whole, "damaged")), 0.01)
    reading = meter.read()
    assert reading.treatments == {"replaced": 10, "covered": 10, "whole-frame": 1}
    assert reading.methods == {"warp": 10, "covered": 10, "whole-frame": 1}
    assert (reading.faces, reading.people) == (1, 2)
    meter.start()  # a new line numbers its tracks from the start
    meter.count_written(_safe(Treated(1, Treatment.REPLACED)), 0.01)
    assert meter.read().people == 3


def test_a_meter_does_not_grow_and_can_be_read_meanwhile() -> None:
    meter = Meter()

    def count() -> None:
        for _ in range(MAX_ENTRIES):
            meter.count_received()
            meter.count_written(_safe(Treated(1, Treatment.REPLACED)), 0.01)

    with ThreadPoolExecutor() as pool:
        counting = [pool.submit(count) for _ in range(3)]
        while not all(one.done() for one in counting):
            assert meter.read().faces in (0, 1)
    assert meter.read().frames == 3 * MAX_ENTRIES
    assert len(meter._received_s) == len(meter._written) == MAX_ENTRIES
