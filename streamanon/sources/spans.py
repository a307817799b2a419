"""Marks the frames of a file that lie outside the span the user wants touched."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain, pairwise

from streamanon.errors import UsageError
from streamanon.safety.permits import Permissions
from streamanon.sources.video import VideoSource
from streamanon.types import Frame, MediaInfo


@dataclass(frozen=True, slots=True)
class SpannedSource:
    """Another source, whose frames outside a span have a permit to be seen as they are.

    A frame is on screen until the next one: it is held back until that one is known.
    """

    inside: VideoSource
    permissions: Permissions

    @property
    def info(self) -> MediaInfo:
        """Properties of the stream."""
        return self.inside.info

    def __iter__(self) -> Iterator[Frame]:
        """Yield every frame.

        Raises:
            MediaError: the file cannot be read any further.
            UsageError: it ends before the span begins: nothing would be touched.
        """
        base, start_s = self.info.time_base, self.permissions.start_s
        for frame, following in pairwise(chain(self.inside, (None,))):
            if frame is not None:
                until_s = None if following is None else following.pts * base
                end_s = frame.pts * base + 1 / self.info.rate
                if following is None and start_s is not None and end_s <= start_s:
                    raise UsageError(
                        f"{self.info.name} ends at {float(end_s):.2f} s, before --from "
                        f"{float(start_s):g}: nothing would be touched; check the time"
                    )
                yield replace(frame, permit=self.permissions.frame(frame.pts * base, until_s))

    def stop(self) -> None:
        """Read no more of a pipe, so that what waits for it ends."""
        self.inside.stop()

    def close(self) -> None:
        """Release everything; safe to call twice."""
        self.inside.close()
