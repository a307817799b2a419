"""G2Face's way back, small: the original from its anonymised crop and a code of 256 bytes.

After H. Yang et al., "G2Face: High-Fidelity Reversible Face Anonymization via Generative and
Geometric Priors", 2024. Its three parts are here, each in a size that a CPU can train:

* a *geometric prior*: 64 of the bytes move the mesh of the anonymised face to that of the original,
  along the components of a linear model; face, eyes and mouth of the result are drawn as maps;
* a *generative prior* (there a StyleGAN2): a linear model of the textures of originals, given those
  of what they became, whose components the other 192 bytes are the coefficients of; on the mesh,
  they are a face already;
* *identity-aware feature fusion*: a decoder begins at the code and is modulated by it on every
  scale, where a mask chooses between its features and those of an encoder of the crop, ``F = M *
  decoder + (1 - M) * encoder``. What comes out is added to the image of the linear models.

Where G2Face hides the code in the pixels, here it is kept apart from them. Its bytes are evenly
distributed (each is the normal distribution's value at a variable of mean 0 and variance 1), so
that whatever a wrong key makes of them is the code of another face.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from torch import Tensor, nn
from torch.nn import functional

from streamanon.face import maps
from streamanon.face.shape import Pose
from training.recovery.texture import FACE, drawn, laid_out

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from streamanon.types import F32, U8
    from training.recovery.pairs import Pair

SIDE_PX = 64
"""Side of the crops."""

GEOMETRY, APPEARANCE = 64, 192
"""Bytes of the code that say where the face is, and how it looks."""

CODE = GEOMETRY + APPEARANCE

CHANNELS = (32, 48, 96, 128)
"""Of encoder and decoder at 32, 16, 8 and 4 px."""

HOLE_GROWTH_PX = 1.5

MOST_FITTED, SEEN, RIDGE = 2500, 64, 10.0
"""Pairs that the model of appearance is fitted to, directions that it sees, and what is added to
its normal equations."""

_LEVELS, _MEDIAN_OF_NORMAL = 256, 0.6745


def to_bytes(code: F32) -> U8:
    """Return (..., 256) standard normal variables as bytes that are evenly distributed."""
    even = torch.special.ndtr(torch.from_numpy(code).double()).numpy()
    return np.asarray(np.clip(even * _LEVELS, 0, _LEVELS - 1), np.uint8)


def from_bytes(code: U8) -> F32:
    """Return (..., 256) float32 standard normal variables of bytes."""
    even = (torch.from_numpy(code).double() + 0.5) / _LEVELS
    return np.asarray(torch.special.ndtri(even).float().numpy())


def scrambled(code: U8, key: bytes) -> U8:
    """Return a (256,) code encrypted by a key of 32 bytes, or decrypted: ChaCha20's stream."""
    stream = Cipher(algorithms.ChaCha20(key, bytes(16)), None).encryptor()
    return np.array(list(stream.update(code.tobytes())), np.uint8)


@dataclass(frozen=True)
class Geometry:
    """The linear model of how meshes of originals differ from those of what they became.

    Attributes:
        mean: (1434,) float32 canonical units.
        components: (64, 1434) float32, each times its spread among most faces.
    """

    mean: F32
    components: F32

    @classmethod
    def fit(cls, offsets: NDArray[Any]) -> Geometry:
        """Learn it from (n, 478, 3) differences of meshes (principal components)."""
        flat = offsets.reshape(len(offsets), -1).astype(np.float64)
        mean = flat.mean(axis=0)
        _, directions = np.linalg.eigh(np.cov(flat - mean, rowvar=False))
        components = _scaled(directions.T[::-1][:GEOMETRY], flat - mean)
        return cls(mean.astype(np.float32), components.astype(np.float32))

    def code(self, offsets: NDArray[Any]) -> F32:
        """Return (n, 64) float32 standard normal variables of (n, 478, 3) differences."""
        flat = offsets.reshape(len(offsets), -1).astype(np.float32) - self.mean
        return np.asarray(flat @ (self.components / _squares(self.components)).T, np.float32)

    def mesh(self, code: F32, points: F32) -> F32:
        """Return the (478, 3) mesh of an original.

        Args:
            code: (64,) variables.
            points: (478, 3) mesh of the anonymised face, px.
        """
        offsets = (self.mean + code @ self.components).reshape(-1, 3)
        return np.asarray(points + Pose.of(points).placed(offsets), np.float32)


