"""Clips made of real footage: any number of moving faces at any resolution.

The same scene in every size: a background cut from beside the face of the given footage, and in
up to eight places that footage's face, a quarter of the frame high, each from another moment and
every other one mirrored. So the cost of resolution and the cost of faces can be separated.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import click
import cv2
import numpy as np

from streamanon.config import Config
from streamanon.errors import UsageError
from streamanon.factory import Factory
from streamanon.imaging.picture import whole_bgr
from streamanon.pipeline.document import sha256
from streamanon.sources.video import VideoSource
from streamanon.types import F32, U8

MAX_FACES = 8
FACE_HEIGHT = 0.25
"""Height of a face over the height of the frame."""

MARGIN = 0.15
"""Margin cut out around a face on each side, over its height."""

MIN_BACKGROUND = 0.1
"""Least width of the part without a face, over the width of the footage."""

_PLACES = (1, 6, 2, 5, 0, 7, 3, 4)
"""Order in which the places of four columns and two rows are filled."""

_DETECT_EVERY = 10
_APART_FRAMES = 29
_MADE = {"crf": "18", "preset": "veryfast"}


@dataclass(frozen=True, slots=True)
class Footage:
    """The material of the clips.

    Attributes:
        faces: (h, w, 3) uint8 BGR cuts around the face, one a frame.
        backgrounds: (h, w, 3) uint8 BGR of the same frames, from beside the face.
        face_px: median height of the face.
        source_px: height of the footage.
        rate: frames a second.
    """

    faces: list[U8]
    backgrounds: list[U8]
    face_px: float
    source_px: int
    rate: Fraction


def cut(path: Path, frames: int) -> Footage:
    """Cut a clip that shows one face into that face and what is beside it.

    Raises:
        UsageError: the clip is too short, shows no or several faces, or a face fills it.
    """
    images, boxes, rate = _detect_faces(path, frames)
    height, width = images[0].shape[:2]
    face_px = float(np.median(boxes[:, 3] - boxes[:, 1]))
    x0, y0 = np.maximum(boxes[:, :2].min(axis=0) - MARGIN * face_px, 0).astype(int).tolist()
    x1, y1 = (
        np.minimum(boxes[:, 2:].max(axis=0) + MARGIN * face_px, (width, height))
        .astype(int)
        .tolist()
    )
    beside = slice(0, x0) if x0 > width - x1 else slice(x1, width)
    if beside.stop - beside.start < MIN_BACKGROUND * width:
        raise UsageError(f"{path} has no part that is free of faces: use another clip")
    if max(9 / 8 * (x1 - x0), y1 - y0) * FACE_HEIGHT / face_px > 0.5:
        raise UsageError(f"the face in {path} moves too far: use another clip")
    return Footage(
        [image[y0:y1, x0:x1] for image in images],
        [image[:, beside] for image in images],
        face_px,
        height,
        rate,
    )


def _detect_faces(path: Path, frames: int) -> tuple[list[U8], F32, Fraction]:
    """Return the first frames of a clip, (n, 4) boxes of the face in some of them, and the rate."""
    detector = Factory(Config()).detector
    source = VideoSource(path)
    images, detections = [], []
    try:
        for frame in islice(source, frames):
            images.append(whole_bgr(frame.picture))
            if frame.index % _DETECT_EVERY == 0:
                detections.append(detector.detect(frame.picture))
    finally:
        source.close()
    if len(images) < frames:
        raise UsageError(f"{path} has {len(images)} frames, wanted {frames}: use a longer clip")
    single = [faces[0].box for faces in detections if len(faces) == 1]
    if len(single) < 0.9 * len(detections):
        raise UsageError(
            f"{path} shows exactly one face in {len(single)} of {len(detections)} examined frames: "
            "use a clip of one person"
        )
    return images, np.stack(single), source.info.rate


def width_of(height: int) -> int:
    """Return the width of a 16:9 frame, as encoders like it: even."""
    return 2 * round(height * 8 / 9)


def paint(footage: Footage, index: int, height: int, faces: int) -> U8:
    """Return one frame of the scene as (height, width, 3) uint8 BGR."""
    width = width_of(height)
    zoom = height / footage.source_px
    background = cv2.resize(footage.backgrounds[index], None, fx=zoom, fy=zoom)[:height, :width]
    missing = (height - background.shape[0], width - background.shape[1])
    canvas = cv2.copyMakeBorder(background, 0, missing[0], 0, missing[1], cv2.BORDER_REFLECT)
    zoom = FACE_HEIGHT * height / footage.face_px
    for number, place in enumerate(_PLACES[:faces]):
        cutting = footage.faces[_moment(index + number * _APART_FRAMES, len(footage.faces))]
        face = cv2.resize(cutting, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA)
        face = face[:, ::-1] if number % 2 else face
        rows, columns = face.shape[:2]
        y = (2 * (place // 4) + 1) * height // 4 - rows // 2
        x = (2 * (place % 4) + 1) * width // 8 - columns // 2
        canvas[y : y + rows, x : x + columns] = face
    return np.asarray(canvas, np.uint8)


def _moment(index: int, count: int) -> int:
    """Play the footage forwards and backwards in turn, so that no face jumps."""
    at = index % (2 * count)
    return at if at < count else 2 * count - 1 - at


def write_scene(footage: Footage, target: Path, height: int, faces: int) -> None:
    """Encode the scene and check that all its faces are found.

    Raises:
        UsageError: fewer or more faces are found.
    """
    part = target.with_name(f".{target.name}")
    with av.open(str(part), "w") as outside:
        encoded = outside.add_stream("libx264", rate=footage.rate, options=_MADE)
        encoded.width, encoded.height, encoded.pix_fmt = width_of(height), height, "yuv420p"
        for index in range(len(footage.faces)):
            image = paint(footage, index, height, faces)
            outside.mux(encoded.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        outside.mux(encoded.encode())
    found = count_faces(part)
    if found != faces:
        part.unlink()
        raise UsageError(
            f"{found} faces are found in a scene of {faces} at {height} px: use another clip"
        )
    part.replace(target)


def scenes(
    clip: Path, frames: int, points: Iterable[tuple[int, int]], cache: Path
) -> dict[tuple[int, int], Path]:
    """Return a scene for each height and number of faces; scenes on disk are reused."""
    folder = (cache / "scenes").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    name = (sha256(clip) or "")[:12]
    made: dict[tuple[int, int], Path] = {}
    footage: Footage | None = None
    for height, faces in dict.fromkeys(points):
        made[height, faces] = path = folder / f"{name}-{height}p-{faces}-{frames}.mp4"
        if not path.is_file():
            click.echo(f"making a scene of {faces} faces at {height} px", err=True)
            footage = footage or cut(clip, frames)
            write_scene(footage, path, height, faces)
    return made


def count_faces(path: Path) -> int:
    """Return the median number of faces that the product's detector finds in some frames."""
    detector, source = Factory(Config()).detector, VideoSource(path)
    try:
        counts = [
            len(detector.detect(frame.picture))
            for frame in source
            if frame.index % (2 * _DETECT_EVERY) == 0
        ]
    finally:
        source.close()
    return int(np.median(counts))


