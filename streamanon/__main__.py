"""``python -m streamanon``."""

from streamanon.cli import main

main()