@dataclass(frozen=True)
class Appearance:
    """The linear model of the textures of originals, given those of what they became.

    Attributes:
        mean: (12288,) float32 mean of anonymised textures, 0..1.
        seen: (64, 12288) float32 orthonormal, along which anonymised textures differ.
        coefficients: (65, 12288) float32, what each of these adds to be the original, and a
            constant.
        components: (192, 12288) float32 of what is left, in the contrast of the anonymised texture,
            each times its spread among most faces.
    """

    mean: F32
    seen: F32
    coefficients: F32
    components: F32

    @classmethod
    def fit(cls, original: U8, anonymised: U8) -> Appearance:
        """Learn it from (n, 64, 64, 3) textures: ridge regression, and principal components."""
        before, after = (_flat(one[:MOST_FITTED]) for one in (original, anonymised))
        mean = after.mean(axis=0)
        seen = _principal(after - mean, SEEN)
        inputs = np.hstack([(after - mean) @ seen.T, np.ones((len(after), 1), np.float32)])
        normal = inputs.T @ inputs + RIDGE * np.eye(SEEN + 1, dtype=np.float32)
        weights = np.linalg.solve(normal, inputs.T @ (before - after)).astype(np.float32)
        left = ((before - after - inputs @ weights) / _contrast(after)).astype(np.float32)
        return cls(mean, seen, weights, _scaled(_principal(left, APPEARANCE), left))

    def expected(self, anonymised: U8) -> F32:
        """Return (n, 12288) originals in 0..1 that are likely for (n, 64, 64, 3) textures."""
        after = _flat(anonymised)
        change = (after - self.mean) @ self.seen.T @ self.coefficients[:-1] + self.coefficients[-1]
        return np.asarray(after + change, np.float32)

    def code(self, original: U8, anonymised: U8) -> F32:
        """Return (n, 192) float32 standard normal variables of (n, 64, 64, 3) textures."""
        left = (_flat(original) - self.expected(anonymised)) / _contrast(_flat(anonymised))
        return np.asarray(left @ (self.components / _squares(self.components)).T, np.float32)

    def texture(self, anonymised: U8, code: F32) -> U8:
        """Return the (64, 64, 3) uint8 texture that another and (192,) variables give."""
        after = _flat(anonymised[None])
        found = self.expected(anonymised[None]) + _contrast(after) * (code @ self.components)
        levels = np.clip(found[0], 0, 1).reshape(anonymised.shape) * np.float32(255)
        return np.asarray(levels.round(), np.uint8)


def _flat(images: U8) -> F32:
    return images.reshape(len(images), -1).astype(np.float32) / np.float32(255)


def _contrast(textures: F32) -> F32:
    """Return (n, 1) standard deviation within the face of (n, 12288) textures."""
    inside = textures.reshape(len(textures), -1, 3)[:, FACE.ravel()]
    return np.asarray(inside.std(axis=1).mean(axis=1, keepdims=True), np.float32)


def _principal(values: F32, count: int) -> F32:
    """Return (count, m) principal directions of (n, m) values, orthonormal."""
    squares, rows = np.linalg.eigh(values @ values.T)
    squares, rows = np.maximum(squares[::-1][:count], 1e-6), rows[:, ::-1][:, :count]
    return np.asarray(rows.T @ values / np.sqrt(squares)[:, None], np.float32)


def _scaled(directions: NDArray[Any], values: NDArray[Any]) -> F32:
    """Return (count, m) directions times how far most of (n, m) values reach along them.

    That is their median, as a standard deviation of a normal distribution: a few faces behind hair
    or in hard light would widen it, and wrong keys would give faces like them, without the hair.
    """
    spread = np.median(np.abs(values @ directions.T), axis=0) / _MEDIAN_OF_NORMAL
    return np.asarray(directions * np.maximum(spread, 1e-6)[:, None], np.float32)


def _squares(components: F32) -> F32:
    return np.asarray((components * components).sum(axis=1, keepdims=True), np.float32)


def _conv(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride, 1)


def begin_wide(part: nn.Module) -> None:
    """Draw weights that keep the variance through ReLUs (He et al., 2015)."""
    if isinstance(part, (nn.Conv2d, nn.Linear)):
        nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
        assert part.bias is not None
        nn.init.zeros_(part.bias)


