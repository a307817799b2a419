"""Both pages in a real browser: what moves, what can be switched, and that no raw face comes back.

Needs Debian's Chromium. ``STREAMANON_REQUIRE_BROWSER=1`` turns its absence into a failure.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, sync_playwright

from streamanon.live.stream import Stream
from streamanon.pipeline.meter import Meter
from streamanon.types import U8
from testkit.painted import SHOWS, SIZE, loud_pixels, write_y4m
from testkit.requests import Site
from testkit.waiting import wait_until

CHROMIUM = shutil.which("chromium")
REQUIRED = os.environ.get("STREAMANON_REQUIRE_BROWSER") == "1"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None and not REQUIRED, reason="no Chromium here: apt install chromium"
    ),
]

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Chromium, whose camera shows the painted clip."""
    assert CHROMIUM, "STREAMANON_REQUIRE_BROWSER is set, and there is no Chromium"
    camera: Path = tmp_path_factory.mktemp("camera") / "painted.y4m"
    write_y4m(camera)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=[*FLAGS, f"--use-file-for-fake-video-capture={camera}"]
        )
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A tab; what goes wrong in its scripts fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda line: wrong.append(line.text) if line.type == "error" else None)
    yield page
    context.close()
    assert wrong == []


def look(element: Locator) -> U8:
    """Return an element as it is drawn, (h, w, 3) uint8 BGR."""
    image = cv2.imdecode(np.frombuffer(element.screenshot(), np.uint8), cv2.IMREAD_COLOR)
    return np.asarray(image, np.uint8)


def moves(element: Locator) -> bool:
    before = look(element).astype(int)
    wait_until(lambda: np.abs(look(element) - before).mean() > 0.5)
    return True


def hold_level(meter: Meter, level: str, max_fps: float) -> None:
    """Have a line report a level from now on, whatever its governor chooses for each frame."""
    Meter.set_level(meter, level, max_fps)
    setattr(meter, "set_level", lambda *_: None)  # noqa: B010  mypy forbids the plain assignment


def address(site: Site, path: str) -> str:
    return f"http://localhost:{site.port}/{path}"


def test_the_page_shows_a_moving_anonymised_picture_and_its_figures(site: Site, page: Page) -> None:
    page.goto(address(site, ""))
    picture = page.get_by_role("img", name="Anonymised preview of hall 1")
    picture.wait_for()
    assert moves(picture)
    assert max(loud_pixels(look(picture)) for _ in range(5)) < SHOWS
    fps = page.locator("[data-figure=fps] b")
    wait_until(lambda: float(fps.inner_text()) > 0)
    points = page.locator("[data-figure=fps] polyline.first")
    wait_until(lambda: len((points.get_attribute("points") or "").split()) > 2)
    assert page.locator(".stream .state").inner_text() == "Live"
    assert page.locator("[data-figure=faces] b").inner_text() == "1"


def test_method_and_identity_are_switched_by_keyboard(
    site: Site, page: Page, stream: Stream
) -> None:
    page.goto(address(site, ""))
    page.get_by_role("radio", name="Warp").focus()
    page.keyboard.press("ArrowRight")
    wait_until(lambda: stream.status().method == "mosaic")
    wait_until(lambda: page.get_by_role("radio", name="Mosaic").is_checked())
    page.get_by_role("button", name="Each their own").focus()
    page.keyboard.press("Enter")
    nora = page.get_by_role("button", name="Nora")
    nora.focus()
    page.keyboard.press("Enter")
    wait_until(lambda: stream.status().identity == "nora")
    page.get_by_role("button", name="Nora", exact=False).wait_for()


