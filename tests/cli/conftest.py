"""What the command line says."""

from collections.abc import Callable

import pytest


@pytest.fixture
def error_line(capfd: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """Return the one line that an error is."""

    def read() -> str:
        (line,) = [line for line in capfd.readouterr().err.splitlines() if line.strip()]
        assert line.startswith("streamanon: error: ")
        return line

    return read
