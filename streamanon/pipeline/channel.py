"""A bounded channel between two stages: it waits when full, or lets the newest item win."""

from __future__ import annotations

from collections import deque
from threading import Condition
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")


class StoppedError(Exception):
    """The run was stopped while this end was sending or receiving."""


class Channel(Generic[T]):
    """First in, first out, between one sending and one receiving thread.

    A full channel makes the sender wait, so that a file loses no frame. With ``newest`` it throws
    the oldest item away instead and counts it, so that a live stream gains no delay.
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
        """Items thrown away because a newer one came."""
        return self._dropped

    def put(self, item: T) -> bool:
        """Hand an item over and tell whether an older one was thrown away for it.

        Raises:
            StoppedError: the run was stopped; nobody will take the item.
        """
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
        """Yield items as they come, until the sender has finished and everything was taken.

        Raises:
            StoppedError: the run was stopped.
        """
        for item in self.or_idle(None):
            if item is not None:
                yield item

    def or_idle(self, idle_s: float | None) -> Iterator[T | None]:
        """Yield items as they come, and None, once, when none came for a while.

        Args:
            idle_s: how long that is; None to wait for as long as it takes.

        Raises:
            StoppedError: the run was stopped.
        """
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
        """Say that no further item will be put; the receiver still gets what is there."""
        with self._changed:
            self._finished = True
            self._changed.notify_all()

    def stop(self) -> None:
        """Wake both ends with StoppedError at once and forget the items."""
        with self._changed:
            self._stopped = True
            self._items.clear()
            self._changed.notify_all()


class InFlightLimit:
    """Counts the items between two points of a line, so that no more go in than keep it busy."""

    def __init__(self, most: int) -> None:
        """Create an empty one.

        Args:
            most: items inside at which :meth:`wait` lets nobody pass.
        """
        self._most = most
        self._inside = 0
        self._stopped = False
        self._changed = Condition()

    def enter(self) -> None:
        """Note that an item went in."""
        with self._changed:
            self._inside += 1

    def leave(self) -> None:
        """Note that an item came out."""
        with self._changed:
            self._inside -= 1
            self._changed.notify_all()

    def wait(self) -> None:
        """Wait until there is room for another item.

        Raises:
            StoppedError: the run was stopped.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._inside < self._most)
            if self._stopped:
                raise StoppedError

    def stop(self) -> None:
        """Wake who waits with StoppedError."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
