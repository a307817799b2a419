"""What a sidecar takes when only the difference from a prediction is coded."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import streamanon
from streamanon import Config
from streamanon.face import landmarks as lm
from streamanon.face.network_input import CROP, AlignedFace
from streamanon.factory import Factory
from streamanon.files.reveal import Secrets, find_sidecar, unlock
from streamanon.imaging.picture import blend_bgr, copy_picture
from streamanon.sealed.coding import Crop, CropEncoder, decode_crops
from streamanon.sealed.crops import BLOCK_PX, cut_out
from streamanon.sealed.keys import write_new_key
from streamanon.sources.video import VideoSource
from streamanon.types import F32, U8, ColourSpace, Frame, Picture, Plane
from training.recovery.model import CODE, SIDE_PX, Codec
from training.recovery.pairs import Pair

ALWAYS = range(-(2**62), 2**62)
SEGMENT_US = 5_000_000
"""How long one code is used: as long as a segment of a sidecar."""

FEATHER_PX = 4
"""Over which what the network recovered goes over into the output, in px of its crop."""

COLOUR = ColourSpace("bt709")
"""Depth and subsampling of the clips."""

MIDDLE = 128
"""What is added to a difference, which is cut off where it does not fit into a byte."""


@dataclass
class _Coded:
    """Crops coded with a prediction: bytes, squared error of luma, and its samples."""

    size: int = 0
    error: float = 0.0
    samples: int = 0
    encoder: CropEncoder | None = None
    data: bytearray = field(default_factory=bytearray)
    waiting: list[tuple[Crop, tuple[Plane, ...]]] = field(default_factory=list)
    begin_us: int = 0


def row(
    codec: Codec, clip: Path, seconds: int, method: str, quantiser: int, step: Callable[[], None]
) -> dict[str, Any]:
    """Return Mbit/s and PSNR of luma of the sealed crops of a clip, by the prediction.

    ``none`` codes them as a sidecar does; ``output`` the difference from the anonymised output, and
    ``network`` that from what the network recovers there, with a code of 256 bytes a segment.
    """
    coded = {name: _Coded() for name in ("none", "output", "network")}
    times: list[int] = []
    predictor = _Predictor(codec)
    with tempfile.TemporaryDirectory() as folder:
        for crop, frame, output in _sealed(clip, Path(folder), seconds, method):
            times.append(crop.time_us)
            predictions: dict[str, Picture | None] = {
                "none": None,
                "output": output,
                "network": predictor.predicted(crop, frame.picture, output),
            }
            for name, prediction in predictions.items():
                _add(coded[name], crop, prediction, quantiser, bidirectional=frame.bidirectional)
            step()
        coded["network"].size += predictor.codes * CODE
    length_s = (times[-1] - times[0]) / 1e6 * len(times) / (len(times) - 1)
    results: dict[str, Any] = {"crops": len(times)}
    for name, one in coded.items():
        _finish(one)
        results[name] = {
            "mbit_s": round(8e-6 * one.size / length_s, 4),
            "psnr": round(float(10 * np.log10(255**2 * one.samples / one.error)), 2),
        }
    return results


def _sealed(
    clip: Path, folder: Path, seconds: int, method: str
) -> Iterator[tuple[Crop, Frame, Picture]]:
    """Yield what a lossless sidecar of a clip holds, with the frames of clip and output."""
    key, out = folder / "key", folder / "out.mp4"
    seal = (write_new_key(key),)
    settings = Config(method=method, seal=seal, lossless=True, to=Fraction(seconds))
    streamanon.anonymise(clip, out, settings)
    opened, _ = unlock(find_sidecar(out), Secrets([key]))
    with closing(VideoSource(clip)) as before, closing(VideoSource(out)) as after:
        crops = opened.crops(opened.entries([1], ALWAYS), ALWAYS, before.info.colour)
        frames = enumerate(zip(before, after, strict=False))
        for crop in crops:
            original, output = next(pair for number, pair in frames if number == crop.number)
            yield crop, original, output.picture


class _Predictor:
    """Recovers the face of each frame from the output, with one code a segment."""

    def __init__(self, codec: Codec) -> None:
        self._codec, self._factory = codec, Factory(Config())
        self._code: U8 | None = None
        self._since_us, self.codes = 0, 0

    def predicted(self, crop: Crop, original: Picture, output: Picture) -> Picture:
        """Return the output with the recovered face in it; as it is where no face is found."""
        points = self._mesh(crop, output)
        if points is None:
            return output
        face = AlignedFace.of(output, points)
        mesh = self._factory.mesher.fit(original, lm.roi_from_mesh(points))
        pair = Pair.of(original, mesh.points, output, points)
        if self._code is None or crop.time_us - self._since_us >= SEGMENT_US:
            self._code = self._codec.code(pair)
            self._since_us, self.codes = crop.time_us, self.codes + 1
        recovered = self._codec.recover(pair.anonymised, pair.points, self._code)
        return _blended(output, recovered, face.to_frame)

    def _mesh(self, crop: Crop, output: Picture) -> F32 | None:
        """Return the mesh of the anonymised face in a crop."""
        place = crop.place
        middle = np.array([place.column + place.columns / 2, place.row + place.rows / 2]) * BLOCK_PX
        faces = [one for one in self._factory.detector.detect(output) if one.points is not None]
        if not faces:
            return None
        nearest = min(
            faces, key=lambda one: float(np.hypot(*((one.box[:2] + one.box[2:]) / 2 - middle)))
        )
        assert nearest.points is not None
        mesh = self._factory.mesher.fit(output, lm.roi_from_points(nearest.points))
        return self._factory.mesher.fit(output, lm.roi_from_mesh(mesh.points)).points


def _blended(output: Picture, recovered: U8, to_frame: F32) -> Picture:
    """Return an output with a recovered crop in its place."""
    step = CROP / SIDE_PX  # px of the product's crop a px of the recovered one
    to_frame = to_frame @ np.array(
        [[step, 0, step / 2 - 0.5], [0, step, step / 2 - 0.5], [0, 0, 1]]
    )
    corners = np.array([[x, y, 1] for x in (0, SIDE_PX) for y in (0, SIDE_PX)])
    placed = corners @ to_frame.T
    low = np.clip(np.floor(placed.min(axis=0)), 0, None).astype(int)
    high = np.minimum(np.ceil(placed.max(axis=0)), (output.width, output.height)).astype(int)
    size = (int(high[0] - low[0]), int(high[1] - low[1]))
    move = to_frame.copy()
    move[:, 2] -= low
    alpha = np.zeros((SIDE_PX, SIDE_PX), np.float32)
    alpha[FEATHER_PX:-FEATHER_PX, FEATHER_PX:-FEATHER_PX] = 1
    alpha = np.asarray(cv2.blur(alpha, (FEATHER_PX, FEATHER_PX)), np.float32)
    image = cv2.warpAffine(
        recovered, move, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    opacity = cv2.warpAffine(alpha, move, size, flags=cv2.INTER_LINEAR)
    predicted = copy_picture(output)
    box = (int(low[0]), int(low[1]), int(high[0]), int(high[1]))
    blend_bgr(predicted, box, np.asarray(image, np.uint8), np.asarray(opacity, np.float32))
    return predicted


def _add(
    coded: _Coded,
    crop: Crop,
    prediction: Picture | None,
    quantiser: int,
    *,
    bidirectional: bool | None,
) -> None:
    """Code one more crop."""
    old = crop.time_us - coded.begin_us >= SEGMENT_US
    same = coded.waiting and coded.waiting[0][0].place.columns == crop.place.columns
    if old or not (same and coded.waiting[0][0].place.rows == crop.place.rows):
        _finish(coded)
    if coded.encoder is None:
        coded.encoder = CropEncoder(crop.place, COLOUR, quantiser)
        coded.begin_us = crop.time_us
    planes = crop.planes
    expected: tuple[Plane, ...] = ()
    if prediction:
        expected = cut_out(prediction, crop.place, crop.mask)
        planes = tuple(map(_difference, crop.planes, expected))
    coded.waiting.append((crop, expected))
    coded.data += coded.encoder.encode(replace(crop, planes=planes), bidirectional=bidirectional)


def _finish(coded: _Coded) -> None:
    """End a segment, and compare what it gives with the original."""
    if coded.encoder is None:
        return
    coded.data += coded.encoder.finish()
    coded.size += len(coded.data)
    decoded = decode_crops(iter([bytes(coded.data)]), ALWAYS, COLOUR)
    for made, (crop, expected) in zip(decoded, coded.waiting, strict=True):
        luma = made.planes[0].astype(np.int32)
        if expected:
            luma = np.clip(luma - MIDDLE + expected[0], 0, 255)
        own = np.repeat(np.repeat(crop.mask, BLOCK_PX, 0), BLOCK_PX, 1)
        coded.error += float(np.square(luma - crop.planes[0])[own].sum())
        coded.samples += int(own.sum())
    coded.encoder, coded.data, coded.waiting = None, bytearray(), []


def _difference(plane: Plane, expected: Plane) -> Plane:
    away = plane.astype(np.int16) - expected + MIDDLE
    return np.asarray(np.clip(away, 0, 255), np.uint8)
