"""Options shared by several commands."""

from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

import click

from streamanon.config import Config, flag, is_several, setting_choices, setting_type


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
    """Give a command one flag for each field of Config, which converts and checks the values."""
    for setting in reversed(fields(Config)):
        kind, choices = setting_type(setting.name), setting_choices(setting.name)
        several = is_several(setting.name)
        command = click.option(
            flag(setting.name),
            setting.name,
            multiple=several,
            default=setting.default,
            is_flag=kind is bool,
            type={bool: bool, Path: click.Path()}.get(kind, str),
            metavar=f"[{'|'.join(choices)}]" if choices else setting.metadata.get("metavar"),
            help=setting.metadata["help"],
            show_default=not (kind is bool or several or setting.default is None),
            shell_complete=partial(_matching, choices) if choices else None,
        )(command)
    return command


def _matching(
    choices: Sequence[str], context: click.Context, parameter: click.Parameter, typed: str
) -> list[str]:
    """Return the choices that complete a text, for a shell."""
    del context, parameter
    return [choice for choice in choices if choice.startswith(typed)]
