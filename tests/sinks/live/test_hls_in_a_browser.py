"""The HLS folder in a real browser, without any script on the page."""

import shutil
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from testkit.numbered_frames import counted, write_all

CHROMIUM = shutil.which("chromium")
PLAYED = "(v => [v.currentTime, v.videoWidth])(document.querySelector('video'))"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt install chromium")
def test_it_plays(opened: Any, tmp_path: Path) -> None:
    sink = opened(f"hls:{tmp_path}")
    while not sink.state[0].connected:
        time.sleep(0.02)
    write_all(sink, map(counted, range(300)))
    sink.close(complete=True)
    page = '<video muted autoplay src="index.m3u8"></video>'
    (tmp_path / "page.html").write_text(page)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with sync_playwright() as playwright:
            flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
            tab = browser.new_page()
            tab.goto(f"http://127.0.0.1:{server.server_port}/page.html")
            if not tab.evaluate("document.createElement('video').canPlayType('audio/mpegurl')"):
                pytest.skip("this Chromium plays HLS only by a script")
            tab.wait_for_function(f"{PLAYED}[0] > 1", timeout=60_000)
            assert tab.evaluate(PLAYED)[1] == 320
            browser.close()
    finally:
        server.shutdown()
        server.server_close()
