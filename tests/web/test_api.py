"""What programs are answered."""

import json
import re
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

import streamanon.web.api
from streamanon.factory import Factory
from streamanon.live.stream import Stream
from streamanon.types import U8
from streamanon.web.api import METHODS
from streamanon.web.server import Server
from testkit.addresses import live_input
from testkit.painted import SHOWS, SIZE, loud_pixels, painted_frames
from testkit.requests import Site
from testkit.waiting import wait_until

ONE = "/api/streams/hall%201"
STATIC = Path(streamanon.web.__file__).parent / "static"


def jpeg(data: bytes) -> U8:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return np.asarray(image, np.uint8)


def described() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((STATIC / "openapi.json").read_text(encoding="utf-8"))
    return document


def test_the_pages_and_all_they_load_are_there(site: Site) -> None:
    for path in ("/", "/camera"):
        page = site.ask("GET", path)
        assert page.status == 200
        loaded = re.findall(r'(?:src|href)="([\w.-]+\.\w+)"', page.body.decode())
        assert len(loaded) >= 3
        for name in loaded:
            assert site.ask("GET", f"/{name}").status == 200, name


def test_pages_load_nothing_from_elsewhere() -> None:
    for path in STATIC.iterdir():
        text = path.read_text(encoding="utf-8")
        outside = set(re.findall(r"https?://[\w.]+", text)) - {"http://www.w3.org"}
        assert not outside - {"http://localhost"}, path.name


def test_a_stream_says_how_it_stands(site: Site) -> None:
    (status,) = site.ask("GET", "/api/streams").json["streams"]
    assert status["name"] == "hall 1"
    assert status["state"] == "live"
    assert status["size"] == list(SIZE)
    assert status["faces"] == 1
    assert site.ask("GET", ONE).json["name"] == "hall 1"
    assert status.keys() == described()["components"]["schemas"]["Status"]["properties"].keys()


def test_method_and_identity_can_be_switched(site: Site, stream: Stream) -> None:
    answer = site.ask("PATCH", ONE, {"method": "mosaic", "identity": "nora"})
    assert answer.status == 200
    assert (answer.json["method"], answer.json["identity"]) == ("mosaic", "nora")
    assert stream.status().method == "mosaic"
    assert site.ask("PATCH", ONE, {"identity": None}).json["identity"] is None
    assert site.ask("PATCH", ONE, {}).json["method"] == "mosaic"


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"method": "haze"}, 400, "unknown method 'haze': wanted anonygan"),
        ({"identity": "nobody"}, 400, "unknown identity 'nobody'"),
        ({"method": ["warp"]}, 400, "unknown method"),
        ({"identity": 7}, 400, "unknown identity 7"),
        ({"methods": "warp"}, 400, "unknown setting 'methods'"),
        ("[]", 400, "no JSON object"),
        ("{", 400, "no JSON"),
        (b'{"method": "\xff"}', 400, "no JSON"),
        pytest.param("[" * 200_000, 400, "no JSON", id="deep"),
        pytest.param("x" * 300_000, 413, "exceed", id="long"),
    ],
)
def test_bad_requests_are_refused_in_one_line(
    site: Site, stream: Stream, body: object, status: int, words: str
) -> None:
    answer = site.ask("PATCH", ONE, body)
    assert answer.status == status
    assert words in answer.json["error"]
    assert "\n" not in answer.json["error"]
    assert stream.status().method == "warp"


def test_what_is_not_there_is_not_found(site: Site) -> None:
    for path in ("/api/streams/x", "/api/streams/x/history", "/api/identities/x/portrait.jpg"):
        answer = site.ask("GET", path)
        assert answer.status == 404
        assert "there is no" in answer.json["error"]
    assert site.ask("GET", "/api/camera/x").status == 404
    assert site.ask("PUT", ONE).status == 405


def test_the_preview_moves_and_shows_no_raw_face(site: Site, stream: Stream) -> None:
    raw = np.asarray(cv2.cvtColor(painted_frames()[9], cv2.COLOR_YUV2BGR_I420), np.uint8)
    assert loud_pixels(raw) > 50 * SHOWS
    connection, response = site.connect("GET", f"{ONE}/preview.mjpg")
    with closing(connection), response:
        kind = response.headers["Content-Type"]
        assert kind == "multipart/x-mixed-replace; boundary=frame"
        pictures = [jpeg(_part(response)) for _ in range(4)]
        while np.abs(pictures[0].astype(int) - pictures[-1]).max() <= 20:  # a busy machine waits
            assert len(pictures) < 100
            pictures.append(jpeg(_part(response)))
    assert all(picture.shape == (480, 640, 3) for picture in pictures)
    assert max(loud_pixels(picture) for picture in pictures) < SHOWS


def test_nothing_is_encoded_without_a_viewer(site: Site) -> None:
    connection, response = site.connect("GET", f"{ONE}/preview.mjpg")
    with closing(connection), response:
        _part(response)
        preview = site.server.api.previews["hall 1"]
        assert preview._viewers == 1
    wait_until(lambda: preview._viewers == 0)
    wait_until(lambda: preview._maker is None)


