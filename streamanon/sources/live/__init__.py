"""Cameras, streams and screens."""
