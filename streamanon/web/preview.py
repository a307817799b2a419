"""JPEG previews of anonymised frames, encoded once for all viewers and only while there are any."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress

import cv2

from streamanon.imaging.picture import thumbnail
from streamanon.types import SafeFrame

FRAME_S = 1 / 12
"""Seconds between pictures of the preview."""

_SAME_AGAIN_S = 2.0
"""Without new frames, the last picture is sent again this often: only sending notices that a viewer
has left."""

_WIDEST_PX = 960
_QUALITY = 80


class Preview:
    """Pictures of one stream for any number of viewers."""

    def __init__(self, latest: Callable[[], SafeFrame | None]) -> None:
        """Prepare; nothing is encoded without viewers."""
        self._latest = latest
        self._frame: SafeFrame | None = None
        self._jpeg = b""
        self._changed = asyncio.Condition()
        self._viewers = 0
        self._maker: asyncio.Task[None] | None = None

    async def snapshot(self) -> bytes | None:
        """Return the newest frame as JPEG, or None before the first."""
        await self._renew()
        return self._jpeg or None

    async def watch(self) -> AsyncGenerator[bytes]:
        """Yield JPEGs of the newest frames until the viewer leaves."""
        self._viewers += 1
        if self._maker is None:
            self._maker = asyncio.create_task(self._make())
        try:
            sent = b""
            while True:
                sent = await self._after(sent)
                if sent:
                    yield sent
        finally:
            self._viewers -= 1
            if not self._viewers and self._maker:
                self._maker.cancel()
                # the next viewer starts a new task
                self._maker, self._frame, self._jpeg = None, None, b""

    async def _after(self, sent: bytes) -> bytes:
        """Return the next picture, or the same after a while."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_SAME_AGAIN_S), self._changed:
                await self._changed.wait_for(lambda: self._jpeg is not sent)
        return self._jpeg

    async def _make(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            due = clock() + FRAME_S
            await self._renew()
            await asyncio.sleep(max(0.0, due - clock()))

    async def _renew(self) -> None:
        frame = self._latest()
        if frame is None or frame is self._frame:
            return
        self._frame = frame
        jpeg = await asyncio.to_thread(_encode, frame)
        async with self._changed:
            self._jpeg = jpeg
            self._changed.notify_all()


def _encode(frame: SafeFrame) -> bytes:
    """Return a frame as JPEG, no wider than the page shows it."""
    picture = frame.picture
    scale = min(1.0, _WIDEST_PX / picture.width)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    image = thumbnail(picture, size)
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()
