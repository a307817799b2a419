"""Bounded channel between two stages: blocks when full, or drops the oldest item."""

from collections import deque
from collections.abc import Iterator
from threading import Condition
from typing import Generic, TypeVar

T = TypeVar("T")


class StoppedError(Exception):
    """The run was stopped while this thread was sending or receiving."""


class Channel(Generic[T]):
    """First-in, first-out queue between one sending and one receiving thread.

    A full channel blocks the sender, so that no frame of a file is lost. With ``newest`` it drops
    the oldest item instead and counts it, so that a live stream is not delayed.
    """

    def __init__(self, capacity: int, *, newest: bool = False) -> None:
        if capacity < 1:
            raise ValueError(f"a channel holds at least 1 item, got {capacity}")
        self._capacity = capacity
        self._newest = newest
        self._items: deque[T] = deque()
        self._changed = Condition()
        self._finished = False
        self._stopped = False
        self._dropped = 0

    @property
    def dropped(self) -> int:
        """Items dropped for newer ones."""
        return self._dropped

    def put(self, item: T) -> bool:
        """Send an item and tell whether an older one was dropped for it."""
        with self._changed:
            drops = self._newest and len(self._items) == self._capacity
            if drops:
                self._items.popleft()
                self._dropped += 1
            self._changed.wait_for(lambda: self._stopped or len(self._items) < self._capacity)
            if self._stopped:
                raise StoppedError
            self._items.append(item)
            self._changed.notify_all()
            return drops

    def __iter__(self) -> Iterator[T]:
        """Yield items until the sender has finished and all were received."""
        for item in self.or_idle(None):
            if item is not None:
                yield item

    def or_idle(self, idle_s: float | None) -> Iterator[T | None]:
        """Yield items, and None once whenever none arrived for ``idle_s``, if that is not None."""
        patience_s = idle_s
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._stopped or self._finished or self._items, patience_s
                )
                if self._stopped:
                    raise StoppedError
                if not self._items and self._finished:
                    return
                item = self._items.popleft() if self._items else None
                self._changed.notify_all()
            patience_s = None if item is None else idle_s
            yield item

    def finish(self) -> None:
        """Declare that no further item follows; the receiver still gets those queued."""
        with self._changed:
            self._finished = True
            self._changed.notify_all()

    def stop(self) -> None:
        """Raise StoppedError in both threads and drop the items."""
        with self._changed:
            self._stopped = True
            self._items.clear()
            self._changed.notify_all()


class InFlightLimit:
    """Limits the number of items between two points of a line."""

    def __init__(self, most: int) -> None:
        """Create one without items; :meth:`wait` blocks at ``most``."""
        self._most = most
        self._inside = 0
        self._stopped = False
        self._changed = Condition()

    def enter(self) -> None:
        """Count an item that entered."""
        with self._changed:
            self._inside += 1

    def leave(self) -> None:
        """Count an item that left."""
        with self._changed:
            self._inside -= 1
            self._changed.notify_all()

    def wait(self) -> None:
        """Wait until there is room for another item."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._inside < self._most)
            if self._stopped:
                raise StoppedError

    def stop(self) -> None:
        """Raise StoppedError in the thread that waits."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
