"""A user's script against the public names, under mypy --strict."""

import os
import sys
from pathlib import Path

import pytest

import streamanon
from testkit.python import python

PACKAGE = Path(streamanon.__file__).parent

SCRIPT = """
from collections.abc import Iterator
from typing import Any, assert_type

import cv2
import numpy as np
from numpy.typing import NDArray

import streamanon

U8 = NDArray[np.uint8]


def pairs() -> Iterator[tuple[float, U8]]:
    yield 0.0, np.zeros((4, 4, 3), np.uint8)


with streamanon.Anonymiser(streamanon.Config(method="warp")) as anonymiser:
    image = cv2.imread("in.png")
    assert image is not None
    assert_type(anonymiser.image(image), U8)
    safe = anonymiser.image(image, faces=True)
    assert_type(safe, streamanon.SafeImage)
    assert_type(safe.image, U8)
    for face in safe.faces:
        assert_type(face, streamanon.HiddenFace)
        assert_type(face.treatment, streamanon.Treatment)
        assert_type(face.landmarks, NDArray[np.float32] | None)
    for frame in anonymiser.frames(cv2.VideoCapture(0), live=True):
        assert_type(frame, U8)
    for frame in anonymiser.frames([image], fps=25):
        assert_type(frame, U8)
    for one in anonymiser.frames(pairs(), faces=True):
        assert_type(one.time_s, float)
    report = anonymiser.file("in.mp4", "out.mp4")
    assert_type(report, streamanon.Report)
    assert_type(report.to_json(), dict[str, Any])
    with anonymiser.stream("rtsp://camera/1", ["rtsp://server/1"]) as stream:
        assert_type(stream.status(), streamanon.Status)
        assert_type(stream.image(), U8 | None)
try:
    assert_type(streamanon.anonymise("in.mp4", "out.mp4"), streamanon.Report)
except streamanon.UsageError as error:
    assert_type(error.exit_code, int)

anonymiser.image("in.png")  # type: ignore[call-overload]
anonymiser.frames(3)  # type: ignore[call-overload]
streamanon.Config(methd="warp")  # type: ignore[call-arg]
streamanon.anonymize  # type: ignore[attr-defined]
"""


def test_every_public_name_can_be_had() -> None:
    assert all(getattr(streamanon, name) is not None for name in streamanon.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Anonymizer'"):
        streamanon.Anonymizer  # type: ignore[attr-defined]  # noqa: B018


def test_the_package_says_that_it_is_typed() -> None:
    assert (PACKAGE / "py.typed").is_file()


@pytest.mark.slow
def test_a_users_script_is_checked_strictly(tmp_path: Path) -> None:
    pytest.importorskip("mypy", reason="needs the dependency group lint")
    (tmp_path / "script.py").write_text(SCRIPT)
    path = os.pathsep.join([str(PACKAGE.parent), *sys.path])
    ran = python(
        *("-m", "mypy", "--strict", "--cache-dir", tmp_path / "cache", "script.py"),
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        timeout=None,
    )
    assert (ran.returncode, ran.stdout) == (0, "Success: no issues found in 1 source file\n")
