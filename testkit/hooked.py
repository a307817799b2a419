"""Real sources and sinks, with a hook at every frame."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from streamanon.protocols import Sink, Source
from streamanon.types import Frame, MediaInfo, SafeFrame


@dataclass
class HookedSource:
    """A source each of whose frames a hook passes on."""

    inside: Source
    hook: Callable[[Frame], Frame]

    @property
    def info(self) -> MediaInfo:
        return self.inside.info

    def __iter__(self) -> Iterator[Frame]:
        yield from map(self.hook, self.inside)

    def close(self) -> None:
        self.inside.close()


@dataclass
class HookedSink:
    """A sink that keeps its frames, and calls a hook before it writes one."""

    inside: Sink
    hook: Callable[[SafeFrame], None]
    frames: list[SafeFrame] = field(default_factory=list)

    def write(self, frame: SafeFrame) -> None:
        self.frames.append(frame)
        self.hook(frame)
        self.inside.write(frame)

    def close(self, *, complete: bool) -> None:
        self.inside.close(complete=complete)
