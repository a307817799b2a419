"""The straight line a frame travels: threads, channels, failure, statistics."""
