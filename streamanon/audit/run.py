"""``streamanon audit``: opens two files, compares every frame, writes the findings."""

import os
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np

from streamanon import weights
from streamanon.audit.geometry import ShapeJudge
from streamanon.audit.judge import Judge
from streamanon.audit.pairs import check_sizes, pairs
from streamanon.audit.permitted import PermittedFaces
from streamanon.audit.result import AuditResult
from streamanon.audit.sheet import ContactSheet
from streamanon.backends.onnx_runtime import OnnxRuntimeBackend
from streamanon.detectors.centerface import CenterFaceDetector
from streamanon.detectors.mesh import MeshFitter
from streamanon.detectors.mobilefacenet import MobileFaceNetEmbedder
from streamanon.errors import UsageError
from streamanon.face.shape import ShapeModel
from streamanon.media.file_types import IMAGE_SUFFIXES
from streamanon.pipeline.document import as_json, publish, sha256, versions
from streamanon.protocols import Source
from streamanon.sources.image import ImageSource
from streamanon.sources.picture_file import is_picture
from streamanon.sources.video import VideoSource

JUDGES = ("centerface.onnx", "mobilefacenet.onnx")
"""The detector, which anonymising does not find faces with, and the recogniser."""

MESH = ("face_mesh.onnx", "face_blendshapes.onnx")
"""What shapes are measured by."""

SHAPES_EVERY = 10
"""Frames from one comparison of shapes to the next: a shape hardly changes."""

_MAX_THREADS = 4


def load_judge() -> Judge:
    """Return a judge with the networks that ship."""
    threads = min(_MAX_THREADS, os.cpu_count() or 1)
    detector, recogniser, mesh, blendshapes = (
        OnnxRuntimeBackend(weights.path(name), threads=threads) for name in JUDGES + MESH
    )
    with np.load(weights.path("face_shape.npz")) as stored:
        geometry = ShapeJudge(MeshFitter(mesh, blendshapes), ShapeModel.of(stored))
    return Judge(CenterFaceDetector(detector), MobileFaceNetEmbedder(recogniser), geometry)


def audit(
    original: Path,
    anonymised: Path,
    *,
    report: Path | None = None,
    sheet: Path | None = None,
    boxes: Path | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> AuditResult:
    """Compare a file with its anonymised version, face by face.

    Args:
        original: video or picture.
        anonymised: same frames after anonymisation.
        report: JSON file to write the findings to.
        sheet: picture file to draw the worst faces of the anonymised file on.
        boxes: file of the run's ``--boxes``: what it left as it is on request is counted apart.
        progress: called with the number of frames compared, and their total number if known.

    Raises:
        UsageError: The files do not match, or an output cannot be written.
        MediaError: A file cannot be read.
        StreamanonError: The original shows no face, so that nothing could be audited.
    """
    permitted = PermittedFaces(boxes, sha256(original)) if boxes else None
    with closing(_source(original)) as first, closing(_source(anonymised)) as second:
        check_sizes(first, second)
        judge, worst = load_judge(), ContactSheet()
        result = AuditResult(float(1 / first.info.rate))
        for before, after in pairs(first, second):
            shapes = result.frames % SHAPES_EVERY == 0
            found = judge.compare(before.picture, after.picture, shapes=shapes)
            comparisons = [
                one for one in found if not (permitted and permitted.allows(before.index, one))
            ]
            result.shown += len(found) - len(comparisons)
            worst.add(before.index, before.time_s, after.picture, comparisons)
            result.add(before.time_s, comparisons)
            if progress:
                progress(result.frames, first.info.frame_count)
    result.require_faces()
    if sheet:
        publish(sheet, cv2.imencode(sheet.suffix, worst.image())[1].tobytes())
    if report:
        document = {
            "versions": versions(),
            "original_sha256": sha256(original),
            "anonymised_sha256": sha256(anonymised),
            "judges_sha256": {name: weights.SHA256[name] for name in JUDGES},
            **result.to_json(),
        }
        publish(report, as_json(document))
    return result


def check_outputs(
    inputs: Sequence[Path], report: Path | None, sheet: Path | None, *, overwrite: bool
) -> None:
    """Refuse a report and a sheet that would replace other files, or cannot be written."""
    taken = {path.resolve() for path in inputs}
    for path in filter(None, (report, sheet)):
        if path.resolve() in taken:
            raise UsageError(f"{path} is named twice: choose another name")
        if path.is_dir() or (path.exists() and not overwrite):
            raise UsageError(f"{path} exists: choose another name or --overwrite")
        if not path.absolute().parent.is_dir():
            raise UsageError(f"folder {path.parent} of {path.name} does not exist: create it")
        taken.add(path.resolve())
    if sheet and sheet.suffix.lower() not in IMAGE_SUFFIXES:
        raise UsageError(f"sheet {sheet} is no picture: use one of {' '.join(IMAGE_SUFFIXES)}")


def _source(path: Path) -> Source:
    if is_picture(path):
        return ImageSource(path)
    return VideoSource(path)
