"""Whole runs of files."""
