"""The processes that write live outputs, and what goes through the pipe to them."""
