"""Whole clips: leaks, identity, stability, expression and what is kept of the file."""
