"""The examples of the Python API run, on real media, and what comes out shows no original face."""

import shutil
from importlib import import_module
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from examples import opencv_loop, pyav_pipe
from examples.supervision_annotator import FaceAnonymiser
from streamanon import Config, Treatment, UsageError
from streamanon.types import U8
from testkit.painted import SHOWS, loud_pixels, painted_frames, painted_images
from testkit.paths import ROOT
from testkit.videos import bgr, read_frames, write_video

EXAMPLES = ROOT / "examples"
COUNT = 16


@pytest.fixture(scope="module")
def images() -> list[U8]:
    return painted_images()[:COUNT]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A painted face, with times that are not even."""
    path = tmp_path_factory.mktemp("examples") / "painted.mp4"
    frames = painted_frames()[:COUNT]
    return write_video(path, frames, form="yuv420p", pts=lambda index: index + index // 4)


def _shown(path: Path) -> list[tuple[float, int]]:
    """Return the times of a file's frames, and how much of a raw face each shows."""
    return [(frame.time or 0.0, loud_pixels(bgr(frame))) for frame in read_frames(path)]


def test_every_example_is_short_explains_itself_and_is_listed() -> None:
    listed = (EXAMPLES / "README.md").read_text()
    for path in EXAMPLES.glob("*.py"):
        lines = path.read_text().splitlines()
        assert len(lines) < 60
        assert lines[0].startswith('"""')
        assert path.name in listed
    assert "anonymise.ipynb" in listed


@pytest.mark.parametrize("example", [opencv_loop.main, pyav_pipe.main])
def test_a_file_goes_through_a_loop(clip: Path, tmp_path: Path, example: Any) -> None:
    before, out = _shown(clip), tmp_path / "out.mp4"
    assert min(loud for _, loud in before) > SHOWS
    assert example(str(clip), str(out)) == COUNT
    after = _shown(out)
    assert max(loud for _, loud in after) < SHOWS
    assert len(after) == COUNT
    if example is pyav_pipe.main:
        assert [time_s for time_s, _ in after] == pytest.approx([time_s for time_s, _ in before])


def test_the_annotator_answers_each_scene_at_once(images: list[U8]) -> None:
    images = images + images[::-1] + images  # a face is covered until it has been seen well
    with FaceAnonymiser(Config(method="warp")) as hide:
        for scene in images:
            safe = hide.annotate(scene, detections=object())
            assert loud_pixels(safe) < SHOWS
            assert np.array_equal(safe[:, :40], scene[:, :40])
            (face,) = hide.faces
            assert face.track_id == 1
            assert face.treatment in (Treatment.COVERED, Treatment.REPLACED)
        assert face.treatment is Treatment.REPLACED
        with pytest.raises(UsageError, match="640x480"):
            hide.annotate(images[0][::2])


def test_an_upload_comes_back_safe(images: list[U8], monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("fastapi", reason="needs the dependency group test")
    pytest.importorskip("multipart", reason="needs the dependency group test")
    testclient = pytest.importorskip("fastapi.testclient", reason="needs the dependency group test")
    service = import_module("examples.fastapi_upload")
    with testclient.TestClient(service.app) as client:

        def post(data: bytes) -> Any:
            return client.post("/anonymise", files={"picture": ("me.png", data)})

        answer = post(cv2.imencode(".png", images[0])[1].tobytes())
        assert (answer.status_code, answer.headers["x-faces"]) == (200, "1")
        safe = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_UNCHANGED)
        assert safe is not None
        assert safe.shape == images[0].shape
        assert loud_pixels(np.asarray(safe, np.uint8)) < SHOWS
        assert post(b"").status_code == 415
        assert post(b"not a picture").status_code == 415


def test_the_notebook_runs(tmp_path: Path) -> None:
    nbclient = pytest.importorskip("nbclient", reason="needs the dependency group test")
    nbformat = pytest.importorskip("nbformat", reason="needs the dependency group test")
    pytest.importorskip("ipykernel", reason="needs the dependency group test")
    notebook = nbformat.read(EXAMPLES / "anonymise.ipynb", as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in cells), "strip its outputs"
    shutil.copytree(EXAMPLES / "stills", tmp_path / "stills")
    shutil.copy(EXAMPLES / "demo.mp4", tmp_path)
    nbclient.NotebookClient(
        notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    pictures = [output for cell in cells for output in cell.outputs if "image/jpeg" in str(output)]
    assert len(pictures) == 2


def test_the_page_on_python_runs(
    clip: Path, images: list[U8], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(clip, "in.mp4")
    cv2.imwrite("in.jpg", images[0])
    page = (ROOT / "docs" / "python.md").read_text()
    for said, done in {
        "rtsp://camera/1": "lavfi:testsrc2=size=320x240:rate=30",
        "rtsp://server/safe": "hls:out",
        "time.sleep(1)": "stream.stop()",
    }.items():
        assert said in page
        page = page.replace(said, done)
    names: dict[str, Any] = {}
    for block in page.split("```python\n")[1:]:
        exec(block.split("```")[0], names)
    assert names["report"].uncovered == 0
    assert names["stream"].status().state == "stopped"
    assert loud_pixels(np.asarray(cv2.imread("safe.png"), np.uint8)) < SHOWS