class _Level(nn.Module):
    """One scale of the decoder: modulated by the code, then fused with the encoder's features."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.before, self.after = _conv(inputs, width), _conv(width, width)
        self.style = nn.Linear(CODE, 2 * width)
        self.mask = nn.Conv2d(2 * width, width, 1)

    def forward(self, features: Tensor, seen: Tensor, code: Tensor) -> Tensor:
        features = functional.relu(self.before(features))
        scale, shift = self.style(code)[:, :, None, None].chunk(2, 1)
        features = functional.relu(self.after(features) * (1 + scale) + shift)
        mask = torch.sigmoid(self.mask(torch.cat([features, seen], 1)))
        fused: Tensor = mask * features + (1 - mask) * seen
        return fused


class Recovery(nn.Module):
    """Recovers originals."""

    def __init__(self) -> None:
        super().__init__()
        widths = (36, *CHANNELS)
        self.encoder = nn.ModuleList(
            _conv(inputs, outputs, 1 if number == 0 else 2)
            for number, (inputs, outputs) in enumerate(pairwise(widths))
        )
        coarsest = CHANNELS[-1]
        self.begin = nn.Linear(CODE, coarsest * (SIDE_PX // 16) ** 2)
        above = (coarsest, *CHANNELS[:0:-1])
        levels, last = list(map(_Level, above, CHANNELS[::-1])), _conv(CHANNELS[0], 12)
        self.levels, self.image = nn.ModuleList(levels), nn.Sequential(last, nn.PixelShuffle(2))
        self.apply(begin_wide)
        nn.init.zeros_(last.weight)  # at first, nothing is added
        with torch.no_grad():
            for level in levels:
                level.style.weight.mul_(0.1)

    def forward(self, anonymised: Tensor, likely: Tensor, maps: Tensor, code: Tensor) -> Tensor:
        """Return (n, 3, 64, 64) originals in 0..1.

        Args:
            anonymised: (n, 3, 64, 64) in 0..1.
            likely: (n, 3, 64, 64) in 0..1, see :class:`LinearPrediction`.
            maps: (n, 3, 64, 64) in 0..1, see :class:`LinearPrediction`.
            code: (n, 256) standard normal variables.
        """
        features = functional.pixel_unshuffle(torch.cat([anonymised, likely, maps], 1) - 0.5, 2)
        seen = []
        for layer in self.encoder:
            features = functional.relu(layer(features))
            seen.append(features)
        side = SIDE_PX // 16
        features = self.begin(code).view(len(code), -1, side, side)
        for number, level in enumerate(self.levels):
            if number:
                features = functional.interpolate(features, scale_factor=2.0)
            features = level(features, seen[-1 - number], code)
        found: Tensor = likely + self.image(features)
        return found


class LinearPrediction(NamedTuple):
    """What the linear models make of a code.

    Attributes:
        image: (64, 64, 3) uint8 BGR: the anonymised crop with the face of its texture and mesh.
        maps: (3, 64, 64) uint8: face, eyes and mouth of that mesh.
    """

    image: U8
    maps: U8


@dataclass(frozen=True)
class Codec:
    """Everything that makes codes and originals.

    Attributes:
        geometry: linear model of meshes.
        appearance: linear model of images.
        recovery: the network.
    """

    geometry: Geometry
    appearance: Appearance
    recovery: Recovery

    def pack(self) -> dict[str, Any]:
        """Return the content of a file, in half precision, for ``torch.save``."""
        models = {"geometry": vars(self.geometry), "appearance": vars(self.appearance)}
        halves = {
            name: {key: torch.from_numpy(value).half() for key, value in arrays.items()}
            for name, arrays in models.items()
        }
        weights = self.recovery.state_dict()
        return {**halves, "recovery": {name: value.half() for name, value in weights.items()}}

    @classmethod
    def unpack(cls, content: Mapping[str, Any]) -> Codec:
        """Return what was packed."""
        arrays = [
            {key: value.float().numpy() for key, value in content[name].items()}
            for name in ("geometry", "appearance")
        ]
        recovery = Recovery()
        recovery.load_state_dict(content["recovery"])
        return cls(Geometry(**arrays[0]), Appearance(**arrays[1]), recovery.eval())

    def variables(self, pair: Pair) -> F32:
        """Return the (256,) float32 code of a face."""
        original, anonymised = pair.textures
        appearance = self.appearance.code(original[None], anonymised[None])
        code: F32 = np.hstack([self.geometry.code(pair.offsets[None]), appearance])[0]
        return code

    def code(self, pair: Pair) -> U8:
        """Return the (256,) bytes of a face."""
        return to_bytes(self.variables(pair))

    def drawn(self, anonymised: U8, points: F32, variables: F32) -> LinearPrediction:
        """Return what the linear models make of an anonymised face; see :meth:`recover`."""
        mesh = self.geometry.mesh(variables[:GEOMETRY], points)
        texture = self.appearance.texture(laid_out(anonymised, points), variables[GEOMETRY:])
        parts = (
            maps.hole(mesh, SIDE_PX, HOLE_GROWTH_PX),
            maps.eyes(mesh, SIDE_PX),
            maps.mouth_interior(mesh, SIDE_PX),
        )
        return LinearPrediction(drawn(texture, mesh, anonymised, points), np.stack(parts))

    @torch.no_grad()
    def recover(self, anonymised: U8, points: F32, code: U8) -> U8:
        """Return the (64, 64, 3) uint8 BGR face that a code and an anonymised crop give.

        Args:
            anonymised: (64, 64, 3) uint8 BGR.
            points: (478, 3) mesh in it.
            code: (256,) bytes.
        """
        variables = from_bytes(code)
        likely = self.drawn(anonymised, points, variables)
        found = self.recovery(
            as_tensor(anonymised[None]),
            as_tensor(likely.image[None]),
            torch.from_numpy(likely.maps[None]).float() / 255,
            torch.from_numpy(variables[None]),
        )
        image = found[0].clamp(0, 1).permute(1, 2, 0) * 255
        return np.asarray(image.round().numpy(), np.uint8)


def as_tensor(images: U8) -> Tensor:
    """Return (n, 3, h, w) float32 in 0..1 of (n, h, w, 3) uint8."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
