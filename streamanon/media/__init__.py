"""Compressed media and its clocks, without I/O: addresses, audio, time stamps, lost frames."""
