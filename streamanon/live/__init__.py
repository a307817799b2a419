"""Streams that never end: started, watched, restarted and stopped."""
