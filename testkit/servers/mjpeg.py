"""A camera that sends JPEG pictures over HTTP (multipart/x-mixed-replace), at an uneven pace."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import cv2
import numpy as np

_PAUSES_S = (0.04, 0.02, 0.1)


class _Camera(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path != "/camera":
            body = b"<html>This is no video, and long enough to be looked at." + b"." * 9000
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            return
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=picture")
        self.end_headers()
        try:
            for number in range(10_000):
                image = np.full((64, 96, 3), number % 200, np.uint8)
                data = cv2.imencode(".jpg", image)[1].tobytes()
                head = (
                    f"--picture\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                )
                self.wfile.write(head.encode() + data + b"\r\n")
                time.sleep(_PAUSES_S[number % 3])
        except OSError:
            return  # the reader has gone

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def mjpeg_camera() -> Iterator[str]:
    """Run the camera; yields the address of its server: /camera is video, the rest is not."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Camera)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
