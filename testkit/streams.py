"""Live streams that tests run."""

from collections.abc import Iterator
from contextlib import contextmanager

from streamanon.live.stream import Stream
from testkit.waiting import wait_until


@contextmanager
def running(stream: Stream) -> Iterator[Stream]:
    """Run a stream for as long as the context lasts."""
    stream.start()
    try:
        yield stream
    finally:
        stream.stop()


def wait_for_frames(stream: Stream, more: int) -> None:
    """Wait until a stream has written so many frames more, and another one."""
    before = stream.status().frames
    wait_until(lambda: stream.status().frames > before + more)
