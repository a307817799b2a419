"""What the network paints, laid over the portrait at any size."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from streamanon.face.network_output import GeneratorOutput
from streamanon.types import F32, U8

RANDOM = np.random.default_rng(0)


def slow(low: float, high: float) -> F32:
    return RANDOM.uniform(low, high, (16, 16, 3)).astype(np.float32)


def noise(*shape: int) -> U8:
    return RANDOM.integers(0, 256, shape, np.uint8)


def painted(attention: float | None = None) -> GeneratorOutput:
    """Something painted; attention is the same everywhere where it is given."""
    shown = RANDOM.random((128, 128), np.float32)
    if attention is not None:
        shown[:] = attention
    return GeneratorOutput(noise(128, 128, 3), shown, 0.6, slow(-0.5, 0.5), slow(-0.1, 0.1))


def test_on_the_crop_it_is_what_the_network_was_trained_with() -> None:
    torch = pytest.importorskip("torch", reason="the extra torch is not installed")
    layering = pytest.importorskip("streamanon.anonygan.layering")
    one, portrait = painted(), noise(128, 128, 3)
    parts: dict[str, F32] = {
        "underlay": np.asarray(portrait / 255, np.float32),
        "face": np.asarray(one.face / 255, np.float32),
        "attention": one.attention[:, :, None],
        "gain": one.gain,
        "bias": one.bias,
    }
    tensors = {
        name: torch.from_numpy(np.ascontiguousarray(part.transpose(2, 0, 1)[None]))
        for name, part in parts.items()
    }
    tensors["saturation"] = torch.tensor([[one.saturation]])
    wanted = layering.blend(tensors)[0].permute(1, 2, 0).numpy().clip(0, 1) * 255
    assert np.abs(one.colour_transform().apply(portrait) - wanted).max() < 1.6


def test_a_trusted_portrait_keeps_every_pixel_of_the_frame() -> None:
    one = GeneratorOutput(
        noise(128, 128, 3), np.ones((128, 128), np.float32), 1, slow(0, 0), slow(0, 0)
    )
    portrait = noise(300, 260, 3)
    to_image = np.array([[2, 0, 3], [0, 2.3, -4]], np.float32)
    assert np.array_equal(
        one.colour_transform().resampled(to_image, (260, 300)).apply(portrait), portrait
    )


def test_paint_lands_where_the_crop_lies_in_the_frame() -> None:
    face = np.zeros((128, 128, 3), np.uint8)
    face[40:44, 60:64] = 255
    one = GeneratorOutput(face, np.zeros((128, 128), np.float32), 1, slow(0, 0), slow(0, 0))
    to_image = np.array([[3, 0, 10], [0, 3, 20]], np.float32)
    shown = one.colour_transform().resampled(to_image, (400, 400)).apply(noise(400, 400, 3))
    y, x = np.nonzero(shown[:, :, 0] > 127)
    assert (x.mean(), y.mean()) == pytest.approx((61.5 * 3 + 10, 41.5 * 3 + 20), abs=0.6)


def test_light_follows_slowly_and_attention_fast() -> None:
    before, now = painted(0.0), replace(painted(1.0), saturation=1.6)
    shown = now.smoothed(before, 0.1, 0.6)
    assert np.allclose(shown.gain, before.gain + 0.1 * (now.gain - before.gain), atol=1e-6)
    assert np.allclose(shown.bias, before.bias + 0.1 * (now.bias - before.bias), atol=1e-6)
    assert np.allclose(shown.attention, 0.6)
    assert shown.saturation == pytest.approx(0.7)
    assert np.array_equal(shown.face, now.face)


@pytest.mark.parametrize("part", ["attention", "gain", "bias"])
def test_numbers_that_are_not_finite_are_noticed(part: str) -> None:
    one = painted()
    assert one.finite
    getattr(one, part)[3, 4] = np.nan
    assert not one.finite


def test_a_saturation_that_is_not_finite_is_noticed() -> None:
    assert not replace(painted(), saturation=float("nan")).finite


def test_a_portrait_without_saturation_is_grey() -> None:
    one = GeneratorOutput(
        noise(128, 128, 3), np.ones((128, 128), np.float32), 0, slow(0, 0), slow(0, 0)
    )
    portrait = noise(128, 128, 3)
    grey = cv2.cvtColor(portrait, cv2.COLOR_BGR2GRAY)
    assert np.array_equal(one.colour_transform().apply(portrait), cv2.merge([grey] * 3))


def test_colours_keep_their_channel() -> None:
    gain = slow(0, 0)
    gain[:, :, 2] = np.log(2)
    one = GeneratorOutput(noise(128, 128, 3), np.ones((128, 128), np.float32), 1, gain, slow(0, 0))
    shown = one.colour_transform().apply(np.full((128, 128, 3), 50, np.uint8))
    assert cv2.mean(shown)[:3] == pytest.approx((50, 50, 100), abs=0.5)
