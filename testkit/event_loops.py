"""How long callbacks hold an event loop."""

import asyncio
import gc
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch


@contextmanager
def longest_hold(thread: str) -> Iterator[list[float]]:
    """Yield a list of one number: the most seconds a callback has computed so far.

    Time of the processor, which does not depend on what else the machine does; garbage of the whole
    process is not collected meanwhile.

    Args:
        thread: name of the thread that runs the loop.
    """
    longest, run = [0.0], asyncio.Handle._run

    def timed(handle: asyncio.Handle) -> None:
        began = time.thread_time()
        run(handle)
        if threading.current_thread().name == thread:
            longest[0] = max(longest[0], time.thread_time() - began)

    gc.disable()
    try:
        with patch.object(asyncio.Handle, "_run", timed):
            yield longest
    finally:
        gc.enable()
