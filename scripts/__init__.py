"""Small programs for the docs."""
