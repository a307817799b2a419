"""Engines for NVIDIA GPUs."""

import typing

import click
from rich.console import Console

from streamanon.cli.commands.options import verbose

if typing.TYPE_CHECKING:
    from streamanon.backends.tensorrt_graph import Precision

_precision = click.option(
    "--precision",
    type=click.Choice(("auto", "fp32", "fp16")),
    default="auto",
    show_default=True,
    help="What the network that paints faces calculates in: auto is fp16 where it loses little by "
    "that. Those that find faces are always in fp32.",
)


@click.group(short_help="Compile the networks for this machine's NVIDIA GPU.")
def engine() -> None:
    """Compile the networks that find and paint faces for this machine's NVIDIA GPU, with TensorRT.

    --runtime auto has that which paints compiled behind a stream that is running already; this
    does it beforehand, and those that find faces are compiled by this alone.
    """


@engine.command("build")
@_precision
@verbose
def build_engine(precision: str) -> None:
    """Build the engines, where there are none yet."""
    from streamanon.cli.engines import build
    from streamanon.cli.progress import step_bar

    wanted = None if precision == "auto" else typing.cast("Precision", precision)
    with step_bar(Console(stderr=True)) as advance:
        lines = build(wanted, advance)
    for line in lines:
        click.echo(line)


@engine.command("list")
@verbose
def list_engines() -> None:
    """Print every engine there is, and what it was made for."""
    from streamanon.backends.engines import EngineCache

    cache = EngineCache()
    entries = cache.entries()
    for one in entries:
        click.echo(f"{one.name}  {one.size / 1e6:6.1f} MB  {one.text}")
    click.echo(f"{len(entries)} engines in {cache.folder}")


@engine.command("clear")
@verbose
def clear_engines() -> None:
    """Remove all engines; what is needed is built again."""
    from streamanon.backends.engines import EngineCache

    cache = EngineCache()
    click.echo(f"{cache.folder}: {cache.clear() / 1e6:.1f} MB freed")
