"""How the parts become one face."""

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from streamanon.anonygan.layering import (
    GAIN_RANGE,
    SATURATION_RANGE,
    SUPPRESSED,
    blend,
    colour_corrected,
    greyscale,
    limit_generated,
    match_skin_tone,
    paste,
    recoloured,
)
from streamanon.face.warp import saturated


def parts(attention: float, gain: float = 0.0, bias: float = 0.0) -> dict[str, Tensor]:
    torch.manual_seed(0)
    return {
        "underlay": torch.rand(2, 3, 128, 128),
        "face": torch.rand(2, 3, 128, 128),
        "attention": torch.full((2, 1, 128, 128), attention),
        "saturation": torch.ones(2, 1),
        "gain": torch.full((2, 3, 16, 16), gain),
        "bias": torch.full((2, 3, 16, 16), bias),
    }


def test_attention_chooses_between_portrait_and_paint() -> None:
    for attention, name in ((1.0, "underlay"), (0.0, "face")):
        given = parts(attention)
        torch.testing.assert_close(blend(given), given[name])
    given = parts(0.25)
    torch.testing.assert_close(blend(given), 0.25 * given["underlay"] + 0.75 * given["face"])


def test_gain_and_bias_correct_the_portrait_only() -> None:
    given = parts(1.0, gain=float(np.log(2)), bias=-0.1)
    torch.testing.assert_close(blend(given), 2 * given["underlay"] - 0.1)
    given = parts(0.0, gain=1.0, bias=0.3)
    torch.testing.assert_close(blend(given), given["face"])


