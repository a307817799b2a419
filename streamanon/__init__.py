"""Real-time face anonymisation for video."""

__version__ = "0.1.0"
