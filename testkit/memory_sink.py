"""A sink that keeps what it is given."""

from dataclasses import dataclass, field

from streamanon.types import SafeFrame


@dataclass
class MemorySink:
    """Frames in order, and how the sink was closed: None while it is open."""

    frames: list[SafeFrame] = field(default_factory=list)
    complete: bool | None = None

    def write(self, frame: SafeFrame) -> None:
        self.frames.append(frame)

    def close(self, *, complete: bool) -> None:
        self.complete = complete
