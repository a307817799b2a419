"""Who can open what the tests seal."""

import pytest

pytest.importorskip("pyrage", reason="the extra sealed is not installed")

from streamanon.sealed.keys import write_new_key
from testkit.sealing import Holder


@pytest.fixture(scope="session")
def holders(tmp_path_factory: pytest.TempPathFactory) -> list[Holder]:
    """Three people, each with a key."""
    folder = tmp_path_factory.mktemp("keys")
    files = [folder / f"{name}.key" for name in ("court", "clinic", "patient")]
    return [Holder(file, write_new_key(file)) for file in files]
