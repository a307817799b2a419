"""Holds B pictures until it is known whether the pictures they depend on are damaged.

A B picture depends on a picture that is decoded before it and shown after it. A decoder marks a
picture as damaged when it returns it, in presentation order, which is too late for such B pictures.
So they wait for it.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

_T = TypeVar("_T")
_FORGOTTEN = 32
"""Packets after which the picture of an earlier one is no longer awaited."""
_MAX_REORDERED = 17
"""Pictures that are shown before one that was decoded before them: 16 by the standards."""
_MAX_DELAY = 512
"""The same while nothing is known of the order: more than any decoder holds back."""
_DEEPEST = 8
"""Most pictures that are held only to return them at a steady pace."""


@dataclass(slots=True)
class _Held(Generic[_T]):
    picture: _T
    order: int
    damaged: bool


class ReorderBuffer(Generic[_T]):
    """Holds pictures until all that were decoded before them are shown, at a steady delay.

    Without B pictures none is held. With them, every picture is held for as many pictures as the
    longest wait takes, so that they are returned one by one.

    Attributes:
        in_order: whether pictures are shown in the order of their times, so that one that is due
            before a shown one never comes. Else it is awaited for as long as codecs reorder.
        given_up: packets whose picture is not awaited any more, though nothing came after it.
    """

    def __init__(self, *, in_order: bool = True) -> None:
        self.in_order = in_order
        self.given_up = 0
        self._sent = 0
        self._orders: dict[int, int] = {}
        self._held: deque[_Held[_T]] = deque()
        self._depth = 0

    def send(self, pts: int | None) -> None:
        """Note that a packet is sent to the decoder, with the time of its picture in any unit."""
        self._sent += 1
        if pts is not None:
            self._orders[pts] = self._sent
        self._forget(self._sent - (_FORGOTTEN if self.in_order else _MAX_DELAY))

    def show(self, picture: _T, pts: int | None, *, damaged: bool) -> Iterator[tuple[_T, bool]]:
        """Take a picture from the decoder; yield those that need not wait any longer, in order.

        Each comes with whether it may be damaged: then all pictures decoded after it may be, too.
        """
        order = self._sent if pts is None else self._orders.pop(pts, self._sent)
        if self.in_order and pts is not None:  # pictures due before it will not come any more
            self._orders = {at: one for at, one in self._orders.items() if at > pts}
        waited = self._forget(order - _MAX_REORDERED)
        for held in self._held:
            held.damaged |= damaged and held.order > order
        self._held.append(_Held(picture, order, damaged))
        awaited = min(self._orders.values(), default=self._sent + 1)
        free = 0
        for held in self._held:
            if held.order > awaited:
                break
            free += 1
        if not waited:
            self._depth = max(self._depth, min(free - 1, _DEEPEST))
        for _ in range(min(free, len(self._held) - self._depth)):
            out = self._held.popleft()
            yield out.picture, out.damaged

    def _forget(self, newest: int) -> bool:
        """Await no packet up to a number any more; return whether one still was."""
        late = [pts for pts, order in self._orders.items() if order <= newest]
        for one in late:
            del self._orders[one]
        self.given_up += len(late)
        return bool(late)

    def rest(self) -> Iterator[tuple[_T, bool]]:
        """Yield the held pictures, at the end of the stream."""
        while self._held:
            out = self._held.popleft()
            yield out.picture, out.damaged
