"""Things in front of faces, drawn or cut out: each returns a :class:`Layer` to lay over one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from streamanon.face import landmarks as lm
from training.occlusion.faces import GLASSES, HAIR, HAND, SIDE, SKIN, THING, filled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.random import Generator
    from numpy.typing import NDArray

    from streamanon.types import F32, U8
    from training.occlusion.faces import BaseFace

PALM = (50, 45)
"""Middle of the hand in px of a photograph of one."""

LOCKS = 6
"""Colours of a fringe's strands."""

FRINGE_TOP = (21, 54, 103, 67, 109, 10, 338, 297, 332, 284, 251)


@dataclass
class Layer:
    """Something in front.

    Attributes:
        image: (192, 192, 3) float32 BGR 0..255.
        alpha: (192, 192) float32 how much of it is seen.
        kind: index into CLASSES; -1 leaves the label to what is behind, as clear lenses do.
        shadow: 0..1, how dark a shadow it casts.
    """

    image: F32
    alpha: F32
    kind: int
    shadow: float = 0.0


def plane(colour: F32) -> F32:
    """Return (192, 192, 3) float32 of one (3,) BGR colour."""
    return np.broadcast_to(np.asarray(colour, np.float32), (SIDE, SIDE, 3)).copy()


def noise(rng: Generator, cells: int) -> F32:
    """Return (192, 192) float32 smooth noise of mean 0 and deviation about 1."""
    coarse = rng.normal(size=(cells, cells)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC), np.float32)


