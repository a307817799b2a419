"""The processes that write live outputs, and the messages they receive."""