def write_start(source: Path, target: Path, height: int, frames: int) -> int:
    """Write the first frames of a clip, scaled, with their sound copied.

    Returns:
        Frames written.
    """
    written = 0
    with av.open(str(source)) as inside, av.open(str(target), "w") as outside:
        stream = inside.streams.video[0]
        width = 2 * round(stream.width * height / stream.height / 2)
        encoded = outside.add_stream("libx264", rate=stream.average_rate, options=_MADE)
        encoded.width, encoded.height, encoded.pix_fmt = width, height, "yuv420p"
        if stream.time_base:
            encoded.time_base = encoded.codec_context.time_base = stream.time_base
        sounds = {t.index: outside.add_stream_from_template(t) for t in inside.streams.audio}
        end_s = 0.0
        for frame in islice(inside.decode(stream), frames):
            scaled = frame.reformat(width, height, "yuv420p", interpolation="BICUBIC")
            scaled.pict_type = 0
            outside.mux(encoded.encode(scaled))
            written, end_s = written + 1, float(frame.time or 0)
        outside.mux(encoded.encode())
        inside.seek(0)
        for packet in inside.demux(*inside.streams.audio) if sounds else ():
            if packet.pts is not None and packet.pts * packet.time_base <= end_s:
                packet.stream = sounds[packet.stream.index]
                outside.mux(packet)
    return written
