"""Each term is small where it should be and large where it should not."""

import pytest
import torch
from torch.nn import functional

from streamanon.face.network_input import EYE_DISTANCE
from training import losses


@pytest.fixture
def face() -> torch.Tensor:
    """A weight that is 1 in the middle of a 32 px image."""
    weight = torch.zeros(2, 1, 32, 32)
    weight[:, :, 8:24, 8:24] = 1
    return weight


def test_equations_2_and_3_are_cross_entropies() -> None:
    real, made = torch.tensor([0.3, -1.0]), torch.tensor([2.0, -0.5])
    known = functional.binary_cross_entropy_with_logits(real, torch.ones(2))
    false = functional.binary_cross_entropy_with_logits(made, torch.zeros(2))
    wanted = functional.binary_cross_entropy_with_logits(made, torch.ones(2))
    assert torch.allclose(losses.discriminator_loss(real, made, "bce"), (known + false) / 2)
    assert torch.allclose(losses.generator_loss(made, "bce"), wanted)


def test_a_hinge_asks_for_no_more_than_one() -> None:
    far = torch.tensor([3.0])
    assert float(losses.discriminator_loss(far, -far, "hinge")) == 0
    assert float(losses.discriminator_loss(-far, far, "hinge")) == 4
    assert float(losses.generator_loss(far, "hinge")) == -3


def test_the_penalty_is_the_squared_gradient() -> None:
    image = torch.rand(3, 3, 4, 4, requires_grad=True)
    logits = (2 * image).sum(1, keepdim=True)
    assert float(losses.r1_penalty(logits, image)) == pytest.approx(48 * (2 / 16) ** 2)


def test_reconstruction_looks_at_the_face_and_harder_at_its_organs(face: torch.Tensor) -> None:
    target = torch.rand(2, 3, 32, 32)
    nothing = torch.zeros_like(face)
    organ = nothing.clone()
    organ[:, :, 10:12, 10:12] = 1
    beside = target + 0.5 * (1 - face)
    assert float(losses.reconstruction(beside, target, face, nothing)) == 0
    blot = target + 0.5 * organ
    plain = losses.reconstruction(blot, target, face, nothing)
    assert float(losses.reconstruction(blot, target, face, organ)) > 1.4 * float(plain) > 0


def test_matching_is_the_mean_over_layers_and_trains_only_what_was_made() -> None:
    made = [torch.rand(1, 2, 4, 4, requires_grad=True) for _ in range(2)]
    real = [layer.detach() + 0.25 for layer in made]
    real[0].requires_grad_()
    term = losses.feature_matching(list(zip(made, real, strict=True)))
    assert float(term.detach()) == pytest.approx(0.25)
    torch.autograd.backward(term)
    assert made[0].grad is not None
    assert real[0].grad is None


def test_identity_is_pulled_and_pushed() -> None:
    one, other = torch.eye(2, 128)
    assert float(losses.identity_pull(one[None], one[None])) == pytest.approx(0)
    assert float(losses.identity_push(one[None], other[None])) == 0
    assert float(losses.identity_push(one[None], one[None])) == pytest.approx(
        1 - losses.PUSH_MARGIN
    )


def test_landmarks_count_in_eye_distances() -> None:
    reference = torch.zeros(1, 70, 2)
    moved = reference.clone()
    moved[:, :36, 0] = EYE_DISTANCE
    assert float(losses.landmarks(moved, reference)) == pytest.approx(36 / 70, rel=0.01)


def test_the_ring_and_the_seam_see_only_themselves(face: torch.Tensor) -> None:
    target = torch.full((2, 3, 32, 32), 0.5)
    ring = 1 - face
    assert float(losses.context_ring(target + face, target, ring)) == 0
    assert float(losses.context_ring(target + ring, target, ring)) == pytest.approx(1)
    edge = 0.5 * face
    assert float(losses.seam(target + 0.2 * (edge == 0.5), target, edge)) == pytest.approx(0.2)
    assert float(losses.seam(target + 0.2 * (edge == 0), target, edge)) == 0


def test_trust_and_roughness_read_the_attention(face: torch.Tensor) -> None:
    assert float(losses.trust(torch.ones_like(face), face)) == 0
    assert float(losses.trust(1 - face, face)) == 1
    assert float(losses.roughness(torch.ones_like(face))) == 0
    assert float(losses.roughness(face)) > 0


def test_no_sample_gives_no_loss() -> None:
    empty = torch.zeros(0, 3, 8, 8)
    assert float(losses.plain_l1(empty, empty)) == 0
    assert float(losses.reconstruction(empty, empty, empty[:, :1], empty[:, :1])) == 0
    assert float(losses.feature_matching([(empty, empty)])) == 0
