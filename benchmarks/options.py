"""Places and options that several suites share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from benchmarks import ROOT

SHARED = ROOT.parent / "shared"
"""Where data that is not part of the project lies."""

CACHE = Path(".cache/streamanon-bench")

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _shared(name: str, place: str, what: str) -> Callable[[_Command], _Command]:
    """Return an option for something that lies in a place of :data:`SHARED` by default."""
    return click.option(name, type=click.Path(path_type=Path), default=SHARED / place, help=what)


london = _shared(
    "--data",
    "data/london_ccby.tar",
    "london_ccby.tar or its folder (default: ../shared/data beside the project).",
)
lfw = _shared(
    "--data", "data", "lfw.tar, or what holds it (default: ../shared/data beside the project)."
)
clips = _shared(
    "--clips", "videos", "Folder of clips (default: ../shared/videos beside the project)."
)
faceres = _shared(
    "--faceres",
    "models/faceres.onnx",
    "faceres.onnx (default: ../shared/models beside the project; left out where it is not).",
)
recognisers = click.option(
    "--recogniser",
    "recognisers",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Another recogniser, an ONNX file that takes insightface's 112 px crops.",
)
seed = click.option(
    "--seed", default=0, show_default=True, help="Of the product's choice of identities."
)
cache = click.option(
    "--cache",
    type=click.Path(path_type=Path),
    default=CACHE,
    show_default=True,
    help="Folder of intermediate results, with which an interrupted run continues.",
)
out = click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Folder of the results (default: benchmarks/results; for --quick a cache).",
)
