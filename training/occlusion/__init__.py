"""The network that says what is in front of a face: its data and its training."""
