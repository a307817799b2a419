"""Frames, times, sound and colours of files of every kind, beside those of the ffmpeg command."""
