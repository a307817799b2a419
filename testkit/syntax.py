"""The package's modules, and their syntax trees without annotations, which build nothing."""

import ast
from collections.abc import Iterator
from pathlib import Path

import streamanon

PACKAGE = Path(streamanon.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))


def parsed(module: Path) -> ast.Module:
    """Return the syntax tree of a module."""
    return ast.parse(module.read_text(encoding="utf-8"))


def outside_annotations(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a tree that are not part of an annotation."""
    annotations = {
        id(inner)
        for node in ast.walk(tree)
        for part in (getattr(node, "annotation", None), getattr(node, "returns", None))
        if isinstance(part, ast.AST)
        for inner in ast.walk(part)
    }
    return (node for node in ast.walk(tree) if id(node) not in annotations)
