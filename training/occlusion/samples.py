"""Samples to learn occlusion from: a face, things in front of it, and what each pixel is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from streamanon.detectors.occlusion import SIDE as OUT
from streamanon.detectors.occlusion import network_input
from streamanon.types import OCCLUSION_CLASSES
from training.occlusion import things
from training.occlusion.faces import SIDE, SKIN, SURE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.random import Generator

    from streamanon.types import F32, U8
    from training.occlusion.faces import BaseFace
    from training.occlusion.things import Hands, Layer

CHANNELS = 5 + len(OCCLUSION_CLASSES) + 1
"""Of a sample: the network's input, the share of each class in a pixel, its weight."""


def sample(face: BaseFace, hands: Hands, textures: Sequence[U8], rng: Generator) -> U8:
    """Return a (128, 128, CHANNELS) uint8 sample of a face with or without things before it.

    Shares and weights are of 255; a weight of 128 marks labels that may be wrong.
    """
    image = face.image.astype(np.float32)
    if rng.random() < 0.15:
        image = _painted(image, face, rng)
    shares = np.zeros((SIDE, SIDE, len(OCCLUSION_CLASSES)), np.float32)
    np.put_along_axis(shares, face.kind[:, :, None].astype(np.intp), 1, axis=2)
    weight = np.asarray(face.belief / SURE, np.float32)
    for layer in _layers(face, hands, textures, rng):
        image, shares, weight = _laid(layer, image, shares, weight, rng)
    soft = cv2.GaussianBlur(image, (0, 0), 0.4 + rng.exponential(0.5))
    middle = face.points[:, :2].mean(axis=0)
    off = middle + rng.normal(0, 0.012 * face.height_px, 2)  # meshes are not exact
    points = (face.points[:, :2] - middle) * rng.normal(1, 0.02) + off
    scale = rng.uniform(0.8, 1.15)
    rotation = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), rng.normal(0, 5), scale)
    turn = np.asarray(rotation, np.float64)
    turn[:, 2] += rng.normal(0, 3, 2)
    stacked = np.dstack([soft, 255 * shares, 255 * weight])
    parts = [
        cv2.resize(
            cv2.warpAffine(part, turn, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE),
            (OUT, OUT),
            interpolation=cv2.INTER_AREA,
        )
        for part in np.split(stacked, (4, 8), axis=2)
    ]
    small = np.clip(np.rint(np.dstack(parts)), 0, 255).astype(np.uint8)
    moved = (points @ turn[:, :2].T + turn[:, 2] + 0.5) * (OUT / SIDE) - 0.5
    crop = np.ascontiguousarray(small[:, :, :3])
    if rng.random() < 0.5:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 90))]
        crop = np.asarray(cv2.imdecode(cv2.imencode(".jpg", crop, quality)[1], 1), np.uint8)
    return np.dstack([network_input(crop, moved.astype(np.float32)), small[:, :, 3:]])


def _layers(face: BaseFace, hands: Hands, textures: Sequence[U8], rng: Generator) -> list[Layer]:
    """Choose what is before a face, far to near."""
    layers: list[Layer] = []
    if rng.random() < 0.15:
        layers.append(things.mask(face, rng, textures))
    if rng.random() < 0.3:
        layers.append(things.fringe(face, rng))
    if rng.random() < 0.45:
        layers += things.glasses(face, rng)
    if rng.random() < 0.1:
        layers.append(things.cloth(face, rng, textures))
    if rng.random() < 0.13:
        layers.append(things.microphone(face, rng, textures))
    if rng.random() < 0.13:
        layers.append(things.cup(face, rng, textures))
    while rng.random() < 0.38:
        layers.append(hands.layer(face, rng))
    return layers


def _laid(
    layer: Layer, image: F32, shares: F32, weight: F32, rng: Generator
) -> tuple[F32, F32, F32]:
    """Lay something over an image and its labels."""
    soft = np.asarray(cv2.GaussianBlur(layer.alpha, (0, 0), rng.uniform(0.3, 1.1)))
    if layer.shadow > 0.1:
        moved = np.array([[1, 0, rng.normal(0, 5)], [0, 1, rng.normal(3, 4)]])
        cast = cv2.warpAffine(layer.alpha, moved, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
        cast = np.asarray(cv2.GaussianBlur(cast, (0, 0), rng.uniform(1.5, 8)))
        image = image * (1 - layer.shadow * cast[:, :, None])
    front = np.asarray(cv2.GaussianBlur(layer.image, (0, 0), rng.uniform(0.3, 1.2)))
    over = soft[:, :, None]
    image = np.asarray(image * (1 - over) + front * over, np.float32)
    if layer.kind >= 0:
        label = np.zeros(shares.shape[2], np.float32)
        label[layer.kind] = 1
        shares = np.asarray(shares * (1 - over) + label * over, np.float32)
        weight = np.maximum(weight, soft > 0.5).astype(np.float32)
    return image, shares, weight


def _painted(image: F32, face: BaseFace, rng: Generator) -> F32:
    """Return a face with paint on it: it stays skin."""
    skin = (face.kind == SKIN).astype(np.float32)
    if rng.random() < 0.5:
        skin *= np.clip(things.noise(rng, 4) + rng.uniform(-1, 1), 0, 1)
    where = np.asarray(cv2.GaussianBlur(skin, (0, 0), 1.5))[:, :, None] * rng.uniform(0.2, 1.0)
    shade = image.mean(axis=2, keepdims=True) / max(float(image.mean()), 1)
    paint = things.any_colour(rng) * (shade if rng.random() < 0.7 else 1.0)
    return np.asarray(image * (1 - where) + np.clip(paint, 0, 255) * where, np.float32)
