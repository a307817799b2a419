"""Audit: an independent detector and a recogniser compare a file with its anonymised version."""
