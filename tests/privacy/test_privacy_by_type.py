"""Only ``safety/compose.py`` builds what a sink accepts, and the types keep raw frames out."""

import ast
from pathlib import Path

import pytest

from testkit.syntax import MODULES, PACKAGE, outside_annotations, parsed


def builds_a_safe_frame(tree: ast.AST) -> bool:
    """Tell whether code names SafeFrame in any way that could build one.

    A name in an annotation, or imported for one, builds nothing; calling it, or handing the class
    on as a value, does; so does copying one with another picture, or a star import that hides it.
    """
    for node in outside_annotations(tree):
        match node:
            case ast.Name(id="SafeFrame") | ast.Attribute(attr="SafeFrame"):
                return True
            case ast.alias(name="SafeFrame", asname=str()) | ast.alias(name="*"):
                return True
            case ast.Attribute(attr="__setattr__" | "__replace__"):
                return True
            case ast.Call(keywords=keywords, func=ast.Name(id="replace")):
                if any(keyword.arg in ("picture", None) for keyword in keywords):
                    return True
            case ast.Call(keywords=keywords, func=ast.Attribute(attr="replace")):
                if any(keyword.arg in ("picture", None) for keyword in keywords):
                    return True
    return False


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_compose_builds_safe_frames(module: Path) -> None:
    builds = builds_a_safe_frame(parsed(module))
    assert builds == (module == PACKAGE / "safety" / "compose.py")


@pytest.mark.parametrize(
    "code",
    [
        "SafeFrame(0, picture, 0, base)",
        "import streamanon.types as t\nt.SafeFrame(0, picture, 0, base)",
        "from streamanon.types import SafeFrame as Other",
        "build = SafeFrame",
        "import dataclasses\ndataclasses.replace(safe, picture=raw)",
        "replace(safe, **fields)",
        "object.__setattr__(safe, 'picture', raw)",
        "from streamanon.types import *",
    ],
)
def test_the_check_sees_every_way_to_build_one(code: str) -> None:
    assert builds_a_safe_frame(ast.parse(code))


def test_the_check_lets_annotations_pass() -> None:
    code = "def write(frame: SafeFrame) -> SafeFrame: ...\nlast: SafeFrame | None = None\n"
    code += "replace(face, mesh=None)"
    assert not builds_a_safe_frame(ast.parse(code))