def test_viewers_are_limited_by_address_and_in_all(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streamanon.web.api, "MAX_VIEWERS", 2)
    monkeypatch.setattr(streamanon.web.api, "MAX_VIEWERS_BY_ADDRESS", 1)
    path = f"{ONE}/preview.mjpg"
    with ExitStack() as stack:
        for source in ("127.0.0.1", "127.0.0.2"):
            connection, response = site.connect("GET", path, source=source)
            stack.enter_context(closing(connection))
            assert response.status == 200
            refused = site.ask("GET", path, source=source)
            assert refused.status == 503
            assert "preview.jpg" in refused.json["error"]
        assert site.ask("GET", path, source="127.0.0.3").status == 503


def test_a_snapshot_is_the_newest_frame(site: Site) -> None:
    answer = site.ask("GET", f"{ONE}/preview.jpg")
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert jpeg(answer.body).shape == (480, 640, 3)
    assert loud_pixels(jpeg(answer.body)) < SHOWS


def test_identities_have_portraits(site: Site) -> None:
    names = site.ask("GET", "/api/identities").json["identities"]
    assert {"amara", "zoe"} <= set(names)
    portrait = jpeg(site.ask("GET", "/api/identities/amara/portrait.jpg").body)
    assert portrait.shape[0] == portrait.shape[1]
    assert portrait.std() > 20


def test_history_keeps_a_sample_a_second(site: Site) -> None:
    wait_until(lambda: len(site.ask("GET", f"{ONE}/history").json["samples"]) >= 2)
    before, last = site.ask("GET", f"{ONE}/history").json["samples"][-2:]
    assert last["at"] - before["at"] > 0.5
    assert last["fps_out"] > 0
    wanted = described()["components"]["schemas"]["History"]["properties"]["samples"]["items"]
    assert last.keys() == wanted["properties"].keys()


def test_prometheus_can_read_the_figures(site: Site) -> None:
    answer = site.ask("GET", "/metrics")
    families = {one.name: one for one in text_string_to_metric_families(answer.body.decode())}
    states = {s.labels["state"]: s.value for s in families["streamanon_stream_state"].samples}
    assert states["live"] == 1
    assert sum(states.values()) == 1
    (frames,) = families["streamanon_frames"].samples
    assert frames.name == "streamanon_frames_total"
    assert frames.labels == {"stream": "hall 1"}
    assert frames.value > 5
    latency = {
        s.labels["quantile"]: s.value for s in families["streamanon_latency_seconds"].samples
    }
    assert 0 < latency["0.5"] <= latency["0.99"] < 10
    hidden = {s.labels["treatment"]: s.value for s in families["streamanon_treatments"].samples}
    assert sum(hidden.values()) > 0
    methods = {s.labels["method"] for s in families["streamanon_methods"].samples}
    assert methods <= {"anonygan", "warp", "mosaic", "covered", "whole-frame"}
    assert methods
    assert families["streamanon_camera_visitors"].samples[0].value == 0


def test_the_description_names_every_route_and_no_other(site: Site) -> None:
    routes = {
        (route.method.lower(), route.path)
        for route in site.server.api.routes()
        if "." not in route.path or route.path.startswith("/api/")
    } - {("get", "/"), ("get", "/camera")}
    document = site.ask("GET", "/api/openapi.json").json
    methods = ("get", "post", "patch", "delete")
    named = {
        (method, path)
        for path, item in document["paths"].items()
        for method in item.keys() & methods
    }
    assert named == routes
    settings = document["components"]["schemas"]["Settings"]["properties"]
    assert settings["method"]["enum"] == list(METHODS)


def test_health_fails_when_a_stream_has_ended_and_not_when_its_input_is_away(
    factory: Factory,
) -> None:
    address = live_input("rtsp://operator:secret-word@127.0.0.1:9/cam")
    waiting = factory.for_stream(wait=True)
    stream = Stream("yard", address, (), waiting)
    server = Server([stream], factory, ("127.0.0.1", 0), None)
    server.start()
    try:
        site = Site(server)
        stream.start()
        wait_until(lambda: site.ask("GET", "/healthz").status == 200)
        for path in ("/api/streams", "/metrics", "/api/streams/yard"):
            body = site.ask("GET", path).body.decode()
            assert "yard" in body
            assert "secret-word" not in body
        assert site.ask("GET", "/api/streams/yard/preview.jpg").status in (200, 204)
        stream.stop()
        assert site.ask("GET", "/healthz").json["status"] == "failed"
        assert site.ask("GET", "/healthz").status == 503
    finally:
        stream.stop()
        server.close()


def _part(response: Any) -> bytes:
    """Return the next picture of an MJPEG stream."""
    length = 0
    while line := response.readline():
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
        if line == b"\r\n" and length:
            return bytes(response.read(length))
    raise AssertionError("the stream ended")
