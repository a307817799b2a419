"""Hints on what to install name packages of the registry, and only those."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement

from streamanon.extras import install_hint
from testkit.paths import ROOT

_EXTRAS: dict[str, list[str]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
    "optional-dependencies"
]
_REGISTRY_NAME = re.compile(r"streamanon\[|(pip|uv|pipx|uvx) (install |tool )*['\"]?streamanon\b")
_TEXTS = [
    path
    for folder in ("streamanon", "docs", "examples", "scripts", "benchmarks", "export", "training")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in (".py", ".md", ".toml", ".html", ".js", ".json", ".service", "")
    and path.is_file()
]


@pytest.mark.parametrize("extra", sorted(_EXTRAS))
def test_a_hint_names_what_the_extra_requires_here(extra: str) -> None:
    said = re.findall(r"[^\s']+", install_hint(extra).removeprefix("pip install "))
    stated = [Requirement(one) for one in _EXTRAS[extra]]
    wanted = [one for one in stated if one.marker is None or one.marker.evaluate()]
    assert [(one.name, one.specifier) for one in map(Requirement, said)] == [
        (one.name, one.specifier) for one in wanted
    ]


def test_a_hint_can_be_pasted_into_a_shell() -> None:
    hint = install_hint("web")
    assert hint.startswith("pip install 'aiohttp>=3.14' 'aioice>=0.13' 'aiortc>=1.16' ")


def test_no_text_installs_this_package_by_its_name() -> None:
    """The registry does not hold it: the name is free for anybody to register."""
    files = [*_TEXTS, *ROOT.glob("*.md"), ROOT / "Dockerfile", ROOT / "Makefile"]
    assert len(files) > 200
    found = [path for path in files if _REGISTRY_NAME.search(path.read_text(errors="replace"))]
    assert found == []
