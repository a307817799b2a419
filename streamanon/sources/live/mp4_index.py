"""Tells an mp4 that cannot be read over HTTP because its index comes after its pictures."""

from http import HTTPStatus
from http.client import HTTPException
from typing import Any

import av

from streamanon.errors import MediaError
from streamanon.sources.live.http_fetch import Fetcher

_MOST_BYTES = 1 << 20
"""Read of a file at most; what stands before the pictures is usually shorter than 100 bytes."""
_BEFORE_PICTURES = (b"ftyp", b"free", b"skip", b"wide", b"uuid", b"pdin", b"udta", b"meta")


def index_error(fetcher: Fetcher, url: str) -> MediaError | None:
    """Return an error for an mp4 with its index at its end, on a server without ranges."""
    try:
        response = fetcher.fetch(url, 0, 1)
        with response:
            if response.status == HTTPStatus.PARTIAL_CONTENT or not _pictures_first(response):
                return None
    except (av.FFmpegError, MediaError, OSError, HTTPException, ValueError, AttributeError):
        return None
    return MediaError(
        "got an mp4 with its index (moov) at its end, from a server that sends no parts of files: "
        "wanted the index first, or a server that answers range requests; move the index "
        "(ffmpeg -i FILM -c copy -movflags +faststart NEW) or download the film and run that"
    )


def _pictures_first(response: Any) -> bool:
    """Return whether media data come before the index, and something after them.

    See ISO/IEC 14496-12, section 4.2, for the head of a box.
    """
    length, place = response.length, 0
    while place < _MOST_BYTES:
        head = response.read(8)
        size, kind, head_size = int.from_bytes(head[:4], "big"), head[4:], 8
        if size == 1:
            size, head_size = int.from_bytes(response.read(8), "big"), 16
        if kind == b"mdat":
            return size >= head_size and (length is None or place + size < length)
        if kind not in _BEFORE_PICTURES or not head_size <= size < _MOST_BYTES:
            return False
        response.read(size - head_size)
        place += size
    return False
