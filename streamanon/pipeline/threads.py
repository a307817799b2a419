"""Limits OpenCV to one thread while lines are running."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import cv2

_lock = Lock()
_before: list[int] = []
"""Number of threads before, once for each running line."""


@contextmanager
def opencv_single_threaded() -> Iterator[None]:
    """Have OpenCV use only the calling thread until the last line has ended.

    The stages are threads already. OpenCV's setting is global to the process.
    """
    with _lock:
        _before.append(cv2.getNumThreads() if not _before else _before[0])
        cv2.setNumThreads(1)
    try:
        yield
    finally:
        with _lock:
            before = _before.pop()
            if not _before:
                cv2.setNumThreads(before)
