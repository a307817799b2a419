"""Places and options that several suites share."""

from pathlib import Path

import click

from benchmarks import ROOT

SHARED = ROOT.parent / "shared"
"""Where data that is not part of the project lies."""

CACHE = Path(".cache/streamanon-bench")

london = click.option(
    "--data",
    type=click.Path(path_type=Path),
    default=SHARED / "data" / "london_ccby.tar",
    help="london_ccby.tar or its folder (default: ../shared/data beside the project).",
)
clips = click.option(
    "--clips",
    type=click.Path(path_type=Path),
    default=SHARED / "videos",
    help="Folder of clips (default: ../shared/videos beside the project).",
)
faceres = click.option(
    "--faceres",
    type=click.Path(path_type=Path),
    default=SHARED / "models" / "faceres.onnx",
    help="faceres.onnx (default: ../shared/models beside the project; left out where it is not).",
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
