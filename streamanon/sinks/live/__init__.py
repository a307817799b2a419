"""Live outputs: one encode, a process each."""
