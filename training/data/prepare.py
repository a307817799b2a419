"""Tar files and folders of faces to shards of aligned crops.

    python -m training prepare lfw.tar photos/ --out faces/

People in a fold of LFW kept for testing are left out. So is a picture that cannot be decoded or
shows no face that the product could anonymise; ``index.json`` names each and says why.
"""

import json
import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import cv2
import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from streamanon.config import Config
from streamanon.errors import UsageError
from streamanon.face import landmarks as lm
from streamanon.face.network_input import AlignedFace
from streamanon.factory import Factory
from streamanon.imaging.boxes import side
from streamanon.imaging.picture import as_picture
from streamanon.tracking.identity_assigner import skin_lab
from streamanon.types import Mesh, Picture
from training.data.entries import Entry, read_entries
from training.data.shards import GEOMETRY, INDEX, Face, ShardWriter, encode, quantised

MIN_PRESENCE = 0.8

MAX_YAW_DEG = 60.0

MIN_SCALE = 0.45
"""Picture px a crop px, at least: smaller faces would be blown up to a blur."""

SECOND_FACE_RATIO = 0.5
"""Least size, over the largest face's, of a face that may be the one the picture is of."""

CHUNK = 8
"""Pictures given to a process at a time."""

NAMED = 3
"""Pictures left out that are named for each reason; the index names them all."""

Outcome = Face | str
"""A face, or the reason why the picture is left out."""


def prepare(
    inputs: Sequence[Path], out: Path, *, licences: dict[str, str], processes: int
) -> dict[str, Any]:
    """Write the shards and the index of some sets.

    Args:
        inputs: tar files or folders, a set each, named like the file.
        out: folder that does not exist or is empty.
        licences: licence of each set, by its name.
        processes: number of worker processes.

    Returns:
        The index.

    Raises:
        UsageError: the request cannot be carried out as made; nothing is left behind.
    """
    sets = _sets(inputs, licences)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} exists and is not an empty folder: choose another")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as unfinished:
            folder = Path(unfinished) / out.name
            folder.mkdir()
            index = _prepare_sets(sets, folder, licences, processes)
            (folder / INDEX).write_text(json.dumps(index, indent=1), encoding="utf-8")
            folder.replace(out)
    except OSError as error:
        raise UsageError(
            f"{out} cannot be written ({error.strerror or error}): free some space or choose "
            "another folder"
        ) from error
    return index


def _prepare_sets(
    sets: dict[str, list[Entry]], folder: Path, licences: dict[str, str], processes: int
) -> dict[str, Any]:
    """Write the shards of all sets into a folder and return their index."""
    index: dict[str, Any] = {"geometry": GEOMETRY, "sets": {}, "shards": [], "skipped": []}
    with _progress() as progress, _workers(processes) as look_at_all:
        for name, entries in sets.items():
            task = progress.add_task(name, total=len(entries), speed="")
            shown = _shown(look_at_all(entries), progress, task)
            _prepare_set(name, entries, shown, folder, index)
            index["sets"][name]["licence"] = licences.get(name, "not stated")
    return index


def _sets(inputs: Sequence[Path], licences: dict[str, str]) -> dict[str, list[Entry]]:
    names = [path.stem for path in inputs]
    if len(set(names)) != len(names):
        raise UsageError(f"two inputs have one name among {', '.join(names)}: rename one")
    unknown = set(licences) - set(names)
    if unknown:
        raise UsageError(f"a licence is given for {', '.join(unknown)}, which is no input")
    return {path.stem: read_entries(path) for path in inputs}


def _prepare_set(
    name: str, entries: list[Entry], outcomes: Iterable[Outcome], out: Path, index: dict[str, Any]
) -> None:
    """Write the shards of one set and note in the index what became of each picture."""
    writer = ShardWriter(out, name)
    people, skipped = set(), []
    for entry, outcome in zip(entries, outcomes, strict=True):
        if isinstance(outcome, Face):
            writer.add(outcome)
            people.add(outcome.person)
        else:
            skipped.append({"file": entry.name, "set": name, "why": outcome})
    writer.flush()
    index["shards"] += writer.shards
    index["skipped"] += skipped
    reasons = Counter(each["why"] for each in skipped)
    index["sets"][name] = {
        "pictures": len(entries),
        "faces": len(entries) - len(skipped),
        "people": len(people),
        "skipped": dict(reasons.most_common()),
    }


