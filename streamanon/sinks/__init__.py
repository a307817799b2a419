"""Outputs, which take safe frames only."""
