"""An error as one line."""

import pytest

from streamanon.errors import error_line, named_error_line, system_reason


@pytest.mark.parametrize(
    ("error", "line", "last", "named", "reason"),
    [
        (ValueError("bad"), "bad", "bad", "ValueError: bad", "bad"),
        (ValueError("\na\n \nb\n"), "a", "b", "ValueError: a", "a"),
        (ValueError(), "ValueError", "ValueError", "ValueError", "ValueError"),
        (
            OSError(28, "No space left", "/srv/x"),
            "[Errno 28] No space left: '/srv/x'",
            "[Errno 28] No space left: '/srv/x'",
            "OSError: [Errno 28] No space left: '/srv/x'",
            "No space left",
        ),
    ],
)
def test_an_error_is_one_line(
    error: Exception, line: str, last: str, named: str, reason: str
) -> None:
    assert error_line(error) == line
    assert error_line(error, -1) == last
    assert named_error_line(error) == named
    assert system_reason(error) == reason
