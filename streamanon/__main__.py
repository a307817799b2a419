"""``python -m streamanon``."""

import sys

if not sys.flags.safe_path:
    del sys.path[0]  # the current directory, where foreign files may lie

from streamanon.cli.entry import main

main()
