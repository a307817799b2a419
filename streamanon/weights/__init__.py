"""Model files that ship with the package, each with its licence."""