def _drawn(points: F32) -> F32:
    """Return (192, 192) float32 alpha of a filled outline of (n, 2) points."""
    drawn = np.zeros((SIDE, SIDE), np.uint8)
    cv2.fillPoly(drawn, [np.rint(points * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return np.asarray(drawn / np.float32(255))


def _lined(lines: Sequence[F32], thickness: int) -> F32:
    """Return (192, 192) float32 alpha of open lines of (n, 2) points."""
    drawn = np.zeros((SIDE, SIDE), np.uint8)
    ends = [np.rint(line * 16).astype(np.int32) for line in lines]
    cv2.polylines(drawn, ends, False, 255, thickness, cv2.LINE_AA, 4)  # noqa: FBT003
    return np.asarray(drawn / np.float32(255))


def any_colour(rng: Generator) -> F32:
    """Return a (3,) BGR colour; dark, light and grey ones are frequent."""
    hsv = np.array([[[rng.uniform(0, 360), rng.beta(1, 2), rng.beta(0.8, 0.8)]]], np.float32)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)[0, 0] * 255, np.float32)


def surface(rng: Generator, textures: Sequence[U8]) -> F32:
    """Return (192, 192, 3) float32 BGR of something: plain, shaded, striped, or a picture's."""
    how = rng.random()
    if how < 0.35 and textures:
        picture = textures[int(rng.integers(len(textures)))]
        height, width = picture.shape[:2]
        side = int(rng.uniform(0.15, 0.6) * min(height, width))
        top = int(rng.integers(height - side))
        left = int(rng.choice([0, width - side]))  # beside the face that the picture is of
        cut = cv2.resize(picture[top : top + side, left : left + side], (SIDE, SIDE))
        return np.asarray(cut, np.float32)
    image = plane(any_colour(rng))
    if how < 0.6:
        angle, period = rng.uniform(0, np.pi), rng.uniform(4, 40)
        y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
        wave = np.sin((x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / period + noise(rng, 4))
        mixed = np.clip(0.5 + rng.uniform(0.5, 4) * wave, 0, 1)[:, :, None]
        image = image * (1 - mixed) + any_colour(rng) * mixed
    shade = 1 + rng.uniform(0, 0.35) * noise(rng, int(rng.integers(2, 7)))
    grain = rng.uniform(0, 0.08) * noise(rng, int(rng.choice([32, 64, 128])))
    return np.asarray(np.clip(image * (shade + grain)[:, :, None], 0, 255), np.float32)


class Hands:
    """Hands on plain paper, cut out.

    Attributes:
        cut: (100, 100, 3) uint8 BGR and (100, 100) float32 alpha of each hand.
    """

    def __init__(self, images: Sequence[U8]) -> None:
        """Cut the hands out of (100, 100, 3) uint8 BGR photographs."""
        self.cut = [cut for cut in map(_cut_out, images) if cut is not None]

    def layer(self, face: BaseFace, rng: Generator) -> Layer:
        """Return a hand near or over a face, mostly of the colour of its skin."""
        image, alpha = self.cut[int(rng.integers(len(self.cut)))]
        skin = face.image[(face.hull > 0) & (face.kind == SKIN)]
        lab = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2LAB), np.float32)
        own = lab[alpha > 0.9].mean(axis=0)
        shift = rng.normal(0, (40, 8, 8))
        if len(skin) and rng.random() < 0.85:
            middle_colour = np.median(skin, axis=0).astype(np.uint8)[None, None]
            wanted = np.asarray(cv2.cvtColor(middle_colour, cv2.COLOR_BGR2LAB), np.float32)[0, 0]
            shift = wanted + rng.normal(0, (16, 3, 4)) - own
        lab = np.clip((lab - own) * (rng.uniform(0.5, 1.3), 1, 1) + own + shift, 0, 255)
        coloured = cv2.cvtColor(lab.astype(np.uint8), cv2.COLOR_LAB2BGR)
        middle = face.points[:468, :2].mean(axis=0)
        target = middle + rng.normal(0, 0.28, 2) * face.height_px
        across, along = target - middle
        wrist_out = float(np.arctan2(-across, along))
        turn = wrist_out if rng.random() < 0.5 else np.radians(rng.uniform(-100, 100))
        turn += np.radians(rng.normal(0, 20))
        turned = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        size = face.height_px * rng.uniform(0.75, 1.5) / 90
        squeezed = np.diag([rng.choice([-1, 1]) * rng.uniform(0.7, 1.15), 1])
        linear = size * turned @ squeezed
        matrix = np.column_stack([linear, target - linear @ PALM])
        cut, soft = (
            cv2.warpAffine(part, matrix, (SIDE, SIDE), flags=cv2.INTER_CUBIC, borderMode=border)
            for part, border in ((coloured, cv2.BORDER_REPLICATE), (alpha, cv2.BORDER_CONSTANT))
        )
        placed = np.asarray(cut, np.float32), np.asarray(np.clip(soft, 0, 1), np.float32)
        return Layer(*placed, HAND, rng.uniform(0, 0.6))


def _cut_out(image: U8) -> tuple[U8, F32] | None:
    """Return a hand, its surroundings filled with its colour, and (100, 100) float32 alpha."""
    lab = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2LAB), np.float32)
    chroma = lab[:, :, 1] * 0.6 + lab[:, :, 2]
    chroma = 255 * (chroma - chroma.min()) / max(float(np.ptp(chroma)), 1.0)
    soft = cv2.GaussianBlur(chroma.astype(np.uint8), (3, 3), 0)
    _, mask = cv2.threshold(soft, 0, 255, cv2.THRESH_OTSU)
    count, parts, stats, _ = cv2.connectedComponentsWithStats(mask)
    if count < 2:
        return None
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    share = stats[largest, cv2.CC_STAT_AREA] / mask.size
    mask = np.where(parts == largest, 255, 0).astype(np.uint8)
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    if not 0.1 < share < 0.6 or mask[0].any() or mask[:50, 0].any() or mask[:50, -1].any():
        return None
    inner = cv2.erode(mask, np.ones((3, 3), np.uint8))
    spread = cv2.inpaint(image, cv2.bitwise_not(inner), 3, cv2.INPAINT_TELEA)
    alpha = cv2.GaussianBlur(cv2.erode(mask, np.ones((2, 2), np.uint8)), (0, 0), 0.7)
    return np.asarray(spread, np.uint8), np.asarray(alpha / np.float32(255))


