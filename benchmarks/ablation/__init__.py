"""Parts of the default method, each left out once."""
