"""Sealed originals: what the bytes of sidecars tell, and a network beside them."""
