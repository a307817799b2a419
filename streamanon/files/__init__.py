"""Runs of files: which input goes to which output, and carrying it out."""
