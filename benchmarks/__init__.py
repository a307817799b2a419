"""Where streamanon's claims come from: run ``python -m benchmarks --help``."""
