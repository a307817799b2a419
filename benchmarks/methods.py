"""Methods of hiding the faces of a still, by name.

* ``none`` changes nothing: the positive control.
* ``blur101`` and ``pixelation10`` are the baselines of AnonyGAN (Dall'Asen et al., ICIAP 2021): a
  Gaussian of 101 x 101 px and blocks of 10 x 10 px. The paper does not say over which region; here
  it is the whole box of every face the product's detector finds.
* every method of :class:`streamanon.Config`, each still by itself, as a file of one.
* ``folder:PATH`` takes pictures that something else has anonymised.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from streamanon import Anonymiser, Config, Treatment, UsageError
from streamanon.factory import Factory
from streamanon.identities.portrait import read_image
from streamanon.imaging.picture import as_picture
from streamanon.media.file_types import IMAGE_SUFFIXES
from streamanon.types import F32, U8

BLUR_PX = 101
"""Side of the Gaussian kernel; OpenCV derives its deviation from it, 15.5 px."""

BLOCK_PX = 10
"""Side of a block of the pixelation."""

PRODUCT: tuple[str, ...] = next(
    tuple(field.metadata["choices"]) for field in fields(Config) if field.name == "method"
)
"""The product's own methods."""


@dataclass(frozen=True, slots=True)
class Anonymised:
    """A still after a method.

    Attributes:
        image: (h, w, 3) uint8 BGR, as large as the original.
        replaced: faces the method itself hid; None where it cannot be known.
        covered: faces the product covered with a mosaic instead; None where it cannot be known.
    """

    image: U8
    replaced: int | None
    covered: int | None


Method = Callable[[str, "U8"], Anonymised]
"""Takes the name of a still and its (h, w, 3) uint8 BGR pixels."""


def method(name: str, *, seed: int = 0) -> Method:
    """Prepare a method; its networks are loaded once.

    Args:
        name: name of a method, as the module lists them.
        seed: seed of the product's choice of identities.

    Raises:
        UsageError: there is no such method, or no such folder.
    """
    if name in PRODUCT:
        return product(Config(method=name, seed=seed))
    if name.startswith("folder:"):
        return _folder(Path(name.removeprefix("folder:")))
    if name == "none":
        return lambda _, image: Anonymised(image, 0, 0)
    if name == "blur101":
        return _over_boxes(_blurred)
    if name == "pixelation10":
        return _over_boxes(_pixelated)
    known = ", ".join(("none", "blur101", "pixelation10", *PRODUCT))
    raise UsageError(f"unknown method {name!r}: choose one of {known} or folder:PATH")


def label(name: str) -> str:
    """Return what tables call a method: no path of the user's disk."""
    if name.startswith("folder:"):
        return f"folder:{Path(name.removeprefix('folder:')).resolve().name}"
    return name


def _over_boxes(draw: Callable[[U8], U8]) -> Method:
    """Return a method that draws over the box of every face that is found."""
    detector = Factory(Config()).detector

    def apply(_: str, image: U8) -> Anonymised:
        boxes = [face.box for face in detector.detect(as_picture(image))]
        result = image.copy()
        for region in filter(None, (_region(box, image) for box in boxes)):
            result[region] = draw(image[region])
        return Anonymised(result, len(boxes), 0)

    return apply


def _region(box: F32, image: U8) -> tuple[slice, slice] | None:
    """Return the rows and columns of a box inside an image; None where there are none."""
    x0, y0 = np.floor(np.clip(box[:2], 0, None)).astype(int).tolist()
    x1, y1 = np.ceil(np.clip(box[2:], 0, image.shape[1::-1])).astype(int).tolist()
    return (slice(y0, y1), slice(x0, x1)) if x1 > x0 and y1 > y0 else None


def _blurred(region: U8) -> U8:
    blurred = cv2.GaussianBlur(region, (BLUR_PX, BLUR_PX), 0, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(blurred, np.uint8)


def _pixelated(region: U8) -> U8:
    height, width = region.shape[:2]
    blocks = (max(1, round(width / BLOCK_PX)), max(1, round(height / BLOCK_PX)))
    means = cv2.resize(region, blocks, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(means, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)


def product(config: Config) -> Method:
    """Return the product's way from a picture to its anonymised version."""
    anonymiser = Anonymiser(config)

    def apply(_: str, image: U8) -> Anonymised:
        safe = anonymiser.image(image, faces=True)
        done = [face.treatment for face in safe.faces]
        replaced = done.count(Treatment.REPLACED)
        return Anonymised(safe.image, replaced, covered=len(done) - replaced)

    return apply


def _folder(path: Path) -> Method:
    """Return a method that looks a still up in a folder, by its name without suffix."""
    if not path.is_dir():
        raise UsageError(f"{path} is no folder: name one with the anonymised pictures")

    def apply(name: str, image: U8) -> Anonymised:
        stem = PurePosixPath(name).with_suffix("")
        found = _first_picture(path, (stem, PurePosixPath(*stem.parts[1:])))
        if found is None:
            raise UsageError(f"{path} holds no {stem} of {' '.join(IMAGE_SUFFIXES)}: add it")
        result = read_image(found)
        if result.shape != image.shape:
            size = "{1} x {0} px".format
            raise UsageError(
                f"{found} is {size(*result.shape)}, its original {size(*image.shape)}: "
                "anonymise without scaling"
            )
        return Anonymised(result, None, None)

    return apply


def _first_picture(folder: Path, stems: Sequence[PurePosixPath]) -> Path | None:
    """Return the first picture there is below a folder under one of some names."""
    paths = [folder / f"{stem}{suffix}" for stem in stems for suffix in IMAGE_SUFFIXES]
    return next((path for path in paths if path.is_file()), None)
