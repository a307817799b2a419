"""The results that a report is made from, and the check of their provenance."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.record import load, without_folders
from streamanon.errors import UsageError

SUITES = (
    *("stills", "identity", "motion", "telltale", "ablation", "video", "speed", "peers", "live"),
    *("training", "integrity"),
)

_REQUIRED = (
    *("suite", "streamanon", "commit", "command", "results"),
    *("machine.cpu", "machine.cores", "machine.system", "versions.python", "versions.numpy"),
)
_REQUIRED_OF_SUITE: dict[str, tuple[str, ...]] = {
    "stills": ("settings.pairs", "settings.folds", "settings.provider", "results.judges"),
    "identity": ("settings.people", "settings.provider", "results.judges", "results.rows"),
    "motion": ("settings.windows", "settings.window_s", "settings.provider", "results.rows"),
    "ablation": ("settings.people", "settings.provider", "results.judges", "results.rows"),
    "telltale": ("settings.folds", "settings.clips", "settings.provider", "results.rows"),
    "video": (
        *("settings.frames", "settings.seed", "settings.provider"),
        *("results.clips", "results.judges", "results.summary"),
    ),
    "speed": ("settings.frames", "settings.rounds", "settings.warm_up", "settings.clip_sha256"),
    "peers": (
        *("settings.frames", "settings.rounds", "settings.warm_up", "settings.clips"),
        "results.peers",
    ),
    "live": (
        *("settings.minutes", "settings.warm_up", "settings.clip_sha256", "settings.provider"),
        "results.rows",
    ),
    "training": ("settings.pairs", "settings.settings", "settings.provider"),
    "integrity": ("settings.method", "settings.files", "results.good"),
}
_REQUIRED_OF_ROW = {
    "stills": ("commit", "seed"),
    "identity": ("commit", "seed"),
    "motion": ("commit", "seed"),
    "ablation": ("commit", "seed"),
    "telltale": ("commit", "seed"),
    "video": ("commit",),
    "speed": ("rounds", "frames"),
    "peers": ("clip", "frames"),
    "live": ("kind", "commit"),
    "training": ("kind",),
    "integrity": (),
}
"""Keys that every row must have."""


@dataclass(frozen=True)
class Record:
    """The results file of one suite.

    Attributes:
        suite: name of the suite.
        document: content of the file.
    """

    suite: str
    document: dict[str, Any]

    @property
    def results(self) -> dict[str, Any]:
        """The measurements."""
        found: dict[str, Any] = self.document["results"]
        return found

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the measurement."""
        found: dict[str, Any] = self.document["settings"]
        return found

    def provider_of_rows(self) -> str:
        """Return what ran the networks, and the commit of each row."""
        commits = (f"{name} {row['commit']}" for name, row in self.results["rows"].items())
        return f"{self.settings['provider']}; commits of the rows: {', '.join(commits)}"

    def provenance(self, providers: str) -> str:
        """Return where the figures come from, in one line.

        Args:
            providers: runtimes that really ran the networks.
        """
        document, machine = self.document, self.document["machine"]
        used = ", ".join(f"{name} {version}" for name, version in document["versions"].items())
        return (
            f"<sub>`{self.suite}.json`: commit {document['commit']}, streamanon "
            f"{document['streamanon']}; {machine['cpu']}, {machine['cores']} cores; {used}; "
            f"{providers}.</sub>"
        )


def read(folder: Path) -> dict[str, Record | None]:
    """Read the results of every suite; None for a suite without results.

    Raises:
        UsageError: provenance is missing, or there are no results at all.
    """
    found = {
        suite: Record(suite, load(suite, folder)) if (folder / f"{suite}.json").is_file() else None
        for suite in SUITES
    }
    if not any(found.values()):
        raise UsageError(f"no results in {folder}: run `python -m benchmarks speed`, for example")
    for record in filter(None, found.values()):
        missing = list(missing_provenance(record))
        if missing:
            raise UsageError(
                f"{folder / record.suite}.json does not say {', '.join(missing)}: measure again "
                f"with `python -m benchmarks {record.suite}`"
            )
    return found


def missing_provenance(record: Record) -> Iterator[str]:
    """Yield the keys of the provenance that are missing."""
    for path in (*_REQUIRED, *_REQUIRED_OF_SUITE[record.suite]):
        if _at(record.document, path) in (None, "", [], {}, "unknown"):
            yield path
    for word in record.document.get("command") or ():
        if word != without_folders(word):
            yield f"its command without the folders of one disk ({word})"
    for name, row in _rows(record):
        wanted = (*_REQUIRED_OF_ROW[record.suite], *(("runtimes",) if "stages" in row else ()))
        yield from (f"{own} of row {name}" for own in wanted if own not in row)


def _rows(record: Record) -> Iterator[tuple[object, Mapping[str, Any]]]:
    """Yield the rows of a suite, each with its name or number."""
    rows = _at(record.document, "results.rows") or ()
    if record.suite == "video":
        for method, clips in dict(rows).items():
            yield from ((f"{method}, {clip}", row) for clip, row in clips.items())
    else:
        yield from rows.items() if isinstance(rows, dict) else enumerate(rows)


def _at(document: Mapping[str, Any], path: str) -> Any:
    """Return the value at a dotted path, or None."""
    value: Any = document
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value
