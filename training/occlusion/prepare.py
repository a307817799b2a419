"""Samples of occlusion on disk: shards of SHARD samples each, in one array a file."""

import multiprocessing
from functools import lru_cache, partial
from pathlib import Path

import click
import cv2
import numpy as np

from streamanon.types import U8
from training.data.entries import Entry, read_entries
from training.occlusion import faces
from training.occlusion.samples import sample
from training.occlusion.things import Hands

SHARD = 64
"""Faces in a shard."""

EACH = 4
"""Samples of a face."""

TEXTURES = 200
"""Pictures whose corners are the surfaces of things."""


def write_shard(
    number: int, *, out: Path, sets: tuple[Path, ...], bare: frozenset[str], hands: Path
) -> int:
    """Write one shard of samples and return their number."""
    target = out / f"{number:05d}.npy"
    if target.exists():
        return 0
    cv2.setNumThreads(1)
    rng = np.random.default_rng(number)
    textures = _pictures(sets[0], TEXTURES)
    cut = _hands(hands)
    made = []
    for _ in range(SHARD):
        one = sets[rng.integers(len(sets))]
        entries = _entries(one)
        entry = entries[rng.integers(len(entries))]
        face = faces.read(entry, bare_eyes=one.stem in bare)
        if face is not None:
            made += [sample(face, cut, textures, rng) for _ in range(EACH)]
    unfinished = target.with_suffix(".part")
    with unfinished.open("wb") as file:
        np.save(file, np.stack(made))
    unfinished.replace(target)
    return len(made)


@lru_cache
def _entries(path: Path) -> list[Entry]:
    return [entry for entry in read_entries(path) if not entry.held_out]


@lru_cache
def _pictures(path: Path, count: int) -> list[U8]:
    entries = read_entries(path)
    chosen = entries[:: max(1, len(entries) // count)]
    return [
        np.asarray(cv2.imdecode(np.frombuffer(one.read(), np.uint8), cv2.IMREAD_COLOR), np.uint8)
        for one in chosen
    ]


@lru_cache
def _hands(path: Path) -> Hands:
    return Hands(_pictures(path, 10**9))


@click.command()
@click.argument("sets", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--hands", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--bare", multiple=True, help="Name of a set in which hardly anybody wears glasses.")
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path))
@click.option("--shards", default=40, show_default=True)
@click.option("--processes", default=2, show_default=True, type=click.IntRange(1))
def command(
    sets: tuple[Path, ...],
    hands: Path,
    bare: tuple[str, ...],
    out: Path,
    shards: int,
    processes: int,
) -> None:
    """Put hands, glasses, hair and things in front of the faces of SETS (tar files, folders)."""
    out.mkdir(parents=True, exist_ok=True)
    job = partial(write_shard, out=out, sets=sets, bare=frozenset(bare), hands=hands)
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for done, count in enumerate(pool.imap_unordered(job, range(shards)), 1):
            click.echo(f"{done} of {shards} shards ({count} new samples)")


if __name__ == "__main__":
    command()