def test_a_page_without_connection_says_that_it_is_old(site: Site, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(address(site, ""))
    page.locator(".stream .state").wait_for()
    page.route("**/api/streams", lambda route: route.fulfill(status=500, body="{}"))
    trouble = page.get_by_role("alert").filter(has_text="what you see below is old")
    trouble.wait_for()
    page.unroute("**/api/streams")
    trouble.wait_for(state="hidden")
    page.close()


def test_a_page_that_slept_asks_for_what_it_missed(site: Site, page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.clock.install()
    page.goto(address(site, ""))
    page.locator(".stream .state").wait_for()
    assert sum("/history" in url for url in asked) == 1
    with page.expect_response("**/history"):
        page.clock.fast_forward("01:00")


def test_the_camera_comes_back_anonymised(site: Site, page: Page) -> None:
    page.goto(address(site, "camera"))
    page.get_by_role("button", name="Start the camera").click()
    video = page.locator("video")
    video.wait_for(timeout=60_000)
    size = (
        "[document.querySelector('video').videoWidth, document.querySelector('video').videoHeight]"
    )
    assert moves(video)
    assert page.evaluate(size) == list(SIZE)
    assert max(loud_pixels(look(video)) for _ in range(10)) < SHOWS
    wait_until(lambda: site.server.camera.visitors == 1)
    fps = page.locator("[data-figure=fps] b")
    wait_until(lambda: fps.inner_text().isdigit() and int(fps.inner_text()) > 0)
    page.get_by_role("radio", name="Mosaic").check()
    (visitor,) = site.server.camera._visitors
    wait_until(lambda: site.ask("GET", f"/api/camera/{visitor}").json["method"] == "mosaic")
    assert max(loud_pixels(look(video)) for _ in range(10)) < SHOWS
    page.get_by_role("button", name="Stop the camera").click()
    wait_until(lambda: site.server.camera.visitors == 0)
    page.get_by_role("button", name="Start the camera").wait_for()


def test_the_camera_page_says_what_it_shows(site: Site, page: Page) -> None:
    page.goto(address(site, "camera"))
    page.get_by_role("button", name="Start the camera").click()
    page.locator("video").wait_for(timeout=60_000)
    state, level = page.locator("#state"), page.locator("#level [aria-current=step]")
    wait_until(
        lambda: (
            "Warp" in page.locator("#counts").inner_text()
            or "Anony" in page.locator("#counts").inner_text()
        )
    )
    (visitor,) = site.server.camera._visitors.values()
    meter = visitor.session.supervisor.meter
    hold_level(meter, "mosaic", 0.0)
    wait_until(lambda: (state.inner_text(), level.inner_text()) == ("Live, mosaic", "Mosaic"))
    assert "hidden by a mosaic" in page.locator("#level .why").inner_text()
    hold_level(meter, "full", 15.0)
    wait_until(lambda: "15 frames a second at most" in page.locator("#level .why").inner_text())
    page.get_by_role("button", name="Stop the camera").press("Enter")
    start = page.get_by_role("button", name="Start the camera")
    wait_until(lambda: start.evaluate("button => button === document.activeElement"))
    assert page.locator("[data-figure=faces] b").inner_text() == "–"


def test_a_card_whose_server_is_gone_is_not_live(site: Site, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(address(site, ""))
    state = page.locator(".stream .state")
    wait_until(lambda: state.inner_text() == "Live")
    site.server.close()
    wait_until(lambda: state.inner_text() == "Unknown")
    assert page.get_by_text("Live", exact=True).count() == 0
    assert "live" not in page.title().lower()
    page.close()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 400)])
def test_axe_finds_nothing(site: Site, browser: Browser, scheme: Any, width: int) -> None:
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900})
    page = context.new_page()

    def check(what: str) -> None:
        found = Axe().run(page)
        assert found.violations_count == 0, f"{what}: {found.generate_report()}"
        assert page.locator("h1").count() == 1

    page.goto(address(site, ""))
    wait_until(lambda: page.locator(".counts li").count() > 0)
    check("streams")
    page.get_by_role("button", name="Each their own").click()
    page.get_by_role("button", name="Nora").wait_for()
    check("the choice of an identity")
    page.get_by_role("button", name="Close").click()
    page.route("**/api/streams", lambda route: route.fulfill(status=500, body="{}"))
    page.get_by_role("alert").filter(has_text="what you see below is old").wait_for()
    check("streams of a server that is gone")
    page.goto(address(site, "camera"))
    check("camera")
    page.get_by_role("button", name="Start the camera").click()
    page.locator("video").wait_for(timeout=60_000)
    (visitor,) = site.server.camera._visitors.values()
    hold_level(visitor.session.supervisor.meter, "mosaic", 15.0)
    wait_until(lambda: "mosaic" in page.locator("#state").inner_text())
    check("camera, running")
    context.close()
    wait_until(lambda: site.server.camera.visitors == 0)


def test_a_closed_tab_ends_the_visit(site: Site, browser: Browser) -> None:
    context = browser.new_context()
    tab = context.new_page()
    tab.goto(address(site, "camera"))
    tab.get_by_role("button", name="Start the camera").click()
    wait_until(lambda: site.server.camera.visitors == 1)
    context.close()
    wait_until(lambda: site.server.camera.visitors == 0)


def test_an_insecure_address_says_why_there_is_no_camera(
    site: Site, stream: Stream, page: Page
) -> None:
    page.add_init_script("Object.defineProperty(window, 'isSecureContext', {value: false})")
    page.goto(address(site, "camera"))
    assert page.get_by_role("button", name="Start the camera").is_disabled()
    assert "http://localhost" in page.get_by_role("alert").inner_text()
