"""What judges said is kept by what they looked at."""

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from benchmarks.stills.cache import Cache, digest, version_of_judges
from streamanon.errors import UsageError


def test_a_word_is_asked_for_once_also_after_a_restart(tmp_path: Path) -> None:
    asked = []

    def compute() -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        asked.append(1)
        return np.arange(6, dtype=np.float32).reshape(2, 3)

    for _ in range(2):
        with closing(Cache(tmp_path / "new")) as cache:
            for _ in range(2):
                said = cache.recall("key", compute)
                assert np.array_equal(said, compute())
                assert said.dtype == np.float32
    assert len(asked) == 1 + 4


def test_a_name_is_that_of_the_content() -> None:
    one = np.zeros((4, 2), np.uint8)
    names = {
        digest(one),
        digest(one.copy()),
        digest(one.reshape(2, 4)),
        digest(one.astype(np.int16)),
        digest(one, one),
        digest("a", "b"),
        digest("ab"),
        digest(version_of_judges()),
    }
    assert len(names) == 7


def test_a_file_that_is_no_cache_is_refused(tmp_path: Path) -> None:
    (tmp_path / "judgements.sqlite").write_text("something else " * 100)
    with pytest.raises(UsageError, match=r"cannot be used .*: delete it"):
        Cache(tmp_path)
    with pytest.raises(UsageError, match="cannot be used"):
        Cache(tmp_path / "judgements.sqlite" / "below")