def glasses(face: BaseFace, rng: Generator) -> list[Layer]:
    """Return frames, lenses and highlights."""
    points = face.points
    corners = points[[33, 133, 362, 263], :2]
    across = (corners[3] - corners[0]) / max(float(np.hypot(*(corners[3] - corners[0]))), 1.0)
    down = np.array([-across[1], across[0]], np.float32)
    eyes_px = lm.inter_ocular_px(points)
    thickness = int(rng.choice([1, 2, 3, 4, 6, 8], p=[0.3, 0.26, 0.16, 0.12, 0.1, 0.06]))
    tall, power = rng.uniform(0.55, 1.05), rng.uniform(2, 5)
    drop, grow = rng.uniform(-0.05, 0.14), rng.uniform(1.0, 1.3)
    angles = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    unit = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    unit /= (np.abs(unit) ** power).sum(axis=1, keepdims=True) ** (1 / power)
    rims = []
    for outer, inner, side in ((0, 1, -1.0), (3, 2, 1.0)):
        middle = corners[[outer, inner]].mean(axis=0)
        half = float(np.hypot(*(corners[outer] - corners[inner]))) * 0.5
        wide = max(half * 1.45, 0.14 * eyes_px) * grow
        high = 0.29 * eyes_px * tall * grow
        middle = middle + across * side * 0.02 * eyes_px + down * drop * eyes_px * 0.5
        rims.append(middle + unit[:, :1] * wide * across + unit[:, 1:] * high * down)
    closed = [np.concatenate([rim, rim[:1]]) for rim in rims]
    bridge = _bow(
        _nearest(rims[0], points[6, :2]), _nearest(rims[1], points[6, :2]), -0.05 * eyes_px * down
    )
    lines = [bridge]
    for rim, temple in ((rims[0], 127), (rims[1], 356)):
        end = points[temple, :2]
        start = _nearest(rim, end)
        if np.hypot(*(end - start)) > 2 and np.dot(end - start, start - points[6, :2]) > 0:
            lines.append(np.stack([start, end + 0.3 * (end - start)]))
    style = rng.random()
    if style < 0.7:
        lines += closed
    elif style < 0.85:
        lines += [rim[24:] for rim in rims]
    alpha = _lined(lines, thickness) * rng.uniform(0.7, 1.0)
    colour = plane(any_colour(rng) * rng.choice([0.3, 0.6, 1.0]))
    colour *= (1 + rng.uniform(0, 0.5) * noise(rng, int(rng.choice([6, 16, 40]))))[:, :, None]
    layers = _lenses(rims, eyes_px, rng)
    layers.append(
        Layer(np.clip(colour, 0, 255), alpha.astype(np.float32), GLASSES, rng.uniform(0, 0.5))
    )
    return layers


def _lenses(rims: Sequence[F32], eyes_px: float, rng: Generator) -> list[Layer]:
    """Return dark or clear lenses with or without reflections."""
    layers = []
    lens = np.maximum(*map(_drawn, rims))
    if rng.random() < 0.3:  # sunglasses
        dark = plane(any_colour(rng) * rng.uniform(0.05, 0.5))
        strength = rng.uniform(0.6, 1.0)
        fade = np.clip((np.arange(SIDE)[:, None] - rims[0][:, 1].min()) / (0.6 * eyes_px), 0, 1)
        gradient = 1 - rng.choice([0.0, 0.5]) * fade
        tint = lens * strength * gradient.astype(np.float32)
        layers.append(Layer(dark, tint.astype(np.float32), GLASSES))
    else:
        veil = plane(any_colour(rng))
        layers.append(Layer(veil, lens * np.float32(rng.choice([0, 0.03, 0.1])), -1))
    if rng.random() < 0.5:  # reflections
        blobs = np.clip(noise(rng, int(rng.integers(5, 20))) - rng.uniform(0.8, 1.8), 0, 1)
        shine = plane(np.clip(rng.normal((240, 235, 230), 25), 0, 255))
        layers.append(
            Layer(shine, (lens * blobs * rng.uniform(0.4, 1.0)).astype(np.float32), GLASSES)
        )
    return layers


