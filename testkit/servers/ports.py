"""Ports for servers of tests."""

import socket


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    """Return a port of the loopback interface that nothing listens on."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
