"""How the parts become one face."""

import cv2
import numpy as np
import torch
from torch import Tensor

from streamanon.anonygan.composition import MOST_TINTED, compose, greyed, held, paste
from streamanon.core.warp import saturated


def parts(attention: float, gain: float = 0.0, bias: float = 0.0) -> dict[str, Tensor]:
    torch.manual_seed(0)
    return {
        "beneath": torch.rand(2, 3, 128, 128),
        "face": torch.rand(2, 3, 128, 128),
        "attention": torch.full((2, 1, 128, 128), attention),
        "saturation": torch.ones(2, 1),
        "gain": torch.full((2, 3, 16, 16), gain),
        "bias": torch.full((2, 3, 16, 16), bias),
    }


def test_attention_chooses_between_portrait_and_paint() -> None:
    for attention, name in ((1.0, "beneath"), (0.0, "face")):
        given = parts(attention)
        torch.testing.assert_close(compose(given), given[name])
    given = parts(0.25)
    torch.testing.assert_close(compose(given), 0.25 * given["beneath"] + 0.75 * given["face"])


def test_gain_and_bias_correct_the_portrait_only() -> None:
    given = parts(1.0, gain=float(np.log(2)), bias=-0.1)
    torch.testing.assert_close(compose(given), 2 * given["beneath"] - 0.1)
    given = parts(0.0, gain=1.0, bias=0.3)
    torch.testing.assert_close(compose(given), given["face"])


def test_gain_and_bias_grow_as_opencv_resizes() -> None:
    given = parts(1.0) | {"beneath": torch.zeros(1, 3, 128, 128), "bias": torch.rand(1, 3, 16, 16)}
    given = {name: value[:1] for name, value in given.items()}
    small = given["bias"][0].permute(1, 2, 0).numpy()
    grown = cv2.resize(small, (128, 128), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(compose(given)[0].permute(1, 2, 0).numpy(), grown, atol=1e-5)


def test_saturation_makes_the_portrait_as_grey_as_opencv_does() -> None:
    given = parts(1.0) | {"saturation": torch.tensor([[0.0], [0.5]])}
    portrait = (given["beneath"].permute(0, 2, 3, 1) * 255).round().to(torch.uint8)
    given["beneath"] = portrait.permute(0, 3, 1, 2) / 255
    shown = (compose(given).permute(0, 2, 3, 1) * 255).numpy()
    for one, wanted, amount in zip(shown, portrait.numpy(), (0.0, 0.5), strict=True):
        assert np.abs(one - saturated(wanted, amount)).max() < 1.1


def test_paint_keeps_its_lightness_and_takes_the_colour_of_the_portrait() -> None:
    lit = torch.tensor([0.3, 0.4, 0.6]).reshape(1, 3, 1, 1).expand(1, 3, 4, 4)
    magenta = torch.tensor([0.6, 0.1, 0.6]).reshape(1, 3, 1, 1).expand(1, 3, 4, 4)
    made = held(magenta, lit)
    tint = lit - greyed(lit)
    assert (made - greyed(magenta) - tint).abs().max() <= MOST_TINTED + 1e-6
    assert (made[:, 1] > magenta[:, 1] + 0.05).all()
    alike = (lit * 0.8 + 0.05 * (lit - greyed(lit))).clamp(0, 1)
    torch.testing.assert_close(held(alike, lit), alike)


def test_a_face_is_pasted_inside_its_edge() -> None:
    generated, source = torch.ones(1, 3, 4, 4), torch.zeros(1, 3, 4, 4)
    edge = torch.linspace(0, 1, 4).expand(1, 1, 4, 4)
    torch.testing.assert_close(paste(generated, source, edge), edge.expand(1, 3, 4, 4))
