"""Entry point of the ``streamanon`` command, which loads the rest."""

import sys


def main() -> None:
    """Run the command; Ctrl-C while its parts are still being loaded ends it without a word."""
    try:
        from streamanon.cli.main import main as command
    except KeyboardInterrupt:
        sys.exit(130)
    command()