@contextmanager
def _workers(processes: int) -> Iterator[Callable[[list[Entry]], Iterable[Outcome]]]:
    """Give what looks at many pictures, in order."""
    if processes == 1:
        yield lambda entries: map(look_at, entries)
        return
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        yield lambda entries: pool.imap(look_at, entries, chunksize=CHUNK)


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(),
    )


def _shown(outcomes: Iterable[Outcome], progress: Progress, task: Any) -> Iterator[Outcome]:
    for outcome in outcomes:
        yield outcome
        speed = progress.tasks[task].speed
        progress.update(task, advance=1, speed=f"{speed:.0f}/s" if speed else "")


@lru_cache(maxsize=1)
def _factory() -> Factory:
    cv2.setNumThreads(1)
    return Factory(Config(min_face=30))


def look_at(entry: Entry) -> Outcome:
    """Return the face of a picture as it is stored, or why it is left out."""
    found = central_mesh(entry)
    return found if isinstance(found, str) else _stored(entry, *found)


def central_mesh(entry: Entry, *, blendshapes: bool = False) -> tuple[Picture, Mesh] | str:
    """Return a picture and the mesh of the face it is of, or why it is left out.

    Args:
        entry: the picture.
        blendshapes: whether the mesh is to have them.
    """
    if entry.held_out:
        return "held out for testing (LFW)"
    try:
        data = entry.read()
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    if image is None or (data.startswith(b"\xff\xd8") and b"\xff\xd9" not in data[-64:]):
        return "corrupt, or no picture"
    picture = as_picture(np.asarray(image, np.uint8))
    mesh = _fitted(picture, blendshapes=blendshapes)
    return mesh if isinstance(mesh, str) else (picture, mesh)


def _fitted(picture: Picture, *, blendshapes: bool) -> Mesh | str:
    """Return the mesh of the face nearest to the centre of a picture, unless it is tiny."""
    factory = _factory()
    faces = [face for face in factory.detector.detect(picture) if face.points is not None]
    if not faces:
        return "no face"
    largest = max(side(face.box) for face in faces)
    centre = np.array([picture.width, picture.height]) / 2
    chosen = min(
        (face for face in faces if side(face.box) >= SECOND_FACE_RATIO * largest),
        key=lambda face: float(np.hypot(*((face.box[:2] + face.box[2:]) / 2 - centre))),
    )
    assert chosen.points is not None
    mesh = factory.mesher.fit(picture, lm.roi_from_points(chosen.points))
    mesh = factory.mesher.fit(picture, lm.roi_from_mesh(mesh.points), blendshapes=blendshapes)
    return mesh if mesh.presence >= MIN_PRESENCE else "mesh not believed"


def _stored(entry: Entry, picture: Picture, mesh: Mesh) -> Outcome:
    """Return a face as it is stored, or why it is left out."""
    pose = lm.head_pose(mesh.points)
    if abs(pose[0]) > MAX_YAW_DEG:
        return "turned too far"
    face = AlignedFace.of(picture, mesh.points)
    scale = float(np.hypot(face.to_frame[0, 0], face.to_frame[1, 0]))
    if scale < MIN_SCALE:
        return "too small"
    skin = skin_lab(picture, mesh)
    return Face(
        name=entry.name,
        person=entry.person,
        jpeg=encode(face.image),
        points=quantised(face.points),
        time_s=entry.time_s,
        presence=mesh.presence,
        pose=np.array(pose, np.float32),
        scale=scale,
        skin_lab=np.full(3, np.nan, np.float32) if skin is None else skin,
    )


def _licence(text: str) -> tuple[str, str]:
    name, equals, licence = text.partition("=")
    if not (name and equals and licence):
        raise UsageError(f"licence {text} is not SET=LICENCE")
    return name, licence


@click.command()
@click.argument("inputs", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to make.")
@click.option("--licence", multiple=True, metavar="SET=LICENCE", help="To note beside a set.")
@click.option("--processes", default=2, show_default=True, type=click.IntRange(1))
def command(inputs: tuple[Path, ...], out: Path, licence: tuple[str, ...], processes: int) -> None:
    """Cut the faces of tar files or folders into aligned crops to train on."""
    licences = dict(_licence(text) for text in licence)
    index = prepare(inputs, out, licences=licences, processes=processes)
    for name, counts in index["sets"].items():
        click.echo(f"{name}: {counts['faces']} faces of {counts['people']} people")
        for why, count in counts["skipped"].items():
            files = [each["file"] for each in index["skipped"] if each["why"] == why]
            click.echo(f"  {count} left out: {why} ({', '.join(files[:NAMED])}, ...)")


if __name__ == "__main__":
    command()
