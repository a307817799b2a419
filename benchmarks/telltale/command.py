"""``python -m benchmarks telltale``: how well a classifier tells new faces from real ones."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import av
import click
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks import options as shared
from benchmarks import record
from benchmarks.judges.expression import observe
from benchmarks.judges.telltale import Describer, area_under_curve, crop
from benchmarks.lfw import TEST_FOLDS, Lfw
from benchmarks.methods import PRODUCT, label, method
from benchmarks.progress import progress_bars, starter
from benchmarks.stills.figures import Figure, plain
from streamanon import Anonymiser, Config, Treatment, UsageError
from streamanon.types import F32, U8

METHODS = ("warp", "anonygan")
QUICK = 24
"""Pictures of a quick run."""

EVERY, FRAMES = 25, 200
"""Frames between two that are taken from a clip, and frames of it that are run."""


@click.command(short_help="How well a classifier tells new faces from real ones.")
@click.argument("methods", nargs=-1)
@shared.lfw
@shared.clips
@shared.seed
@click.option("--quick", is_flag=True, help=f"Only {QUICK} pictures and no clips.")
@shared.out
def command(methods: tuple[str, ...], **options: Any) -> None:
    """Train a classifier to tell the faces of METHODS from the real ones they replaced.

    METHODS are none, blur101, pixelation10, any of the product's, or folder:PATH (stills only).
    Faces that are covered are left out and counted. Rows of methods not named stay as they are.
    """
    quick, seed = options["quick"], options["seed"]
    out = record.destination(options["out"], shared.CACHE, quick=quick)
    stills = _pictures(Lfw(options["data"]), QUICK if quick else None)
    clips = [] if quick else sorted(options["clips"].glob("*.mp4"))
    settings = {"data": "LFW", "folds": list(TEST_FOLDS), "pictures": len(stills)}
    settings |= {"clips": [clip.stem for clip in clips], "provider": "CPUExecutionProvider"}
    rows, describe = record.rows_so_far("telltale", settings, out), Describer()
    with progress_bars() as progress:
        for name in methods or METHODS:
            advance = starter(progress)(label(name), len(stills) + len(clips))
            kinds = {"stills": _stills(name, stills, seed)}
            if clips and name in PRODUCT:
                kinds["frames"] = frame_pairs(Config(method=name, seed=seed), clips)
            row = {}
            for kind, pairs in kinds.items():
                seen = []
                for pair in pairs:
                    seen.append(pair)
                    advance()
                row[kind] = judged(seen, describe)
            rows[label(name)] = {"commit": record.commit(), "seed": seed, **row}
            record.save("telltale", {"rows": rows}, settings=settings, folder=out)
    _show(rows)
    click.echo(f"wrote {out / 'telltale.json'}", err=True)


FacePairs = list[tuple[str, "U8", "U8"]]
"""Group, real crop and new crop of each face that was replaced; empty where it was covered."""


def _pictures(lfw: Lfw, most: int | None) -> list[tuple[str, str, U8, F32]]:
    """Return name, person, picture and mesh of the pictures of the test folds."""
    names = [name for pair in _pairs(lfw) for name in pair][:most]
    found = ((name, lfw.person[name], lfw.image(name)) for name in dict.fromkeys(names))
    seen = [(*one, observe(one[2])) for one in found]
    return [(name, who, image, found.points) for name, who, image, found in seen if found]


def _pairs(lfw: Lfw) -> Iterator[tuple[str, str]]:
    for fold in TEST_FOLDS:
        yield from ((pair.first, pair.second) for pair in lfw.pairs(fold))


def _stills(name: str, pictures: list[tuple[str, str, U8, F32]], seed: int) -> Iterator[FacePairs]:
    """Yield the face of each picture, before and after."""
    anonymise = method(name, seed=seed)
    for file, person, image, points in pictures:
        done = anonymise(file, image)
        yield [] if done.covered else [(person, crop(image, points), crop(done.image, points))]


def frame_pairs(config: Config, clips: list[Path]) -> Iterator[FacePairs]:
    """Yield the face of every so many frames of each clip, before and after."""
    for clip in clips:
        with av.open(str(clip)) as container:
            decoded = islice(container.decode(video=0), FRAMES)
            frames = [np.asarray(frame.to_ndarray(format="bgr24"), np.uint8) for frame in decoded]
        pairs: FacePairs = []
        with Anonymiser(config) as anonymiser:
            for index, safe in enumerate(anonymiser.frames(iter(frames), faces=True)):
                seen = observe(frames[index]) if index % EVERY == EVERY - 1 else None
                done = {face.treatment for face in safe.faces}
                if seen and done == {Treatment.REPLACED}:
                    real, new = frames[index], safe.image
                    pairs.append((clip.stem, crop(real, seen.points), crop(new, seen.points)))
        yield pairs


def judged(pairs: list[FacePairs], describe: Describer) -> dict[str, Any]:
    """Return the area under the curve, and how many faces it is of.

    Raises:
        UsageError: faces of fewer than two people were replaced.
    """
    flat = [one for part in pairs for one in part]
    if len({group for group, _, _ in flat}) < 2:
        raise UsageError("faces of fewer than two people were replaced: use more pictures")
    groups, real, new = zip(*flat, strict=True)
    areas = area_under_curve(describe(real), describe(new), groups)
    area: Figure = plain(areas.tolist(), len(areas))
    return {"area": area, "faces": len(flat), "left_out": sum(not part for part in pairs)}


def _show(rows: dict[str, Any]) -> None:
    """Print the area under the curve of every row."""
    table = Table("method", "pictures", "area under the curve", "faces", "left out")
    for name, row in rows.items():
        for kind in ("stills", "frames"):
            if kind in row:
                figures = row[kind]
                area = f"{figures['area']['mean']:.3f}"
                table.add_row(name, kind, area, str(figures["faces"]), str(figures["left_out"]))
    Console().print(table)
