"""Links, anchors and paths that the documents name exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
CODE_BLOCK = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
PATH = re.compile(
    r"`((?:streamanon|benchmarks|training|export|scripts|testkit|tests|docs)/[\w./-]+\.\w+)`"
)


def documents() -> list[str]:
    """Return the Markdown files of the repository."""
    folders = ("docs", "examples", "export", "streamanon", "tests", "training")
    found = [*ROOT.glob("*.md"), *(path for one in folders for path in (ROOT / one).rglob("*.md"))]
    return sorted(path.relative_to(ROOT).as_posix() for path in found)


def prose(path: Path) -> str:
    """Return a document without its blocks of code."""
    return CODE_BLOCK.sub("", path.read_text(encoding="utf-8"))


def anchors(path: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub names them."""
    headings = re.findall(r"^#+ (.+)$", prose(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", documents())
def test_links_and_anchors_resolve(document: str) -> None:
    path = ROOT / document
    dead = []
    for link in LINK.findall(prose(path)):
        if "://" in link or link.startswith("mailto:"):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(link)
    assert not dead


@pytest.mark.parametrize("document", documents())
def test_paths_in_backticks_exist(document: str) -> None:
    named = PATH.findall(prose(ROOT / document))
    assert not [name for name in named if not (ROOT / name).exists()]


def test_the_architecture_is_short_and_names_what_there_is() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 150
    named = re.findall(r"`((?:\w+/)+\w+\.py)`", text)
    assert len(named) > 40
    assert not [name for name in named if not (ROOT / "streamanon" / name).exists()]
