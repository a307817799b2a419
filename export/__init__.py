"""A trained network becomes the files that ship: run ``python -m export --help``."""

import streamanon  # noqa: F401  keeps ONNX Runtime from reporting, before a module imports it
