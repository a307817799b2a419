"""Live streams under load and under fault: latency, frame rate, memory, recovery, leaks."""
