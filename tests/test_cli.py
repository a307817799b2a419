"""The command line: help that is documented, flags that are settings, errors of one line."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from streamanon import __version__
from streamanon.cli import cli, execute
from streamanon.config import Config

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).parent.parent


def _reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ref", ROOT / "scripts" / "cli_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _one_error_line(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    (line,) = captured.err.strip().splitlines()
    assert line.startswith("streamanon: error: ")
    return line


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
        (["run"], "Missing argument"),
        (["run", "a.mp4"], "Missing option '-o'"),
        (["run", "a.mp4", "-o", "b.mp4", "--fast"], "No such option"),
        (["run", "a.mp4", "-o", "b.mp4", "--method", "paint"], "'paint' is not one of"),
        (["run", "a.mp4", "-o", "b.mp4", "--seed", "x"], "'x' is not a valid integer"),
        (["run", "a.mp4", "-o", "b.mp4", "--min-face", "2"], "use 8 or more"),
        (["run", "a.mp4", "-o", "b.mp4", "--stall-s", "0"], "more than 0 seconds"),
        (["run", "none.mp4", "-o", "b.mp4"], "none.mp4 does not exist"),
    ],
)
def test_a_wrong_request_is_one_line_and_exit_code_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(arguments) == 2
    assert message in _one_error_line(capsys)


def test_import_is_light() -> None:
    code = "import streamanon, sys; print(sorted({'cv2', 'av', 'onnxruntime'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
