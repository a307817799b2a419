"""Where streamanon's claims come from: run ``python -m benchmarks --help``."""

import streamanon  # noqa: F401  keeps ONNX Runtime from reporting, before a suite imports it