def test_gain_and_bias_grow_as_opencv_resizes() -> None:
    given = parts(1.0) | {"underlay": torch.zeros(1, 3, 128, 128), "bias": torch.rand(1, 3, 16, 16)}
    given = {name: value[:1] for name, value in given.items()}
    small = given["bias"][0].permute(1, 2, 0).numpy()
    grown = cv2.resize(small, (128, 128), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(blend(given)[0].permute(1, 2, 0).numpy(), grown, atol=1e-5)


def test_saturation_makes_the_portrait_as_grey_as_opencv_does() -> None:
    given = parts(1.0) | {"saturation": torch.tensor([[0.0], [0.5]])}
    portrait = (given["underlay"].permute(0, 2, 3, 1) * 255).round().to(torch.uint8)
    given["underlay"] = portrait.permute(0, 3, 1, 2) / 255
    shown = (blend(given).permute(0, 2, 3, 1) * 255).numpy()
    for one, wanted, amount in zip(shown, portrait.numpy(), (0.0, 0.5), strict=True):
        assert np.abs(one - saturated(wanted, amount)).max() < 1.1


def test_paint_keeps_its_lightness_and_takes_the_colour_of_the_portrait() -> None:
    lit = torch.tensor([0.3, 0.4, 0.6]).reshape(1, 3, 1, 1).expand(1, 3, 4, 4)
    magenta = torch.tensor([0.6, 0.1, 0.6]).reshape(1, 3, 1, 1).expand(1, 3, 4, 4)
    made = recoloured(magenta, lit)
    torch.testing.assert_close(greyscale(made), greyscale(magenta))
    torch.testing.assert_close(made - greyscale(made), lit - greyscale(lit))


SKIN, PUPIL = (0.4, 0.5, 0.7), 0.1


def portrait() -> tuple[dict[str, Tensor], Tensor]:
    """Skin with two pupils on grey, and its maps: a square face, one pupil in a marked eye."""
    given = parts(1.0)
    underlay = torch.full((2, 3, 128, 128), 0.5)
    underlay[:, :, 16:112, 16:112] = torch.tensor(SKIN).reshape(3, 1, 1)
    maps = torch.zeros(2, 4, 128, 128)
    maps[:, [0, 3], 16:112, 16:112] = 1
    for across in (40, 84):
        underlay[:, :, 50:56, across : across + 6] = PUPIL
    maps[:, 1, 46:60, 36:50] = 1
    return given | {"underlay": underlay}, maps


def test_the_skin_has_the_colour_it_is_given() -> None:
    given, maps = portrait()
    given |= {"gain": torch.randn(2, 3, 16, 16) * 0.2, "bias": torch.rand(2, 3, 16, 16) * 0.2}
    tones = torch.tensor([[0.3, 0.35, 0.5], [0.5, 0.6, 0.75]])
    lit = colour_corrected(match_skin_tone(given, maps, tones))[:, :, 20:108, 20:108].mean(
        dim=(2, 3)
    )
    torch.testing.assert_close(lit, tones, atol=0.02, rtol=0)


def test_haze_becomes_light_and_features_keep_their_contrast() -> None:
    given, maps = portrait()
    given |= {"gain": given["gain"] - 0.9, "bias": given["bias"] + 0.25}
    hazy = colour_corrected(given)
    assert (hazy[:, :, 53, 43] / hazy[:, :, 80, 64] > 0.5).all()
    lit = colour_corrected(match_skin_tone(given, maps, torch.tensor(SKIN).expand(2, 3)))
    for across in (43, 87):  # in an eye, which is no skin, and on skin
        ratio = lit[:, :, 53, across] / lit[:, :, 80, 64]
        assert (ratio < 1.2 * PUPIL / torch.tensor(SKIN)).all()


def test_contrast_is_never_raised() -> None:
    given, maps = portrait()
    lighter = match_skin_tone(given, maps, torch.tensor([[0.7, 0.8, 0.95]]).expand(2, 3))
    assert np.log(GAIN_RANGE[0]) <= lighter["gain"].min()
    assert lighter["gain"].max() <= np.log(GAIN_RANGE[1]) + 1e-6
    assert lighter["bias"].mean() > 0.1


def test_without_skin_nothing_is_matched_and_all_is_finite() -> None:
    given, maps = portrait()
    made = match_skin_tone(given, torch.zeros_like(maps), torch.zeros(2, 3))
    assert all(part.isfinite().all() for part in made.values())
    assert torch.equal(made["face"], given["face"])


def test_the_portrait_is_as_colourful_as_the_skin_and_never_more() -> None:
    given, maps = portrait()
    tones = torch.tensor([[0.5, 0.5, 0.5], [0.2, 0.4, 0.9]])
    dull, full = match_skin_tone(given, maps, tones)["saturation"][:, 0].tolist()
    assert SATURATION_RANGE[0] <= dull < 0.2
    assert full == SATURATION_RANGE[1]


def test_paint_shows_on_lids_and_where_there_is_no_portrait() -> None:
    _, maps = portrait()
    shown = 1 - limit_generated(torch.full((2, 1, 128, 128), 0.2), maps)
    assert shown[:, :, 80, 64].max() == pytest.approx(0.8 * (1 - SUPPRESSED), abs=1e-4)
    assert shown[:, :, 52, 43].min() > 0.6
    assert shown[:, :, 4, 4].min() == pytest.approx(0.8)
    assert shown[:, :, 16, 64].max() == pytest.approx(0.8 * (1 - SUPPRESSED), abs=1e-4), (
        "no ring at the rim"
    )


def test_paint_is_lit_with_the_skin_and_free_beside_it() -> None:
    given, maps = portrait()
    dark = match_skin_tone(given, maps, 0.5 * torch.tensor(SKIN).expand(2, 3))
    on, beside = (slice(None), slice(None), 80, 64), (slice(None), slice(None), 4, 4)
    torch.testing.assert_close(
        greyscale(dark["face"])[on], 0.5 * greyscale(given["face"])[on], atol=0.06, rtol=0
    )
    assert torch.equal(dark["face"][beside], given["face"][beside])


def test_a_face_is_pasted_inside_its_edge() -> None:
    generated, source = torch.ones(1, 3, 4, 4), torch.zeros(1, 3, 4, 4)
    edge = torch.linspace(0, 1, 4).expand(1, 1, 4, 4)
    torch.testing.assert_close(paste(generated, source, edge), edge.expand(1, 3, 4, 4))
