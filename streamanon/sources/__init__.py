"""Inputs, which yield frames."""
