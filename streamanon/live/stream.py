"""One live stream and who looks after it: from the input, through the line, to the outputs.

The outputs are opened once and stay: while the input is away, or the line is built again, they are
fed with the card. The line may fail as often as it likes, it is started again. What ends a stream
is :meth:`Stream.stop`, or a request that could never be met.
"""

from __future__ import annotations

from threading import Event, Lock, Thread
from typing import TYPE_CHECKING

from streamanon.live.status import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streamanon.core.address import Address
    from streamanon.errors import StreamanonError
    from streamanon.parts import Parts
    from streamanon.types import SafeFrame


class Stream:
    """A supervised stream with a thread of its own.

    Attributes:
        name: what to call it.
        error: what ended it, or None.
    """

    def __init__(
        self,
        name: str,
        input: Address,  # noqa: A002
        outputs: Sequence[Address],
        parts: Parts,
        say: Callable[[str], None],
    ) -> None:
        """Prepare a stream; nothing is opened before :meth:`start`.

        Args:
            name: unique among the streams of a process.
            input: where frames come from.
            outputs: where anonymised frames go; may be empty, when somebody asks for the latest.
            parts: builds what the settings ask for, for this stream alone.
            say: takes lines for the operator, finished and without credentials.
        """
        self.name = name
        self.error: StreamanonError | None = None
        self._input, self._outputs, self._parts, self._say = input, tuple(outputs), parts, say
        self._stopping = Event()
        self._lock = Lock()
        self._latest: SafeFrame | None = None
        self._thread = Thread(target=self._live, name=f"streamanon-{name}", daemon=True)

    def start(self) -> None:
        """Open input and outputs and start anonymising, in the stream's own thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the stream and finish its outputs; returns when that is done. Safe to call twice."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    def status(self) -> Status:
        """Return what the stream is doing."""
        return Status(self.name, "starting", 0.0, str(self._input))

    def latest(self) -> SafeFrame | None:
        """Return the newest frame that went out, cards included; None before the first."""
        return self._latest

    def set_method(self, method: str) -> None:
        """Hide faces in another way from the next frames on.

        Raises:
            UsageError: there is no such method.
        """
        raise NotImplementedError

    def set_identity(self, identity: str | None) -> None:
        """Give everybody one identity from the next frames on; None for one a person.

        Raises:
            UsageError: there is no such identity.
        """
        raise NotImplementedError

    def _live(self) -> None:
        self._stopping.wait()
