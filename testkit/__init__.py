"""What tests and benchmarks share: servers to talk to, clips with painted or numbered frames."""
