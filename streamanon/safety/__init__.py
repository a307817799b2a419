"""What may leave: the only door from raw frames to safe ones, its policy and its covers."""
