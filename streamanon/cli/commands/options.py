"""Options that several commands have."""

from __future__ import annotations

import typing
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from streamanon.config import Config

if TYPE_CHECKING:
    from collections.abc import Callable


def _set_verbose(context: click.Context, _: click.Parameter, value: bool) -> None:  # noqa: FBT001  click's signature
    if value:
        context.find_root().obj["verbose"] = True


verbose = click.option(
    "-v",
    "--verbose",
    is_flag=True,
    expose_value=False,
    callback=_set_verbose,
    help="Show where an error came from.",
)


def settings(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command one flag for each field of Config."""
    types = typing.get_type_hints(Config)
    for setting in reversed(fields(Config)):
        kind = next(k for k in (*typing.get_args(types[setting.name]), types[setting.name]) if k)
        choices = setting.metadata.get("choices")
        command = click.option(
            f"--{setting.name.replace('_', '-')}",
            default=setting.default,
            is_flag=kind is bool,
            type=click.Choice(choices) if choices else _flag_type(kind),
            metavar=setting.metadata.get("metavar"),
            help=setting.metadata["help"],
            show_default=kind is not bool and setting.default is not None,
        )(command)
    return command


def _flag_type(kind: type) -> Any:
    return click.Path(path_type=Path) if kind is Path else kind
