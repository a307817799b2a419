"""A visitor's line: hidden from the first picture, whatever fails, and gone when they leave."""

import gc
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from threading import Event, Lock
from typing import Any

import av
import cv2
import numpy as np
import pytest

from streamanon.config import Config
from streamanon.factory import Factory
from streamanon.imaging.picture import whole_bgr
from streamanon.live import supervisor
from streamanon.types import Face, MediaInfo, Picture, SafeFrame
from streamanon.web.visitor_session import LOG, VisitorSession
from testkit.logs import Log, logged
from testkit.painted import SHOWS, SIZE, loud_pixels, painted_frames
from testkit.waiting import wait_until


class Watcher:
    """Looks at every frame a visitor is shown, and keeps the worst of what it saw."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.frames = self.loudest = 0
        self.sizes: set[tuple[int, int]] = set()
        self.treatments: set[str] = set()

    def show(self, frame: SafeFrame, info: MediaInfo) -> None:
        image = whole_bgr(frame.picture)
        with self._lock:
            self.frames += 1
            self.loudest = max(self.loudest, loud_pixels(image))
            self.sizes.add((info.width, info.height))
            self.treatments |= {face.treatment.value for face in frame.treated}


WHOLE, PORTRAIT = (0, 640), (280, 640)
"""Columns of the clip: all, and those of the face."""


def picture(index: int, columns: tuple[int, int] = WHOLE, scale: float = 1.0) -> av.VideoFrame:
    frames = painted_frames()
    image = cv2.cvtColor(frames[index % len(frames)], cv2.COLOR_YUV2BGR_I420)
    cut = np.ascontiguousarray(image[:, slice(*columns)], np.uint8)
    size = round(cut.shape[1] * scale), round(cut.shape[0] * scale)
    return av.VideoFrame.from_ndarray(cut, format="bgr24").reformat(*size, format="yuv420p")


def offer_until(
    session: VisitorSession, true: Any, columns: tuple[int, int] = WHOLE, scale: float = 1.0
) -> None:
    """Hand pictures over like a camera, until something is true."""
    deadline = time.monotonic() + 60
    for index in count():
        if true():
            return
        assert time.monotonic() < deadline, "it did not happen in time"
        session.offer(picture(index, columns, scale))
        time.sleep(0.04)


@contextmanager
def visiting(factory: Factory, method: str) -> Iterator[tuple[VisitorSession, Watcher, Log]]:
    watcher = Watcher()
    session = VisitorSession(factory.for_stream(method=method), watcher.show)
    session.start()
    with logged(LOG.name) as said:
        try:
            yield session, watcher, said
        finally:
            session.leave()


@pytest.mark.parametrize("method", ["warp", "mosaic"])
def test_no_raw_face_comes_back(factory: Factory, method: str) -> None:
    with visiting(factory, method) as (session, watcher, _):
        offer_until(
            session, lambda: "replaced" in watcher.treatments and session.to_json()["fps"] > 0
        )
        status = session.to_json()
    assert watcher.loudest < SHOWS
    assert status["method"] == method
    assert status["latency_p50_ms"] > 0
    assert status["error"] == ""


def test_settings_change_while_the_line_runs(factory: Factory) -> None:
    with visiting(factory, "mosaic") as (session, watcher, _):
        offer_until(session, lambda: watcher.frames > 5)
        session.supervisor.set_method("warp")
        session.supervisor.set_identity("nora")
        assert (session.to_json()["method"], session.to_json()["identity"]) == ("warp", "nora")
        before = watcher.frames
        offer_until(session, lambda: watcher.frames > before + 5)
    assert watcher.loudest < SHOWS


def test_pictures_of_another_size_are_fitted_into_the_first_ones(factory: Factory) -> None:
    with visiting(factory, "mosaic") as (session, watcher, _):
        offer_until(session, lambda: watcher.frames > 4)
        for columns, scale in ((WHOLE, 0.5), (PORTRAIT, 1.0)):
            enough = watcher.frames + 4
            offer_until(session, lambda enough=enough: watcher.frames > enough, columns, scale)
    assert watcher.sizes == {SIZE}
    assert watcher.loudest < SHOWS


class BlindFactory(Factory):
    """Factory whose detector fails while ``failing`` is set."""

    failing = True

    def for_stream(self, **changes: Any) -> Factory:
        return _with_blind_detector(super().for_stream(**changes))


def _with_blind_detector(factory: Factory) -> Factory:
    inside = factory.sensitive_detector

    class Detector:
        def detect(self, picture: Picture) -> list[Face]:
            if BlindFactory.failing:
                raise RuntimeError(f"failed on {np.asarray(picture.planes[0])[0, 0]}")
            return inside.detect(picture)

    vars(factory)["sensitive_detector"] = Detector()
    return factory


def test_a_failing_line_shows_covers_and_the_placeholder_and_is_built_again(
    factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BlindFactory, "failing", True)
    with visiting(BlindFactory(factory.config), "mosaic") as (session, watcher, said):
        offer_until(session, lambda: session.to_json()["error"])
        assert "detector failed" in session.to_json()["error"]
        assert watcher.treatments == {"whole-frame"}
        monkeypatch.setattr(BlindFactory, "failing", False)
        offer_until(session, lambda: "replaced" in watcher.treatments)
        offer_until(session, lambda: session.to_json()["error"] == "")
    assert watcher.loudest < SHOWS
    assert said.has("built again")


def test_after_a_stall_a_line_shares_no_network_with_the_stuck_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(supervisor, "STALL_S", 1.0)
    factory, freed = Factory(Config(method="mosaic")), Event()
    assert factory.detector
    network, _ = factory._models.networks["yunet.onnx", "auto"]
    monkeypatch.setattr(network, "run", lambda _: freed.wait())
    try:
        with visiting(factory, "mosaic") as (session, watcher, said):
            offer_until(session, lambda: "replaced" in watcher.treatments)
    finally:
        freed.set()
    assert watcher.loudest < SHOWS
    assert said.has("no progress for 1 s")


def test_a_silent_camera_is_replaced_by_the_placeholder(factory: Factory) -> None:
    with visiting(factory, "mosaic") as (session, watcher, _):
        offer_until(session, lambda: watcher.frames > 4)
        before = watcher.frames
        wait_until(lambda: watcher.frames > before + 4)
        assert session.to_json()["faces"] == 0
    assert watcher.loudest < SHOWS


def test_nothing_is_kept_after_a_visit(factory: Factory) -> None:
    with visiting(factory, "warp") as (session, watcher, _):
        offer_until(session, lambda: watcher.frames > 4)
        lines = session.supervisor
        kept = [weakref.ref(one) for one in (session, lines, lines._assigner, lines._ladder)]
    session.offer(picture(0))
    del session, lines
    gc.collect()
    assert [ref() for ref in kept] == [None] * 4


def test_who_leaves_without_a_picture_leaves_nothing(factory: Factory) -> None:
    with visiting(factory, "warp") as (session, watcher, _):
        assert session.to_json()["fps"] == 0
    session.offer(picture(0))
    assert watcher.frames == 0
