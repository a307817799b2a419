"""Methods: each makes the patches that hide faces."""
