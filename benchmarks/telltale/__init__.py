"""Whether a classifier can tell new faces from real ones."""
