"""How sharp and how noisy a face is, and what a portrait lacks of it."""

import cv2
import numpy as np
import pytest

from streamanon.face import landmarks as lm
from streamanon.face.shading import (
    COARSE,
    LIGHT_SIZE,
    MAX_BLUR_PX,
    MAX_GRAIN,
    Areas,
    fine_detail,
    grain,
    high_pass,
    light_field,
    light_transfer,
    missing_grain,
    next_blur_px,
    next_smoothness,
    noise,
    skin_texture,
    soften,
    whiteness,
    without_hair,
)
from streamanon.face.warp import (
    RASTER,
    FaceSpace,
    edge_distance,
    into_face_space,
    rasterise_triangles,
)
from streamanon.identities.gallery import load_builtin
from streamanon.types import F32, U8

SHARP = load_builtin()[0].portrait
SMOOTH = np.asarray(cv2.GaussianBlur(SHARP, (0, 0), 4), np.uint8)
EVERYWHERE = np.ones(SMOOTH.shape[:2], np.float32)


def noisy(sigma: float) -> U8:
    grey = np.random.default_rng(0).normal(0, sigma, (*SMOOTH.shape[:2], 1))
    return np.clip(np.rint(SMOOTH + grey), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("sigma", [2.0, 4.0, 8.0])
def test_noise_is_measured(sigma: float) -> None:
    assert noise(high_pass(noisy(sigma)), EVERYWHERE) == pytest.approx(sigma, rel=0.12)


def measured_whiteness(fine: F32, mask: F32) -> float:
    return whiteness(fine, mask, noise(fine, mask))


def test_noise_of_a_sensor_is_told_from_the_coarser_one_of_pores_and_compression() -> None:
    soft = cv2.GaussianBlur(noisy(12.0), (0, 0), 0.85)
    assert measured_whiteness(high_pass(np.asarray(soft, np.uint8)), EVERYWHERE) < 0.1
    assert measured_whiteness(high_pass(noisy(12.0)), EVERYWHERE) > 0.9
    assert measured_whiteness(high_pass(noisy(12.0)), np.zeros_like(EVERYWHERE)) == 1


@pytest.mark.parametrize(("white", "share"), [(1.0, 1.0), (0.0, COARSE)])
def test_grain_is_as_strong_as_wanted_or_less_where_it_is_coarse(
    white: float, share: float
) -> None:
    made = grain((300, 300), 8.0, white)
    image = np.repeat(np.clip(128 + made, 0, 255).astype(np.uint8)[:, :, None], 3, axis=2)
    fine, everywhere = high_pass(image), np.ones(made.shape, np.float32)
    assert noise(fine, everywhere) == pytest.approx(8.0 * share, rel=0.1)
    assert (measured_whiteness(fine, everywhere) == 1) == (white == 1)


def test_lashes_and_strands_are_no_noise() -> None:
    hairy = noisy(2.0)
    hairy[::24] = 0
    assert fine_detail(high_pass(hairy), EVERYWHERE) > 3 * fine_detail(
        high_pass(noisy(2.0)), EVERYWHERE
    )
    assert noise(high_pass(hairy), EVERYWHERE) < 1.4 * noise(high_pass(noisy(2.0)), EVERYWHERE)


def test_only_the_face_counts() -> None:
    image, face = noisy(8.0), EVERYWHERE.copy()
    image[:, 100:] = SMOOTH[:, 100:]
    face[:, :100] = 0
    assert noise(high_pass(image), face) < 0.5
    assert noise(high_pass(image), np.zeros_like(face)) == 0


def test_grain_is_what_the_portrait_lacks() -> None:
    assert missing_grain(2.5, 1.5) == pytest.approx(2.0)
    assert missing_grain(3.0, 5.0) == 0
    assert missing_grain(1.0, 0.95) == 0  # not seen
    assert missing_grain(50.0, 0.0) == MAX_GRAIN
    assert missing_grain(15.0, 2.5) == pytest.approx(14.79, abs=0.01)  # a webcam in the dark


def test_a_portrait_is_smoothed_as_far_as_its_texture_exceeds_the_frames() -> None:
    assert next_smoothness(0.02, 0.02) == 0
    assert next_smoothness(0.03, 0.02) == 0
    assert next_smoothness(0.014, 0.02) == 0.5
    assert next_smoothness(0.0, 0.02) == 1
    assert skin_texture(SMOOTH, EVERYWHERE) < 0.95 * skin_texture(SHARP, EVERYWHERE)
    assert skin_texture(SMOOTH, np.zeros_like(EVERYWHERE)) == 0


def test_the_portrait_becomes_as_sharp_as_the_frame() -> None:
    portrait = load_builtin()[0].portrait
    wanted, blur = fine_detail(high_pass(soften(portrait, 1.5)), EVERYWHERE), 0.0
    for _ in range(12):
        blur = next_blur_px(
            blur, wanted, fine_detail(high_pass(soften(portrait, blur)), EVERYWHERE)
        )
    assert 1.0 < blur < 1.6
    for _ in range(12):
        blur = next_blur_px(blur, 0.0, 10.0)
    assert blur == MAX_BLUR_PX


N = 48
FACE, INSIDE = (
    np.asarray(cv2.circle(np.zeros((N, N), np.float32), (24, 24), radius, 1, -1), np.float32)
    for radius in (20, 17)
)
PORTRAIT = np.asarray(cv2.resize(load_builtin()[0].portrait[90:330, 110:350], (N, N)), np.float32)


def lit(source: F32) -> F32:
    areas = Areas(INSIDE, INSIDE, FACE - INSIDE, 0 * FACE)
    light = light_transfer(source, PORTRAIT, areas, eye_px=16)
    return np.asarray(PORTRAIT * light[:, :, :3] + light[:, :, 3:], np.float32)


def brows_lit(source_level: float, given_level: float) -> float:
    """Return by how many levels a brow is darker than the skin around, in the frame's light."""
    brow = np.zeros((N, N), np.float32)
    brow[17:19, 12:22] = brow[17:19, 26:36] = 1
    near = np.asarray(cv2.dilate(brow, np.ones((3, 3))), np.float32)
    source, given = (
        np.repeat((180 - level * brow)[:, :, None], 3, axis=2).astype(np.float32)
        for level in (source_level, given_level)
    )
    light = light_transfer(source, given, Areas(INSIDE, INSIDE, FACE - INSIDE, near), eye_px=16)
    result = (given * light[:, :, :3] + light[:, :, 3:]).mean(axis=2)
    return float(np.median(result[30:34, 12:36]) - result[brow > 0].mean())


def test_brows_are_no_darker_than_the_frames() -> None:
    alike, paler, darker = brows_lit(80, 80), brows_lit(30, 80), brows_lit(120, 80)
    assert paler < 0.6 * alike
    assert darker == pytest.approx(alike, rel=0.15)


def contrast(image: F32) -> float:
    grey = image.mean(axis=2)
    return float((grey - cv2.GaussianBlur(grey, (0, 0), 4))[INSIDE > 0].std())


@pytest.mark.parametrize("share", [0.6, 0.8, 1.0])
def test_a_portrait_gets_the_contrast_of_the_frame(share: float) -> None:
    source = share * PORTRAIT + (1 - share) * cv2.GaussianBlur(PORTRAIT, (0, 0), 4) + 10
    assert contrast(lit(source)) == pytest.approx(contrast(source), rel=0.15)


def test_what_is_pale_in_the_frame_becomes_paler_and_nothing_else_does() -> None:
    source, upper = PORTRAIT.copy(), slice(8, 20)
    source[upper] = cv2.GaussianBlur(PORTRAIT, (0, 0), 4)[upper]
    before, after = (cv2.Laplacian(lit(one).mean(axis=2), cv2.CV_32F) for one in (PORTRAIT, source))
    assert np.abs(after[upper, 14:34]).mean() < 0.7 * np.abs(before[upper, 14:34]).mean()
    assert np.abs(after[28:38, 14:34]).mean() > 0.8 * np.abs(before[28:38, 14:34]).mean()


def test_the_rim_meets_the_frame_and_hair_beside_it_does_not_count() -> None:
    rim = (FACE - INSIDE) > 0.5
    source = PORTRAIT + 12 * (1 - cv2.GaussianBlur(INSIDE, (0, 0), 2))[:, :, None]
    apart = np.abs((lit(source) - source)[rim].mean())
    assert apart < 0.5 * np.abs((PORTRAIT - source)[rim].mean())
    hair = source.copy()
    hair[:, :6] = 5
    assert np.abs(lit(hair) - lit(source))[:, 10:].mean() < 2


def test_a_beard_tells_little_of_the_light() -> None:
    skin = np.full((N, N, 3), (110, 140, 200), np.float32)
    skin += np.random.default_rng(0).normal(0, 3, (N, N, 1)).astype(np.float32)
    skin *= np.linspace(0.7, 1.3, N, dtype=np.float32)[None, :, None]
    beard = cv2.ellipse(np.zeros((N, N), np.uint8), ((24, 36), (20, 9), 0), 1, -1) > 0
    face = INSIDE > 0
    skin[beard] *= 0.5
    weight = without_hair(skin, INSIDE)
    assert weight[beard & face].mean() < 0.4
    assert weight[~beard & face].mean() > 0.8
    skin[beard] *= 3
    assert without_hair(skin, INSIDE)[beard & face].mean() > 0.7
    assert (without_hair(skin, np.zeros_like(INSIDE)) == 1).all()


def test_the_colour_of_a_mask_is_no_light() -> None:
    identity = load_builtin()[0]
    space = FaceSpace.around(identity.mesh.points)
    depth = edge_distance(rasterise_triangles(space))
    bare = into_face_space(identity.portrait, space.to_frame)
    masked = bare.copy()
    below = space.points[:468, 1] > space.points[lm.NOSE[0], 1]
    masked[int(space.points[lm.NOSE[0], 1]) - 3 :] = (200, 120, 40)
    lit, ignorant, knowing = (
        light_field(space, depth, source, bare, in_front)
        for source, in_front in ((bare, None), (masked, None), (masked, below.astype(np.float32)))
    )
    mouth = np.s_[int(space.points[lm.INNER_LIPS[0], 1] * 48 / RASTER), 20:28]
    shown = [
        (one[mouth][:, :3] * 100 + one[mouth][:, 3:]).mean(axis=0)
        for one in (lit, ignorant, knowing)
    ]
    assert np.abs(shown[1] - shown[0]).max() > 50
    assert np.abs(shown[2] - shown[0]).max() < 12


def test_hair_that_hangs_at_a_temple_tints_no_skin() -> None:
    (one,) = (identity for identity in load_builtin() if identity.name == "nora")
    space = FaceSpace.around(one.mesh.points)
    depth = edge_distance(rasterise_triangles(space))
    bare = into_face_space(one.portrait, space.to_frame)
    hairy = bare.copy()
    inside = np.nonzero((depth > 0).any(axis=0))[0]
    hairy[:, : inside[0] + RASTER // 10] = (52, 30, 24)
    light = light_field(space, depth, hairy, bare, None)
    small = cv2.resize(bare, (LIGHT_SIZE, LIGHT_SIZE), interpolation=cv2.INTER_AREA)
    lit = light[:, :, :3] * small + light[:, :, 3:]
    cheek = np.s_[LIGHT_SIZE // 3 : -LIGHT_SIZE // 3, LIGHT_SIZE // 5 : LIGHT_SIZE // 2]
    assert np.abs(lit - small)[cheek].mean() < 3
