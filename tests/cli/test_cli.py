"""The command line: help that is documented, flags that are settings, errors of one line."""

import importlib.util
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from types import ModuleType

import cv2
import pytest

from streamanon import __version__
from streamanon.cli.main import cli, execute
from streamanon.config import Config
from streamanon.factory import Factory
from testkit.paths import ROOT


def _reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ref", ROOT / "scripts" / "cli_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_is_up_to_date() -> None:
    written = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert written == _reference().reference(), "run `make docs`"


def test_every_command_and_option_is_explained() -> None:
    for path, command in _reference().commands(cli, "streamanon"):
        assert command.help, f"{path} has no help"
        for parameter in command.params:
            if parameter.param_type_name == "option":
                assert parameter.help, f"{path} {parameter.name} has no help"


def test_every_setting_is_a_flag_with_the_same_default() -> None:
    options = {parameter.name: parameter for parameter in cli.commands["run"].params}
    for setting in fields(Config):
        assert options[setting.name].default == setting.default


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["--version"]) == 0
    assert __version__ in capsys.readouterr().out
    assert execute(["run", "-h"]) == 0
    assert "Examples:" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fly"], "No such command 'fly'"),
        (["in.mp4", "-o", "out.mp4"], "write `streamanon run in.mp4 -o OUTPUT` to anonymise it"),
        (["run"], "Missing argument"),
        (["run", "a.mp4"], "Missing option '-o'"),
        (["run", "a.mp4", "-o", "b.mp4", "--fast"], "No such option"),
        (["run", "a.mp4", "-o", "b.mp4", "--method", "paint"], "unknown method 'paint': wanted"),
        (["run", "a.mp4", "-o", "b.mp4", "--seed", "x"], "seed is 'x': wanted a whole number"),
        (["run", "a.mp4", "-o", "b.mp4", "--crf", "99"], "crf is 99: wanted 0 (best) to 63"),
        (["run", "a.mp4", "-o", "b.mp4", "--min-face", "2"], "use 8 or more"),
        (["run", "a.mp4", "-o", "b.mp4", "--stall-s", "0"], "more than 0 seconds"),
        (["run", "none.mp4", "-o", "b.mp4"], "none.mp4 does not exist"),
        (["run", "rtsp://u:secret@cam/1"], "name an output, or look at it with --serve"),
        (["run", "rtsp://u:secret@cam/1", "-o", "b.mp4"], "use record:FOLDER"),
        (["run", "rtsp:/u:secret@cam/1", "-o", "hls:x"], "lacks its //"),
        (["run", "webcam:0", "-o", "hls:x", "--codec", "hevc"], "--codec is for files only"),
        (["run", "webcam:0", "-o", "hls:x", "--overwrite"], "live outputs replace nothing"),
        (["run", "webcam:0", "--serve", "8080"], "serve is '8080': wanted HOST:PORT"),
        (["run", "lavfi:testsrc2", "-o", "hls:x", "--identity", "nobody"], "called 'nobody'"),
        (["live", "none.toml"], "none.toml cannot be read"),
    ],
)
def test_a_wrong_request_is_one_line_and_exit_code_2(
    arguments: list[str], message: str, error_line: Callable[[], str]
) -> None:
    assert execute(arguments) == 2
    line = error_line()
    assert message in line
    assert "secret" not in line


def test_a_run_ends_with_a_line_of_what_was_done(
    face_clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out.mp4"
    assert execute(["run", str(face_clip), "-o", str(output), "--method", "solid"]) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"face.mp4 -> {output}: 16 frames, ")
    assert line.endswith("1 face followed, hidden 16 times in all frames together")
    assert output.exists()


def test_one_failure_among_several_is_exit_code_1(
    face_clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.mp4").write_text("no video")
    inputs = [str(tmp_path / "bad.mp4"), str(face_clip)]
    assert execute(["run", *inputs, "-o", str(tmp_path / "out"), "--method", "solid"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("streamanon: error: [1/2] bad.mp4: ")
    assert lines[-1] == "streamanon: error: 1 of 2 files failed, see above"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["face.mp4"]


def test_verbose_shows_where_an_error_came_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["run", str(tmp_path / "none.mp4"), "-o", str(tmp_path / "out.mp4")]
    assert execute([*arguments, "-v"]) == 2
    assert "Traceback" in capsys.readouterr().err
    assert execute(["-v", *arguments]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_the_gallery_can_be_listed_and_looked_at(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], error_line: Callable[[], str]
) -> None:
    assert execute(["identities", "list"]) == 0
    assert len(capfd.readouterr().out.split()) >= 24
    sheet = tmp_path / "sheet.png"
    assert execute(["identities", "sheet", str(sheet)]) == 0
    assert sheet.stat().st_size > 100_000
    assert execute(["identities", "sheet", str(sheet)]) == 2
    assert "exists: choose another name" in error_line()
    assert execute(["identities", "sheet", str(tmp_path / "sheet.txt")]) == 2
    assert "is no picture" in error_line()


def test_own_portraits_are_prepared_and_then_known(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    portraits = []
    for name, identity in zip(("ann", "bob"), Factory(Config()).gallery, strict=False):
        portraits.append(str(tmp_path / f"{name}.png"))
        cv2.imwrite(portraits[-1], identity.portrait)
    folder = str(tmp_path / "faces")
    assert execute(["identities", "prepare", *portraits, "-o", folder]) == 0
    assert "2 identities" in capsys.readouterr().out
    assert execute(["identities", "list", "--identities", folder]) == 0
    assert capsys.readouterr().out.split() == ["ann", "bob"]
    again = str(tmp_path / "again")
    assert execute(["identities", "prepare", folder, "-o", again]) == 0
    assert "2 identities" in capsys.readouterr().out
