"""What may leave: the only way from raw frames to safe frames, its policy and its covers."""
