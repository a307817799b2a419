"""Planning: what goes where, and every request that is refused before anything is touched."""

import os
from pathlib import Path

import pytest
from PIL import Image

from streamanon.errors import UsageError
from streamanon.files.jobs import Job, plan
from streamanon.live.jobs import plan_live


def _touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_one_file_goes_to_one_file(tmp_path: Path) -> None:
    _touch(tmp_path / "a.avi")
    assert plan([tmp_path / "a.avi"], tmp_path / "b.mkv") == [
        Job(tmp_path / "a.avi", tmp_path / "b.mkv")
    ]


def test_one_file_goes_into_a_folder_that_exists(tmp_path: Path) -> None:
    _touch(tmp_path / "a.avi")
    (tmp_path / "out").mkdir()
    assert plan([tmp_path / "a.avi"], tmp_path / "out")[0].output == tmp_path / "out" / "a.mp4"


def test_a_tree_is_mirrored_without_hidden_and_foreign_files(tmp_path: Path) -> None:
    root = tmp_path / "in"
    _touch(root / "a.mp4", root / "x" / "B.JPG", root / "x" / "notes.txt", root / ".c.mp4")
    jobs = plan([root], tmp_path / "out")
    assert [(j.input, j.output) for j in jobs] == [
        (root / "a.mp4", tmp_path / "out" / "a.mp4"),
        (root / "x" / "B.JPG", tmp_path / "out" / "x" / "B.JPG"),
    ]
    assert [job.is_image for job in jobs] == [False, True]


def test_an_output_folder_inside_the_input_is_not_an_input(tmp_path: Path) -> None:
    _touch(tmp_path / "a.mp4", tmp_path / "done" / "old.mp4")
    jobs = plan([tmp_path], tmp_path / "done")
    assert [job.input for job in jobs] == [tmp_path / "a.mp4"]


@pytest.mark.parametrize(
    ("inputs", "output", "message"),
    [
        (["none.mp4"], "b.mp4", "does not exist"),
        (["a.mp4"], "a.mp4", "is an input"),
        (["a.mp4"], "hard.mp4", "is an input"),
        (["a.mp4"], "there.mp4", "exists: choose another name or --overwrite"),
        (["a.mp4"], "b.xyz", "use one of .mp4 .mkv .mov .webm"),
        (["a.mp4"], "b", "use one of .mp4"),
        (["a.mp4"], "b.png", "use one of .mp4"),
        (["a.png"], "b.mp4", "use one of .jpg"),
        (["a.mp4"], "nowhere/b.mp4", "create it"),
        (["a.mp4", "a.png"], "b.mp4", "need a folder"),
        (["a.mp4", "a.png"], "there.mp4", "need a folder"),
        (["a.mp4", "a.avi"], "out", "would both become"),
        (["empty"], "out", "holds no video and no picture"),
        (["full"], "full", "is the input folder"),
    ],
)
def test_a_bad_request_is_refused(
    tmp_path: Path, inputs: list[str], output: str, message: str
) -> None:
    _touch(*(tmp_path / name for name in ("a.mp4", "a.avi", "a.png", "there.mp4", "full/c.mp4")))
    (tmp_path / "empty").mkdir()
    os.link(tmp_path / "a.mp4", tmp_path / "hard.mp4")
    with pytest.raises(UsageError, match=message):
        plan([tmp_path / name for name in inputs], tmp_path / output)


def test_overwrite_allows_an_output_that_exists_but_never_an_input(tmp_path: Path) -> None:
    _touch(tmp_path / "a.mp4", tmp_path / "b.mp4")
    assert plan([tmp_path / "a.mp4"], tmp_path / "b.mp4", overwrite=True)
    with pytest.raises(UsageError, match="is an input"):
        plan([tmp_path / "a.mp4"], tmp_path / "a.mp4", overwrite=True)


def test_a_live_stream_goes_to_live_outputs() -> None:
    job = plan_live(["rtsp://ann:secret@camera/1"], ["rtsp://media/1", "record:out", "window:"])
    assert job is not None
    assert job.input.target == "rtsp://ann:secret@camera/1"
    assert [sink.scheme for sink in job.outputs] == ["rtsp", "record", "window"]
    assert plan_live(["webcam:0"], []) is not None
    assert plan_live(["a.mp4", "b.jpg"], ["done"]) is None


@pytest.mark.parametrize(
    ("inputs", "outputs", "message"),
    [
        (["a.mp4"], ["rtsp://ann:secret@media/1"], "is a live output, a.mp4 a file"),
        (["webcam:0", "webcam:1"], [], "`streamanon live` takes several"),
        (["webcam:0", "a.mp4"], [], "`streamanon live` takes several"),
        (["webcam:0"], ["a.mp4"], "use record:FOLDER"),
        (["webcam:0"], ["hls:a", "hls:a"], "hls:a is used twice"),
        (["rtsp://u:secret@a/1"], ["rtsp://u:secret@a/1"], "is used twice"),
    ],
)
def test_live_streams_and_files_do_not_mix(
    inputs: list[str], outputs: list[str], message: str
) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        plan_live(inputs, outputs)
    assert "secret" not in str(caught.value)


def test_an_animation_that_no_film_can_be_made_of_is_refused(tmp_path: Path) -> None:
    pages = [Image.new("RGB", (64, 48), colour) for colour in ("red", "green")]
    pages[0].save(tmp_path / "a.webp", save_all=True, append_images=pages[1:])
    with pytest.raises(UsageError, match=r"suffix '.mp4': use one of .jpg .*for a.webp"):
        plan([tmp_path / "a.webp"], tmp_path / "out.mp4")
