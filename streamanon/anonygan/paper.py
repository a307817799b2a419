"""The paper's generator, as published or with its faults fixed."""

import torch
from torch import Tensor, nn

from streamanon.anonygan.blocks import channels_first, mask_hole
from streamanon.anonygan.config import IBUG_POINTS, GeneratorConfig
from streamanon.anonygan.generator import MAX_GAIN, TRUST
from streamanon.anonygan.graph import SharedGraph
from streamanon.anonygan.landmarks import LandmarkAttention, PooledAttention, point_maps
from streamanon.anonygan.layering import match_skin_tone
from streamanon.face.network_input import CROP

LIGHT_CELLS = 16
"""Side of gain and bias."""


def reflected(inputs: int, outputs: int, size: int = 3) -> list[nn.Module]:
    """Return a convolution without bias over an image continued by reflection."""
    return [nn.ReflectionPad2d(size // 2), nn.Conv2d(inputs, outputs, size, bias=False)]


def normalised(layers: list[nn.Module], channels: int) -> list[nn.Module]:
    """Return layers followed by batch normalisation and ReLU."""
    return [*layers, nn.BatchNorm2d(channels), nn.ReLU(inplace=True)]


def stem(inputs: int, width: int) -> nn.Sequential:
    """Return layers from an image to ``width`` channels at a quarter of its side."""
    quarter, half = width // 4, width // 2
    down = [
        nn.Conv2d(few, many, 3, stride=2, padding=1, bias=False)
        for few, many in ((quarter, half), (half, width))
    ]
    return nn.Sequential(
        *normalised(reflected(inputs, quarter, 7), quarter),
        *normalised([down[0]], half),
        *normalised([down[1]], width),
    )


def doubled(inputs: int, outputs: int) -> nn.ConvTranspose2d:
    """Return a transposed convolution that doubles the side."""
    return nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=1, bias=False)


class PaperBlock(nn.Module):
    """Landmark graph reasoning and landmark-appearance aggregation, as published."""

    def __init__(self, width: int, *, first: bool, graph: bool) -> None:
        super().__init__()
        wide = width if first else 2 * width
        self.appearance = nn.Sequential(
            *normalised(reflected(width, width), width),
            nn.Dropout(0.5),
            *reflected(width, width),
            nn.BatchNorm2d(width),
        )
        self.shape = nn.Sequential(
            *normalised(reflected(wide, wide), wide), nn.Dropout(0.5), *reflected(wide, width)
        )
        self.graph = SharedGraph(width) if graph else nn.Identity()

    def forward(self, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Return the appearance, and shape concatenated with it, after this block."""
        appearance, shape = state
        shape = self.graph(self.shape(shape))
        appearance = appearance + self.appearance(appearance) * torch.sigmoid(shape)
        return appearance, torch.cat([shape, appearance], dim=1)


class PaperGenerator(nn.Module):
    """The paper's generator, in which every layer sees both faces.

    In the fixed form, the polygon maps and the warped condition are inputs too, and the warped
    condition, with a low-frequency gain and bias, is the underlay.
    """

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.stem = stem(13 if config.warped else 6, width)
        self.weigh: PooledAttention | LandmarkAttention | None = None
        if config.landmark_attention == "pooled":
            self.weigh = PooledAttention()
        elif config.landmark_attention == "described":
            self.weigh = LandmarkAttention(IBUG_POINTS, 2)
        self.shape = stem(2 * IBUG_POINTS, width)
        self.blocks = nn.Sequential(
            *(PaperBlock(width, first=i == 0, graph=config.graph) for i in range(config.blocks))
        )
        self.paint = nn.Sequential(
            *normalised([doubled(width, width // 2)], width // 2),
            *normalised([doubled(width // 2, width // 4)], width // 4),
            nn.ReflectionPad2d(3),
            nn.Conv2d(width // 4, 3, 7),
        )
        self.cover = nn.Sequential(
            doubled(width, width // 2),
            doubled(width // 2, width // 4),
            nn.ConvTranspose2d(width // 4, 1, 1, bias=False),
        )
        self.light = lights(width) if config.warped else None

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the parts of the generated faces.

        Args:
            batch: ``context``, ``maps``, ``warped``, ``complexion``, ``points``, ``condition`` and
                ``condition_points``, as the package describes them.

        Returns:
            The outputs of :meth:`streamanon.anonygan.generator.Generator.forward`. As published,
            the underlay is the context; the paper's attention is one minus the one here.
        """
        maps = channels_first(batch["maps"])
        context = mask_hole(channels_first(batch["context"]), maps)
        warped = channels_first(batch["warped"])
        images = [channels_first(batch["condition"]), context]
        if self.config.warped:
            images += [warped, maps]
        appearance = self.stem(torch.cat(images, dim=1) * 2 - 1)
        trunk, _ = self.blocks((appearance, self.shape(self.landmarks(batch))))
        uncovered = self.cover(trunk).float()
        if self.light is None:
            gain = bias = trunk.new_zeros((len(trunk), 3, LIGHT_CELLS, LIGHT_CELLS)).float()
        else:
            gain, bias = self.light(trunk).float().tanh().chunk(2, dim=1)
        parts = {
            "face": (self.paint(trunk).float().tanh() + 1) / 2,
            "attention": torch.sigmoid(uncovered + TRUST if self.config.warped else -uncovered),
            "saturation": trunk.new_ones((len(trunk), 1)).float(),
            "gain": MAX_GAIN * gain,
            "bias": bias,
            "underlay": warped if self.config.warped else context,
        }
        return (
            match_skin_tone(parts, maps, batch["complexion"] / 255) if self.config.warped else parts
        )

    def landmarks(self, batch: dict[str, Tensor]) -> Tensor:
        """Return the (n, 136, 128, 128) weighted maps of the condition's and source's landmarks."""
        both = [batch[name][:, :IBUG_POINTS] for name in ("condition_points", "points")]
        maps = torch.cat([point_maps(p, subpixel=self.config.subpixel) for p in both], dim=1)
        if self.weigh is None:
            return maps
        seen = (maps,) if isinstance(self.weigh, PooledAttention) else reversed(both)
        weights: Tensor = self.weigh(*seen)
        return maps * weights.flatten(1)[..., None, None]


def lights(width: int) -> nn.Sequential:
    """Return the layers from the trunk to gain and bias, which start at 0."""
    last = nn.Conv2d(32, 6, 1)
    for parameter in last.parameters():
        nn.init.zeros_(parameter)
    return nn.Sequential(
        nn.AvgPool2d(CROP // 4 // LIGHT_CELLS),
        nn.Conv2d(width, 32, 3, padding=1),
        nn.ReLU(inplace=True),
        last,
    )
