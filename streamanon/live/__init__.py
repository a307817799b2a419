"""Whole runs of live streams: settings, supervision and status."""
