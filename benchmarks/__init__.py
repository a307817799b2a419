"""Measures streamanon: run ``python -m benchmarks --help``."""

from pathlib import Path

import streamanon  # noqa: F401  keeps ONNX Runtime from reporting, before a suite imports it

ROOT = Path(__file__).parents[1]
"""The repository's root, where benchmarks and their processes run."""
