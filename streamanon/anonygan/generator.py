"""The live generator: 0.85 GMACs per face and frame."""

import torch
from torch import Tensor, nn

from streamanon.anonygan.blocks import (
    channels_first,
    conv,
    conv_of_maps,
    conv_relu,
    conv_to_pixels,
    mask_hole,
)
from streamanon.anonygan.config import FEATURES, GeneratorConfig
from streamanon.anonygan.graph import LandmarkGraph
from streamanon.anonygan.landmarks import LandmarkAttention, gaussian_maps
from streamanon.anonygan.layering import match_skin_tone
from streamanon.face.network_input import CROP, GRID, NODES

STEM, FULLER, FINE = 32, 64, 48
"""Channels of the stem at 64 and 32 px, and of the decoder at 64 px."""

TRUST = 2.2
"""Initial attention before the sigmoid: 0.9 of a warped portrait, 0.1 of a masked context."""

MAX_GAIN = 1.5
"""Largest log gain: the portrait is made at most 4.5 times lighter or darker."""

LIGHT_PX, TINTS = 16, 2
"""Side of the maps of light, and number of different tints across and down."""


class Block(nn.Module):
    """Graph reasoning over the landmarks, then landmark-appearance aggregation, as in the paper."""

    def __init__(self, width: int, *, first: bool, graph: bool) -> None:
        super().__init__()
        self.merge = None if first else conv_relu(2 * width, width, 1)
        self.shape = conv(width, width)
        self.graph = LandmarkGraph(width) if graph else None
        self.appearance = nn.Sequential(conv_relu(width, width), conv(width, width, gain=0.5))

    def forward(
        self, state: tuple[Tensor, Tensor], maps: tuple[Tensor, Tensor], condition: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the (appearance, shape) features after this block.

        Args:
            state: appearance and shape, (n, width, 32, 32) each.
            maps: maps of the source's landmarks, see :class:`LandmarkGraph`.
            condition: (n, landmarks, node width) nodes of the condition.
        """
        appearance, shape = state
        if self.merge is not None:
            shape = self.merge(torch.cat([shape, appearance], dim=1))
        shape = self.shape(shape)
        if self.graph is not None:
            shape = shape + self.graph(shape, maps, condition)
        return appearance + self.appearance(appearance) * torch.sigmoid(shape), shape


class EvenTint(nn.Module):
    """Makes the tint of light constant over each quarter of a face, but not its brightness.

    Light falls on a face in patches, but is rarely of several colours. A network that may colour
    each place on its own learns red cheeks and yellow noses where skin must change its tone: for
    another person's face there is no target, and recognisers reward it.
    """

    def __init__(self) -> None:
        super().__init__()
        times = LIGHT_PX // TINTS
        self.even = nn.Sequential(
            nn.AvgPool2d(times),
            nn.Upsample(scale_factor=times, mode="bilinear", align_corners=False),
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Return (n, 3, 16, 16) maps of B, G and R with their mean kept and the rest evened out."""
        light = maps.mean(dim=1, keepdim=True)
        tint: Tensor = self.even(maps - light)
        return light + tint


class Decoder(nn.Module):
    """Turns the trunk's features into generated pixels, attention, gain and bias."""

    def __init__(self, width: int, *, warped: bool) -> None:
        super().__init__()
        self.grow = nn.Sequential(conv_relu(width, FINE, 1), nn.Upsample(scale_factor=2))
        self.join = conv_relu(FINE + STEM, FINE)
        self.image = nn.Sequential(conv_relu(FINE, 32), conv_to_pixels(32, 4, gain=0.1))
        self.light = nn.Sequential(nn.AvgPool2d(2), conv_relu(width, 32), conv(32, 6, 1, gain=0))
        self.even = EvenTint()
        self.trust = TRUST if warped else -TRUST

    def forward(self, trunk: Tensor, fine: Tensor) -> dict[str, Tensor]:
        """Return ``face``, ``attention``, ``gain`` and ``bias``.

        Args:
            trunk: (n, width, 32, 32).
            fine: (n, stem, 64, 64) features of the stem.
        """
        detail = self.join(torch.cat([self.grow(trunk), fine], dim=1))
        image = self.image(detail).float()
        gain, bias = self.light(trunk).float().tanh().chunk(2, dim=1)
        return {
            "face": image[:, :3].sigmoid(),
            "attention": (image[:, 3:] + self.trust).sigmoid(),
            "gain": MAX_GAIN * self.even(gain),
            "bias": self.even(bias),
        }


class Generator(nn.Module):
    """The paper's generator, made small enough to run in every frame.

    What depends on the condition alone is computed once, by :class:`ConditionEncoder`. Nothing is
    normalised over an image or a batch, which would make light depend on the frame.
    """

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.stem = conv_relu(10 if config.warped else 7, STEM, 5, stride=2)
        self.fuller = conv_relu(STEM, FULLER, stride=2)
        self.merge = conv_relu(FULLER + FEATURES, width, 1)
        self.weigh = LandmarkAttention(NODES, 1) if config.landmark_attention != "none" else None
        self.shape = nn.Sequential(conv_of_maps(width), nn.ReLU(inplace=True), conv(width, width))
        self.blocks = nn.ModuleList(
            Block(width, first=i == 0, graph=config.graph) for i in range(config.blocks)
        )
        self.decoder = Decoder(width, warped=config.warped)

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the parts of the generated faces.

        Args:
            batch: ``context``, ``maps``, ``warped``, ``complexion``, ``points``, ``lookup``,
                ``condition_points``, ``features`` and ``nodes``, as the package describes them.

        Returns:
            ``face`` (n, 3, 128, 128) in 0..1, generated pixels; ``attention`` (n, 1, 128, 128) in
            0..1, 1 where the underlay shows; ``saturation`` (n, 1) in 0..1, ``gain``
            (n, 3, 16, 16) log gain and ``bias`` (n, 3, 16, 16) that correct it; ``underlay``
            (n, 3, 128, 128) in 0..1: the warped condition.
            :func:`streamanon.anonygan.layering.blend` puts them together.
        """
        maps, warped = channels_first(batch["maps"]), channels_first(batch["warped"])
        context = mask_hole(channels_first(batch["context"]), maps)
        images = [context, maps, warped] if self.config.warped else [context, maps]
        fine = self.stem(torch.cat(images, dim=1) * 2 - 1)
        seen = sample_features(batch["features"], batch["lookup"])
        appearance = self.merge(torch.cat([self.fuller(fine), seen.to(fine.dtype)], dim=1))

        peaks = gaussian_maps(batch["points"], GRID, 1.0)
        if self.weigh is not None:
            peaks = (
                peaks * self.weigh(batch["points"], batch["condition_points"])[:, 0, :, None, None]
            )
        flat = peaks.flatten(2)
        spots = (flat, flat / (flat.sum(dim=2, keepdim=True) + 1e-3))
        state = (appearance, self.shape(peaks))
        for k, block in enumerate(self.blocks):
            state = block(state, spots, batch["nodes"][:, k])
        parts: dict[str, Tensor] = self.decoder(state[0], fine)
        if not self.config.warped:
            return parts | {"underlay": context, "saturation": context.new_ones(len(context), 1)}
        parts["underlay"] = warped
        return match_skin_tone(parts, maps, batch["complexion"] / 255)


def sample_features(features: Tensor, lookup: Tensor) -> Tensor:
    """Return the condition's features warped onto the source.

    Args:
        features: (n, c, 32, 32) features of the condition's crop.
        lookup: (n, 32, 32, 2) float32 position of each cell, in px of the condition's crop.
    """
    if torch.compiler.is_exporting():
        return gather_features(features, lookup)
    grid = (lookup.float() + 0.5) * (2 / CROP) - 1
    return nn.functional.grid_sample(
        features.float(), grid, padding_mode="border", align_corners=False
    )


def gather_features(features: Tensor, lookup: Tensor) -> Tensor:
    """Return the result of :func:`sample_features`, by operations that are fast in all runtimes."""
    count, width, rows, columns = features.shape
    at = ((lookup.float() + 0.5) * (columns / CROP) - 0.5).clamp(0, columns - 1)
    low = at.floor().clamp(max=columns - 2)
    x, y = (at - low).reshape(count, -1, 2, 1).unbind(2)
    left, top = low.long().reshape(count, -1, 2).unbind(2)
    cells = features.float().flatten(2).transpose(1, 2)
    sample, first = torch.arange(count).unsqueeze(1), top * columns + left
    a, b, c, d = (cells[sample, first + step] for step in (0, 1, columns, columns + 1))
    above, below = a + (b - a) * x, c + (d - c) * x
    return (above + (below - above) * y).transpose(1, 2).reshape(count, width, rows, columns)