def _nearest(line: F32, point: F32) -> F32:
    return np.asarray(line[int(np.hypot(*(line - point).T).argmin())])


def _bow(start: NDArray[Any], end: NDArray[Any], lift: NDArray[Any]) -> F32:
    along = np.linspace(0, 1, 9)[:, None]
    return np.asarray(
        start * (1 - along) + end * along + 4 * along * (1 - along) * lift, np.float32
    )


def fringe(face: BaseFace, rng: Generator) -> Layer:
    """Return strands from the hairline down, of the colour above it; or the hair's own mirrored."""
    up = face.points[lm.FOREHEAD, :2] - face.points[lm.CHIN, :2]
    top = face.points[list(FRINGE_TOP), :2] + rng.uniform(0.03, 0.12) * up
    band = filled(np.concatenate([top, top + 0.15 * up])) > 0
    band &= face.kind != 0
    pixels = face.image[band] if band.sum() > 50 else np.array([any_colour(rng)])
    if rng.random() < 0.3:
        pixels = np.clip(rng.normal(any_colour(rng), 12, (200, 3)), 0, 255)
    image = plane(np.median(pixels, axis=0))
    drawn = np.zeros((SIDE, SIDE), np.float32)
    lanes = rng.uniform(0, len(top) - 1, int(rng.integers(2, 14)))
    count, length = int(rng.integers(10, 120)), rng.uniform(0.15, 0.75)
    sweep = rng.normal(0, 0.5)
    side = np.array([-up[1], up[0]])
    for _ in range(LOCKS):
        strands = []
        for _ in range(-(-count // LOCKS)):
            at = rng.choice(lanes) + rng.normal(0, 0.5)
            at = float(np.clip(at, 0, len(top) - 1.001))
            low = int(at)
            start = top[low] + (at - low) * (top[low + 1] - top[low])
            long = -up * length * rng.uniform(0.5, 1.1)
            end = start + long + side * (sweep + rng.normal(0, 0.12)) * length
            bend = side * (sweep * 0.3 + rng.normal(0, 0.06)) * length
            strands.append(_bow(start, end, bend))
        one = _lined(strands, int(rng.choice([1, 2, 3, 5, 7], p=[0.4, 0.25, 0.15, 0.12, 0.08])))
        colour = pixels[rng.integers(len(pixels))].astype(np.float32) * rng.uniform(0.7, 1.25)
        image += one[:, :, None] * (colour - image)
        drawn = np.maximum(drawn, one * rng.uniform(0.6, 1.0))
    return Layer(np.clip(image, 0, 255), drawn.astype(np.float32), HAIR, rng.uniform(0, 0.4))


def microphone(face: BaseFace, rng: Generator, textures: Sequence[U8]) -> Layer:
    """Return a microphone, spoon or pen before the mouth: a rod with or without a head."""
    mouth = face.points[list(lm.OUTER_LIPS), :2].mean(axis=0)
    size = face.height_px
    at = mouth + rng.normal(0, 0.18, 2) * size
    way = rng.uniform(0, 2 * np.pi) if rng.random() < 0.3 else rng.uniform(0.15, 0.85) * np.pi
    end = at + size * rng.uniform(0.5, 1.5) * np.array([np.cos(way), np.sin(way)])
    alpha = _lined([np.stack([at, end])], max(2, int(size * rng.uniform(0.02, 0.16))))
    if rng.random() < 0.75:
        axes = (np.array([rng.uniform(0.1, 0.28), rng.uniform(0.08, 0.22)]) * size).astype(int)
        head = np.zeros((SIDE, SIDE), np.uint8)
        centre = (int(at[0]), int(at[1]))
        cv2.ellipse(
            head,
            centre,
            (int(axes[0]), int(axes[1])),
            np.degrees(way),
            0,
            360,
            255,
            -1,
            cv2.LINE_AA,
        )
        alpha = np.maximum(alpha, head.astype(np.float32) / 255)
    image = surface(rng, textures)
    if rng.random() < 0.6:
        image *= 0.35
    return Layer(image, alpha, THING, rng.uniform(0, 0.5))


def cup(face: BaseFace, rng: Generator, textures: Sequence[U8]) -> Layer:
    """Return a cup, glass, book or phone near the mouth or anywhere before the face."""
    size = face.height_px
    if rng.random() < 0.6:
        middle = face.points[list(lm.OUTER_LIPS), :2].mean(axis=0) + rng.normal(0, 0.2, 2) * size
    else:
        middle = face.points[:468, :2].mean(axis=0) + rng.normal(0, 0.5, 2) * size
    top, bottom = rng.uniform(0.12, 0.4, 2) * size
    tall, tilt = rng.uniform(0.2, 0.8) * size, rng.normal(0, 0.5)
    outline = np.array(
        [[-top, -tall / 2], [top, -tall / 2], [bottom, tall / 2], [-bottom, tall / 2]]
    )
    turned = outline @ np.array([[np.cos(tilt), np.sin(tilt)], [-np.sin(tilt), np.cos(tilt)]])
    alpha = _drawn(turned + middle)
    if rng.random() < 0.6:
        rounded = np.asarray(cv2.GaussianBlur(alpha, (0, 0), rng.uniform(2, 8)))
        alpha = np.asarray(np.clip((rounded - 0.5) * 6 + 0.5, 0, 1), np.float32)
    return Layer(surface(rng, textures), alpha, THING, rng.uniform(0, 0.5))


def mask(face: BaseFace, rng: Generator, textures: Sequence[U8]) -> Layer:
    """Return a mask or a scarf over the lower face."""
    points = face.points[:, :2]
    up = points[lm.FOREHEAD] - points[lm.CHIN]
    left, right = (132, 361) if rng.random() < 0.5 else (234, 454)
    bridge = points[int(rng.choice([6, 197, 195, 5, 4, 2, 0]))]
    low = points[[172, 136, 149, 152, 378, 365, 397]]
    if rng.random() < 0.35:  # a scarf
        low = low - up * rng.uniform(0.1, 0.6)
        low[0] -= 0.2 * np.array([-up[1], up[0]]) * -1
        low[-1] += 0.2 * np.array([-up[1], up[0]]) * -1
    else:
        low = low - up * rng.uniform(0, 0.06)
    upper = [
        points[right],
        0.5 * (points[right] + bridge) + up * rng.normal(0.02, 0.03),
        bridge,
        0.5 * (points[left] + bridge) + up * rng.normal(0.02, 0.03),
        points[left],
    ]
    alpha = _drawn(np.concatenate([upper, low]).astype(np.float32))
    image = surface(rng, textures)
    if rng.random() < 0.5:
        image = (
            image * 0.3 + plane(rng.choice([[240, 240, 240], [220, 180, 120], [40, 40, 40]])) * 0.7
        )
    return Layer(image, alpha, THING, rng.uniform(0, 0.3))


def cloth(face: BaseFace, rng: Generator, textures: Sequence[U8]) -> Layer:
    """Return a piece of anything with a wavy outline: veils, sleeves, hats, passers-by."""
    size = face.height_px
    field = noise(rng, int(rng.integers(3, 6)))
    way = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    middle = face.points[:468, :2].mean(axis=0)
    beyond = ((x - middle[0]) * np.cos(way) + (y - middle[1]) * np.sin(way)) / size
    edge = (beyond - rng.uniform(0.15, 0.5)) * 60 + field * rng.uniform(1, 6)
    return Layer(surface(rng, textures), np.clip(edge, 0, 1), THING, rng.uniform(0, 0.4))
