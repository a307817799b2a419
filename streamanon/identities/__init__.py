"""The built-in gallery of condition identities, and the user's own."""
