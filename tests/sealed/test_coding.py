"""Coding of crops: what follows the source, and what it saves."""

import numpy as np

from streamanon.sealed.coding import Crop, CropEncoder, decode_crops
from streamanon.sealed.crops import BLOCK_PX, Place
from streamanon.sources.video import VideoSource
from streamanon.types import Plane
from testkit.paths import DEMO

ALWAYS = range(-(2**62), 2**62)
COLUMNS, ROWS, SKIPPED, FRAMES = 16, 12, 4, 22


def test_frames_are_coded_as_their_source_codes_them() -> None:
    """It saves bytes, and not at the cost of quality."""
    followed, fixed = _coded(follow=True), _coded(follow=False)
    assert followed[0] < 0.9 * fixed[0]
    assert followed[1] < fixed[1]


def _coded(*, follow: bool) -> tuple[int, float]:
    """Return bytes and squared error of a part of the demo that begins within its pattern."""
    source = VideoSource(DEMO)
    place = Place(8, 4, COLUMNS, ROWS)
    mask = np.ones((ROWS, COLUMNS), np.bool_)
    encoder, data, before = CropEncoder(place, source.info.colour, 20), b"", []
    for number, frame in enumerate(source):
        if number >= SKIPPED + FRAMES:
            break
        if number >= SKIPPED:
            planes = _cut(frame.picture.planes, place)
            before.append(planes[0])
            both = frame.bidirectional if follow else None
            data += encoder.encode(Crop(number, number, place, mask, planes), bidirectional=both)
    source.close()
    data += encoder.finish()
    after = [crop.planes[0] for crop in decode_crops(iter([data]), ALWAYS, source.info.colour)]
    away = np.stack(before).astype(float) - np.stack(after)
    return len(data), float((away * away).mean())


def _cut(planes: tuple[Plane, ...], place: Place) -> tuple[Plane, ...]:
    found = []
    for plane, side in zip(planes, (BLOCK_PX, BLOCK_PX // 2, BLOCK_PX // 2), strict=True):
        rows = slice(place.row * side, (place.row + place.rows) * side)
        found.append(plane[rows, place.column * side : (place.column + place.columns) * side])
    return tuple(found)
