"""What makes the pixels that hide faces."""
