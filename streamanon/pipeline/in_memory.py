"""Frames that stay in memory: from raw frames to safe arrays, driven by the caller.

They pass the same stages as the frames of a file (:mod:`streamanon.pipeline.runner`), but only when
the caller asks for the next one, so that there is nothing to stop and no clock to watch.
"""

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from streamanon.errors import LeakError, StageError, StreamanonError, named_error_line
from streamanon.imaging.picture import whole_bgr
from streamanon.pipeline.hiding import hide
from streamanon.pipeline.ledger import Ledger
from streamanon.protocols import Anonymiser
from streamanon.tracking.observer import Observer
from streamanon.types import F32, U8, Frame, Scene, Treatment

_KEEP = 1_000
"""Tracks and steps down that the ledger of an endless iteration keeps at least."""


@dataclass(frozen=True, slots=True, eq=False)
class HiddenFace:
    """A face of the original picture, and how it was hidden.

    Box and landmarks describe a real person. They are made for the caller alone; treat them as
    personal data.

    Attributes:
        box: (4,) float32, x0 y0 x1 y1 in px; may reach beyond the picture.
        landmarks: (478, 3) float32 MediaPipe face mesh, x and y in px, z in px towards the camera
            negative; None where the method needs no mesh, or the face was too small or not seen.
        track_id: number of the person within the iteration, never reused.
        treatment: how the face was hidden.
        reason: why that is not the best the method has to offer; "" when it is.
        identity: name of the identity shown instead, or "".
    """

    box: F32
    landmarks: F32 | None
    track_id: int
    treatment: Treatment
    reason: str = ""
    identity: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class SafeImage:
    """A picture in which every face is hidden.

    Attributes:
        image: (h, w, 3) uint8 BGR, a new array.
        faces: everyone in it.
        time_s: time of the frame in seconds, as given or from the frame rate; 0 for a still.
        distrust: why the whole picture was covered; "" when it was not.
    """

    image: U8
    faces: tuple[HiddenFace, ...] = ()
    time_s: float = 0.0
    distrust: str = ""


def safe_images(
    frames: Iterator[Frame], observer: Observer, anonymiser: Anonymiser, *, overlap: bool
) -> Generator[SafeImage, None, None]:
    """Yield frames with everyone hidden, as many as come in, in order.

    Faces are drawn in a thread of their own, as in files. OpenCV's random numbers, of which grain
    is made, belong to a thread: so the same frames give the same pixels, and the random numbers of
    the caller's thread are left alone.

    Args:
        frames: raw frames; when they fail with a StreamanonError, the frames before that still
            come out, and then it is raised.
        observer: turns frames into scenes.
        anonymiser: makes the new pixels.
        overlap: examine the next frame while the faces of the last are drawn; takes one frame more
            before the first comes out.

    Raises:
        StageError: a stage failed; other StreamanonErrors arrive as they were raised.
        LeakError: a frame was not hidden completely; it is not yielded.
    """
    with ThreadPoolExecutor(1, "streamanon-hide") as thread:
        ledger, taken, failure, more = Ledger(_KEEP), 0, None, True
        hidden: deque[Future[SafeImage]] = deque()
        while more:
            frame = None
            try:
                frame = next(frames, None)
            except StreamanonError as error:  # those that wait come first
                failure = error
            more = frame is not None
            taken += more
            with _named("see"):
                scenes = observer.push(frame) if frame else observer.flush()
            for scene in scenes:
                hidden.append(thread.submit(_hide, scene, anonymiser, observer, ledger))
            while len(hidden) > (more and overlap):
                with _named("replace"):
                    safe = hidden.popleft().result()
                yield safe
        if ledger.frames != taken:
            raise StageError("see", f"{ledger.frames} frames came out of {taken}: file a bug")
        if failure:
            try:
                raise failure
            finally:
                del failure  # it would keep this call, and raw frames with it, in a circle


@contextmanager
def _named(stage: str) -> Iterator[None]:
    """Name the stage in an error, unless the error explains itself."""
    try:
        yield
    except StreamanonError:
        raise
    except Exception as error:
        raise StageError(stage, named_error_line(error)) from error


def _hide(scene: Scene, anonymiser: Anonymiser, observer: Observer, ledger: Ledger) -> SafeImage:
    """Return what a caller may see of a frame: its safe pixels, and where faces were."""
    safe = hide(scene, anonymiser, observer.stats, ledger)
    if ledger.uncovered:
        raise LeakError(f"frame {safe.index} could not be hidden: file a bug")
    done = {one.track_id: one for one in safe.treated}
    faces = []
    for track in (subject.track for subject in scene.subjects):
        one, mesh = done[track.id], track.face.mesh
        landmarks = mesh.points.copy() if mesh else None
        box = track.face.box.copy()
        faces.append(HiddenFace(box, landmarks, track.id, one.treatment, one.reason, one.identity))
    whole = done.get(None)
    return SafeImage(
        whole_bgr(safe.picture), tuple(faces), scene.frame.time_s, whole.reason if whole else ""
    )
