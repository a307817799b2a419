"""The originals of a fold, examined before anything is anonymised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamanon.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.judges.expression import Observation
    from benchmarks.lfw import Lfw, Pair
    from benchmarks.stills.panel import Judgement, Panel

MIN_SHARE = 0.5
"""Share of the pairs that must show two faces; with fewer there is nothing to measure."""


@dataclass(frozen=True)
class Fold:
    """The originals of one fold.

    Attributes:
        pairs: pairs whose pictures both show a face.
        person: person by name of the picture.
        references: observation by name, of every picture of the pairs.
        judgements: judgement by name.
        dropped: names of pictures without a face; their pairs are left out.
    """

    pairs: list[Pair]
    person: dict[str, str]
    references: dict[str, Observation]
    judgements: dict[str, Judgement]
    dropped: list[str]

    @property
    def probes(self) -> list[str]:
        """Names of the pictures to anonymise: the second of each pair, each once."""
        return list(dict.fromkeys(pair.second for pair in self.pairs))

    @property
    def enrolled(self) -> dict[str, str]:
        """By person, one picture: the first of a pair where there is one."""
        first = {self.person[pair.second]: pair.second for pair in reversed(self.pairs)}
        return first | {self.person[pair.first]: pair.first for pair in reversed(self.pairs)}


def examine(lfw: Lfw, panel: Panel, pairs: list[Pair], advance: Callable[[], None]) -> Fold:
    """Have the judges look at the originals of a fold.

    Args:
        lfw: the data.
        panel: the judges.
        pairs: pairs of the fold.
        advance: called once a picture, see :func:`pictures_of`.

    Raises:
        UsageError: too few pictures show a face.
    """
    references, judgements, dropped = {}, {}, []
    for name in pictures_of(pairs):
        image = lfw.image(name)
        reference = panel.reference(image)
        if reference is None:
            dropped.append(name)
        else:
            references[name] = reference
            judgements[name] = panel.judge(image, reference)
        advance()
    usable = [pair for pair in pairs if pair.first in references and pair.second in references]
    if len(usable) < MIN_SHARE * len(pairs) or not any(pair.same for pair in usable):
        raise UsageError(
            f"no face is found in {len(dropped)} of {len(references) + len(dropped)} originals: "
            "wanted photographs of faces"
        )
    return Fold(usable, lfw.person, references, judgements, dropped)


def pictures_of(pairs: list[Pair]) -> list[str]:
    """Return the names of all pictures of some pairs, each once."""
    return list(dict.fromkeys(name for pair in pairs for name in (pair.first, pair.second)))
