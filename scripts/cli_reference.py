"""Write docs/cli.md from the help texts of the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from streamanon.cli.main import cli

if TYPE_CHECKING:
    from collections.abc import Iterator

TARGET = Path(__file__).parent.parent / "docs" / "cli.md"


def commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    """Yield every command below and including one, with its full name."""
    yield path, command
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from commands(child, f"{path} {name}")


def reference() -> str:
    """Return the whole reference as Markdown."""
    parts = ["# Command line", "Written by `make docs` from `--help`; a test keeps it true."]
    for path, command in commands(cli, "streamanon"):
        context = click.Context(command, info_name=path, terminal_width=100, **cli.context_settings)
        parts += [f"## {path}", f"```text\n{command.get_help(context).rstrip()}\n```"]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(reference(), encoding="utf-8")
