"""Raw pixels leave in one way more: as ciphertext; and come back in one module."""

import ast
from pathlib import Path

import pytest

from testkit.syntax import MODULES, PACKAGE, outside_annotations, parsed

SEALED = sorted((PACKAGE / "sealed").glob("*.py"))

MAY_WRITE = {"sidecar.py", "log.py", "keys.py", "people.py"}
"""Records, the log, a new private key, and what --identity-key remembers: no pixels."""

_WRITERS = {"write_bytes", "write_text", "imwrite", "imencode", "tofile", "save", "savez", "dump"}


def _named(module: Path, name: str) -> bool:
    """Tell whether a module calls or hands on what has a name; annotations do not count."""
    return any(
        (isinstance(node, ast.Name) and node.id == name)
        or (isinstance(node, ast.Attribute) and node.attr == name)
        for node in outside_annotations(parsed(module))
    )


def test_only_the_opener_builds_revealed_frames() -> None:
    building = [module for module in MODULES if _named(module, "RevealedFrame")]
    assert building == [PACKAGE / "sealed" / "opening.py"]


def test_only_the_cipher_makes_ciphertext() -> None:
    making = []
    for module in SEALED:
        for node in ast.walk(parsed(module)):
            given = node.keywords if isinstance(node, ast.Call) else []
            if any(keyword.arg == "ciphertext" for keyword in given):
                making.append(module.name)
    assert making == ["cipher.py"]
    encrypting = {module.name for module in SEALED if _named(module, "ChaCha20Poly1305")}
    assert encrypting == {"cipher.py", "people.py"}


def test_what_remembers_people_sees_no_pixels() -> None:
    source = (PACKAGE / "sealed" / "people.py").read_text(encoding="utf-8")
    for word in ("Picture", "Frame", "Plane", "Scene", "U8"):
        assert word not in source


@pytest.mark.parametrize("module", SEALED, ids=lambda path: path.name)
def test_only_records_the_log_and_new_keys_are_written(module: Path) -> None:
    writes = False
    for node in ast.walk(parsed(module)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        modes = [one.value for one in node.args if isinstance(one, ast.Constant)]
        opens = node.func.attr in ("open", "fdopen") and "rb" not in modes and bool(modes)
        writes |= opens or node.func.attr in _WRITERS or node.func.attr == "O_CREAT"
    assert writes == (module.name in MAY_WRITE)


def test_the_sidecar_takes_nothing_but_records() -> None:
    source = (PACKAGE / "sealed" / "sidecar.py").read_text(encoding="utf-8")
    tree = ast.parse(source)
    (append,) = (
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name == "append"
    )
    assert [ast.unparse(one.annotation) for one in append.args.args[1:] if one.annotation] == [
        "Record"
    ]
    assert "streamanon.imaging" not in source
    assert "streamanon.sealed.coding" not in source
