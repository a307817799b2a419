"""Pictures that were told by ones shown later: whether those are whole is known only then.

B pictures are decoded after the picture behind them, which they are told by, and shown before it. A
decoder says that a picture is damaged when it shows it, which is too late for them. So they wait.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

_T = TypeVar("_T")
_FORGOTTEN = 32
"""Packets after which one without a picture is waited for no more."""
_DEEPEST = 8
"""Pictures that are held for the sake of steadiness alone."""


@dataclass(slots=True)
class _Held(Generic[_T]):
    picture: _T
    order: int
    damaged: bool


class ReorderBuffer(Generic[_T]):
    """Holds pictures until all that were decoded before them were shown, and gives them steadily.

    Without B pictures none is held. With them, all are held for as many pictures as the longest
    wait takes, so that they come one by one.
    """

    def __init__(self) -> None:
        self._sent = 0
        self._orders: dict[int, int] = {}
        self._held: deque[_Held[_T]] = deque()
        self._depth = 0

    def send(self, pts: int | None) -> None:
        """Note that a packet is decoded.

        Args:
            pts: of its picture, in any unit.
        """
        self._sent += 1
        if pts is not None:
            self._orders[pts] = self._sent
        late = [pts for pts, order in self._orders.items() if order <= self._sent - _FORGOTTEN]
        for one in late:
            del self._orders[one]

    def show(self, picture: _T, pts: int | None, *, damaged: bool) -> Iterator[tuple[_T, bool]]:
        """Take a picture that the decoder shows; yield those whose turn it is.

        Args:
            picture: anything.
            pts: of it; None is given on in its turn.
            damaged: it is not to be believed, nor is what was decoded after it.

        Yields:
            Pictures in the order in which they came, and whether they are damaged.
        """
        order = self._sent if pts is None else self._orders.get(pts, self._sent)
        if pts is not None:  # what was to be shown before it never will
            self._orders = {at: one for at, one in self._orders.items() if at > pts}
        for held in self._held:
            held.damaged |= damaged and held.order > order
        self._held.append(_Held(picture, order, damaged))
        awaited = min(self._orders.values(), default=self._sent + 1)
        free = 0
        for held in self._held:
            if held.order > awaited:
                break
            free += 1
        self._depth = max(self._depth, min(free - 1, _DEEPEST))
        for _ in range(min(free, len(self._held) - self._depth)):
            out = self._held.popleft()
            yield out.picture, out.damaged

    def rest(self) -> Iterator[tuple[_T, bool]]:
        """Yield what is held, at the end of the stream."""
        while self._held:
            out = self._held.popleft()
            yield out.picture, out.damaged
