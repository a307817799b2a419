"""Compressed media without I/O: addresses, audio, timestamps, lost frames."""
