"""What the bytes, and the sizes, of sidecars tell of the people in them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import cv2
import numpy as np

import streamanon
from streamanon import Config
from streamanon.files.reveal import find_sidecar
from streamanon.sealed.keys import write_new_key

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from benchmarks.identity.people import Person
    from streamanon.types import U8

RUNS, FRAMES, RATE = 4, 50, 25
"""Clips of each person, and their length."""

SIDE_PX, SWAY_PX, TURN_DEG = 384, 12, 6
"""Side of the clips, and how far people move in them."""

Features = dict[str, "NDArray[np.float64]"]


def row(people: Sequence[Person], step: Callable[[], None]) -> dict[str, Any]:
    """Return how often a clip's person is found among all, by the nearest mean of other clips.

    Photographs are moved alike for everybody, in another way for each clip, so that clips differ
    in nothing but the person. ``bytes`` are histograms of ciphertext, ``pairs`` those of two bytes
    that follow each other (their higher halves), ``sizes`` what each chunk takes.
    """
    found: list[list[Features]] = []
    with tempfile.TemporaryDirectory() as folder:
        public = write_new_key(Path(folder) / "key")
        for person in people:
            found.append([_features(person, run, Path(folder), public) for run in range(RUNS)])
            step()
    rates = {name: _found_again(found, name) for name in found[0][0]}
    return {"people": len(people), "runs": RUNS, "chance": round(1 / len(people), 4), **rates}


def _features(person: Person, run: int, folder: Path, public: str) -> Features:
    clip, out = folder / "in.mp4", folder / "out.mp4"
    _write(clip, person.neutral, run)
    streamanon.anonymise(clip, out, Config(method="mosaic", seal=(public,), overwrite=True))
    sidecar = find_sidecar(out)
    chunks = [
        chunk.ciphertext
        for number, entry in sidecar.segments.items()
        if number
        for chunk in sidecar.chunks(entry)
    ]
    data = np.frombuffer(b"".join(chunks), np.uint8)
    after = (data[:-1] & 0xF0) | (data[1:] >> 4)
    return {
        "bytes": np.bincount(data, minlength=256) / len(data),
        "pairs": np.bincount(after, minlength=256) / len(after),
        "sizes": np.log([sum(map(len, chunks)), max(map(len, chunks)), len(chunks[-1])]),
    }


def _write(path: Path, photograph: U8, run: int) -> None:
    """Write a clip of a photograph that moves."""
    image = cv2.resize(photograph, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
    begin = 2 * np.pi * run / RUNS
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"crf": "16"})
        stream.width = stream.height = SIDE_PX
        for number in range(FRAMES):
            phase = begin + 2 * np.pi * number / FRAMES
            middle = (SIDE_PX / 2, SIDE_PX / 2)
            move = cv2.getRotationMatrix2D(middle, TURN_DEG * np.sin(phase), 1)
            move[:, 2] += SWAY_PX * np.cos([phase, 2 * phase])
            moved = cv2.warpAffine(image, move, (SIDE_PX, SIDE_PX), borderMode=cv2.BORDER_REPLICATE)
            pixels = np.asarray(moved, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="bgr24")))
        container.mux(stream.encode())


def _found_again(found: Sequence[Sequence[Features]], name: str) -> float:
    """Return the share of clips whose person has the nearest mean of other clips."""
    values = np.array([[run[name] for run in runs] for runs in found])
    values = (values - values.mean((0, 1))) / np.maximum(values.std((0, 1)), 1e-12)
    right = 0
    for run in range(RUNS):
        means = np.delete(values, run, 1).mean(1)
        away = np.linalg.norm(values[:, run, None] - means, axis=2)
        right += int((away.argmin(1) == np.arange(len(found))).sum())
    return round(right / (len(found) * RUNS), 4)
