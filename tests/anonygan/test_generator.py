"""What moves the networks' answers, what does not, and what they cost."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from streamanon.anonygan.config import GeneratorConfig
from streamanon.anonygan.generator import EvenTint, gather_features, sample_features
from streamanon.anonygan.layering import blend, colour_corrected, greyscale
from streamanon.anonygan.network import AnonyGan

from .conftest import BASE, LIVE, PAPER, awake

OUTPUTS = {"face": (3, 128, 128), "attention": (1, 128, 128), "gain": (3, 16, 16)}
BESIDE = {"saturation": (1,), "bias": (3, 16, 16), "underlay": (3, 128, 128)}
CACHED = ("features", "nodes")


@torch.no_grad()
def answer(network: AnonyGan, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    parts: dict[str, Tensor] = network(batch)
    return parts | {"composed": blend(parts)}


def moved(before: dict[str, Tensor], after: dict[str, Tensor], name: str) -> bool:
    return bool((before[name] - after[name]).abs().flatten(1).amax(dim=1).gt(1e-5).all())


def giga_macs(config: GeneratorConfig, faces: dict[str, Tensor]) -> float:
    """Count without computing."""
    network = AnonyGan(config).to("meta")
    batch = {name: value[:1].to("meta") for name, value in faces.items()}
    if network.encoder is not None:
        features, nodes = network.encoder(batch["condition"], batch["condition_points"])
        batch |= {"features": features, "nodes": nodes}
    with FlopCounterMode(display=False) as counter:
        network.generator(batch)
    return float(counter.get_total_flops()) / 2e9


def test_answers_have_their_shapes_and_ranges(network: AnonyGan, faces: dict[str, Tensor]) -> None:
    parts = answer(network, faces)
    for name, shape in (OUTPUTS | BESIDE).items():
        assert parts[name].shape == (3, *shape)
        assert parts[name].dtype == torch.float32
        assert parts[name].isfinite().all()
    for name in ("face", "attention", "underlay"):
        assert 0 <= parts[name].min() <= parts[name].max() <= 1
        assert parts[name].flatten(1).std(dim=1).min() > 1e-3


def test_pixels_inside_the_hole_change_nothing(network: AnonyGan, faces: dict[str, Tensor]) -> None:
    hole = faces["maps"][..., :1] > 0
    noise = torch.randint(0, 256, faces["context"].shape, dtype=torch.uint8)
    other = faces | {"context": torch.where(hole, noise, faces["context"])}
    assert not torch.equal(other["context"], faces["context"])
    before, after = answer(network, faces), answer(network, other)
    for name, value in before.items():
        assert torch.equal(value, after[name]), name


def test_one_level_of_the_hole_map_is_hole(live: AnonyGan, faces: dict[str, Tensor]) -> None:
    maps = faces["maps"].clone()
    maps[..., 0] = maps[..., 0].clamp(max=1)
    noise = torch.randint(0, 256, faces["context"].shape, dtype=torch.uint8)
    other = torch.where(maps[..., :1] > 0, noise, faces["context"])
    before = answer(live, faces | {"maps": maps})
    after = answer(live, faces | {"maps": maps, "context": other})
    assert all(torch.equal(value, after[name]) for name, value in before.items())


@pytest.mark.parametrize(
    "name", ["context", "maps", "warped", "points", "lookup", "condition", "condition_points"]
)
def test_every_other_input_moves_every_output_of_the_live_network(
    live: AnonyGan, faces: dict[str, Tensor], name: str
) -> None:
    before = answer(live, faces)
    after = answer(live, faces | {name: faces[name].roll(1, 0)})
    for output in OUTPUTS:
        assert moved(before, after, output), output


def test_the_complexion_moves_light_and_paint_of_all_that_sees_a_warp(
    faces: dict[str, Tensor],
) -> None:
    for config in (LIVE, BASE):
        network = awake(config, faces)
        after = answer(network, faces | {"complexion": faces["complexion"] * 0.7})
        before = answer(network, faces)
        for output in ("composed", "face"):
            assert (before[output] - after[output]).abs().max() > 0.01, output
        assert torch.equal(before["attention"], after["attention"])


@pytest.mark.parametrize("channel", [0, 1, 2, 3])
def test_every_map_moves_the_live_network(
    live: AnonyGan, faces: dict[str, Tensor], channel: int
) -> None:
    maps = faces["maps"].clone()
    maps[:, 40:80, 40:80, channel] = 255 - maps[:, 40:80, 40:80, channel]
    assert moved(answer(live, faces), answer(live, faces | {"maps": maps}), "face")


@pytest.mark.parametrize("name", CACHED)
def test_each_thing_cached_for_an_identity_counts(
    live: AnonyGan, faces: dict[str, Tensor], name: str
) -> None:
    assert live.encoder is not None
    with torch.no_grad():
        features, nodes = live.encoder(faces["condition"], faces["condition_points"])
        assert features.shape == (3, 64, 32, 32)
        assert nodes.shape == (3, 2, 70, 64)
        cached = faces | {"features": features, "nodes": nodes}
        before = live.generator(cached)
        after = live.generator(cached | {name: cached[name].roll(1, 0)})
    assert all(moved(before, after, output) for output in OUTPUTS)


def test_a_fraction_of_a_pixel_counts_but_little(live: AnonyGan, faces: dict[str, Tensor]) -> None:
    before = answer(live, faces)["composed"]
    small, large = (
        (answer(live, faces | {"points": faces["points"] + shift})["composed"] - before).abs()
        for shift in (0.1, 2.0)
    )
    assert 0 < small.mean() < large.mean() / 4


@pytest.mark.parametrize("name", ["points", "condition_points", "condition", "context", "maps"])
def test_what_the_paper_sees_moves_its_network(
    network: AnonyGan, faces: dict[str, Tensor], name: str
) -> None:
    after = answer(network, faces | {name: faces[name].roll(1, 0)})
    assert moved(answer(network, faces), after, "face")


def test_faces_of_a_batch_do_not_mix(network: AnonyGan, faces: dict[str, Tensor]) -> None:
    together = answer(network, faces)
    for i in range(3):
        alone = answer(network, {name: value[i : i + 1] for name, value in faces.items()})
        for name, value in alone.items():
            torch.testing.assert_close(value, together[name][i : i + 1], atol=1e-4, rtol=1e-4)


def test_nothing_live_is_normalised_over_an_image_or_batch() -> None:
    norms = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm)
    assert not any(isinstance(module, norms) for module in AnonyGan(LIVE).modules())


def test_the_portrait_is_trusted_before_training(faces: dict[str, Tensor]) -> None:
    torch.manual_seed(0)
    parts = answer(AnonyGan(GeneratorConfig.live()), faces)
    assert parts["attention"].min() > 0.85
    gain = parts["gain"].flatten(2)
    assert (gain.amax(dim=2) - gain.amin(dim=2)).max() < 0.02, "nothing but the complexion"
    assert parts["underlay"].isclose(faces["warped"].permute(0, 3, 1, 2) / 255).all()


def test_light_is_of_one_tint_in_each_quarter_of_a_face() -> None:
    torch.manual_seed(0)
    maps = torch.randn(2, 3, 16, 16)
    made = EvenTint()(maps)
    torch.testing.assert_close(made.mean(dim=1), maps.mean(dim=1))
    tint = made - made.mean(dim=1, keepdim=True)
    step = (tint[..., 1:] - tint[..., :-1]).abs().max()
    assert step < 0.1 * (maps[..., 1:] - maps[..., :-1]).abs().max()
    sides = torch.zeros(1, 3, 16, 16)
    sides[:, 0, :, :8], sides[:, 2, :, 8:] = 1.0, 1.0
    lit = EvenTint()(sides)[0]
    assert lit[0, 8, 2] > lit[0, 8, 13] + 0.5
    assert lit[2, 8, 13] > lit[2, 8, 2] + 0.5


def test_what_is_painted_over_the_portrait_has_its_colour(
    live: AnonyGan, faces: dict[str, Tensor]
) -> None:
    parts = answer(live, faces)
    lit, face = colour_corrected(parts), parts["face"]
    apart = (face - greyscale(face) - (lit - greyscale(lit))).abs().amax(dim=1)
    seen = faces["maps"][..., 3] > 0
    inside = seen & (face > 0).all(dim=1) & (face < 1).all(dim=1)
    assert inside.float().mean() > 0.05
    assert apart[inside].max() < 0.01
    assert apart[~seen].max() > 0.1


def test_no_pattern_is_painted_before_training(faces: dict[str, Tensor]) -> None:
    torch.manual_seed(0)
    bare = faces | {"maps": faces["maps"] * torch.tensor([1, 1, 1, 0], dtype=torch.uint8)}
    face = answer(AnonyGan(GeneratorConfig.live()), bare)["face"].reshape(3, 3, 128, 64, 2)
    within, across = face[..., 0] - face[..., 1], face[:, :, :, 1:, 0] - face[:, :, :, :-1, 1]
    assert within.abs().max() < 1e-6
    assert across.abs().mean() > 1e-4


@pytest.mark.parametrize(
    "switch", [{"landmark_attention": "none"}, {"graph": False}, {"warped": False}]
)
def test_switching_a_part_off_leaves_a_network_that_works(
    switch: dict[str, object], faces: dict[str, Tensor]
) -> None:
    config = replace(LIVE, **switch)  # type: ignore[arg-type]
    network = awake(config, faces)
    assert sum(p.numel() for p in network.parameters()) < sum(
        p.numel() for p in awake(LIVE, faces).parameters()
    )
    assert answer(network, faces)["composed"].isfinite().all()


def test_without_the_warp_attention_uncovers_the_blanked_context(faces: dict[str, Tensor]) -> None:
    parts = answer(awake(replace(LIVE, warped=False), faces), faces)
    hole = (faces["maps"][..., 0] > 0).unsqueeze(1).expand(-1, 3, -1, -1)
    context = faces["context"].permute(0, 3, 1, 2) / 255
    assert parts["underlay"][hole].eq(0.5).all()
    assert parts["underlay"][~hole].isclose(context[~hole], atol=1e-6).all()


def test_half_precision_and_channels_last_say_the_same(faces: dict[str, Tensor]) -> None:
    network = awake(LIVE, faces)
    expected = answer(network, faces)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    with torch.autocast("cpu", torch.bfloat16):
        parts = answer(network, faces)
    for name, value in parts.items():
        assert value.dtype == torch.float32
        assert (value - expected[name]).abs().mean() < 0.01


@pytest.mark.parametrize("config", [LIVE, BASE, PAPER], ids=["live", "base", "paper"])
def test_everything_learns(config: GeneratorConfig, faces: dict[str, Tensor]) -> None:
    network = awake(config, faces).train()
    parts = network(faces)
    (blend(parts).square().mean() + parts["gain"].square().mean()).backward()
    still = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert still == []


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (GeneratorConfig.live(), 0.85),
        (GeneratorConfig.base(), 37.5),
        (GeneratorConfig.paper(), 37.17),
    ],
    ids=["live", "base", "paper"],
)
def test_cost_in_multiplications(
    config: GeneratorConfig, expected: float, faces: dict[str, Tensor]
) -> None:
    assert giga_macs(config, faces) == pytest.approx(expected, rel=0.03)


def test_the_published_generator_has_the_published_size() -> None:
    with torch.device("meta"):
        network = AnonyGan(GeneratorConfig.paper())
    assert network.encoder is None
    assert sum(p.numel() for p in network.parameters()) == 28_390_534


def test_features_are_looked_up_alike_where_they_are_exported() -> None:
    torch.manual_seed(0)
    features, lookup = torch.randn(2, 8, 32, 32), torch.rand(2, 32, 32, 2) * 150 - 10
    torch.testing.assert_close(gather_features(features, lookup), sample_features(features, lookup))
