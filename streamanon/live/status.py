"""State and figures of a live stream, for the display, the page and the API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from streamanon.types import FULL_QUALITY

if TYPE_CHECKING:
    from streamanon.sinks.live.output import OutputState

State: TypeAlias = Literal["starting", "live", "lost", "restarting", "stopped"]
"""starting: nothing went out yet; live: frames flow; lost: the input is lost; restarting: the
line failed and wrote nothing since; stopped: the stream has ended. Outputs show a
placeholder while it is lost or restarting."""


@dataclass(frozen=True, slots=True)
class Status:
    """State and figures of one stream, without pixels; credentials are masked.

    Attributes:
        name: name of the stream.
        state: present state.
        since_s: seconds since the state began.
        input: address that frames come from, masked.
        size: width and height of the outputs in px; (0, 0) before the first frame.
        method: method that was asked for.
        identity: name of the one identity given to all people, or None for one per person.
        level: current quality level: "full", "sparing", "warp" or "mosaic"
            (:mod:`streamanon.pipeline.governor`).
        max_fps: frames a second that are taken at most; 0 when all are.
        fps_in: frames a second that came in, over the last seconds.
        fps_out: frames a second that went out, placeholders not counted.
        latency_p50_ms: median time from the receipt of a frame until it was written.
        latency_p99_ms: 99th percentile of that time.
        frames: frames written so far.
        dropped: frames thrown away, by cause.
        faces: faces in the newest frame.
        people: number of tracks so far.
        treatments: faces hidden so far, by what was done.
        methods: the same faces by the method that drew their replacement, or by treatment where
            none did.
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
    level: str = FULL_QUALITY
    max_fps: float = 0.0
    fps_in: float = 0.0
    fps_out: float = 0.0
    latency_p50_ms: float = 0.0
    latency_p99_ms: float = 0.0
    frames: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    faces: int = 0
    people: int = 0
    treatments: Mapping[str, int] = field(default_factory=dict)
    methods: Mapping[str, int] = field(default_factory=dict)
    reconnects: int = 0
    restarts: int = 0
    outputs: tuple[OutputState, ...] = ()
    error: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the status as plain JSON values."""
        return asdict(self)
