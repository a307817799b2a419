"""State and figures of a live stream, for the display, the page and the API."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

from streamanon.pipeline.meter import Reading
from streamanon.sinks.live.output import OutputState

State: TypeAlias = Literal["starting", "live", "lost", "restarting", "stopped"]
"""starting: nothing went out yet; live: frames flow; lost: the input is lost; restarting: the
line failed and wrote nothing since; stopped: the stream has ended. Outputs show a
placeholder while it is lost or restarting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status(Reading):
    """State and figures of one stream, without pixels; credentials are masked.

    Attributes:
        name: name of the stream.
        state: present state.
        since_s: seconds since the state began.
        input: address that frames come from, masked.
        size: width and height of the outputs in px; (0, 0) before the first frame.
        method: method that was asked for.
        identity: name of the one identity given to all people, or None for one per person.
        reconnects: times the input came back.
        restarts: times the line was built again.
        outputs: state of each output.
        error: why it stopped or restarts; "" when there is no error.
    """

    name: str
    state: State
    since_s: float
    input: str
    size: tuple[int, int] = (0, 0)
    method: str = ""
    identity: str | None = None
    reconnects: int = 0
    restarts: int = 0
    outputs: tuple[OutputState, ...] = ()
    error: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the status as plain JSON values."""
        return asdict(self)
