"""Servers that are not ours, or that can be killed, frozen and made to send garbage."""
