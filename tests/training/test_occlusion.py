"""Learning what is in front of faces: samples, steps and the file that ships."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from click.testing import CliRunner

from streamanon.backends.onnx_runtime import OnnxRuntimeBackend
from streamanon.types import OCCLUSION_CLASSES, U8
from training.data.entries import read_entries
from training.occlusion import faces, things
from training.occlusion import train as loop
from training.occlusion.faces import BaseFace
from training.occlusion.network import OcclusionNet
from training.occlusion.samples import CHANNELS, sample
from training.occlusion.things import Hands
from training.occlusion.train import HELD_OUT, Run, batches, command, export


def hand_on_paper() -> U8:
    image = np.full((100, 100, 3), (205, 200, 200), np.uint8)
    cv2.ellipse(image, (50, 60), (20, 28), 0, 0, 360, (90, 120, 180), -1)
    cv2.line(image, (50, 55), (50, 15), (90, 120, 180), 9)
    return image


@pytest.fixture(scope="module")
def face(photos: Path) -> BaseFace:
    found = faces.read(read_entries(photos)[0], bare_eyes=True)
    assert found is not None
    return found


@pytest.fixture
def data(face: BaseFace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Just enough samples for two small steps a pass."""
    monkeypatch.setattr(loop, "BATCH", 4)
    hands, rng = Hands([hand_on_paper()]), np.random.default_rng(0)
    folder = tmp_path / "samples"
    folder.mkdir()
    few = np.stack([sample(face, hands, [face.image], rng) for _ in range(8)])
    for number in range(HELD_OUT):
        np.save(folder / f"{number:05d}.npy", few[:2])
    np.save(folder / "00009.npy", few)
    return folder


def test_a_bare_face_is_labelled_skin(face: BaseFace) -> None:
    inside = face.hull > 0
    assert (face.kind[inside] == faces.SKIN).mean() > 0.85
    assert (face.kind[:, :4] == faces.OUTSIDE).mean() > 0.5


@pytest.mark.parametrize("seed", range(4))
def test_what_is_laid_over_a_face_is_in_its_labels(face: BaseFace, seed: int) -> None:
    rng = np.random.default_rng(seed)
    hand = Hands([hand_on_paper()]).layer(face, rng)
    (*_, frame) = things.glasses(face, rng)
    for layer, kind in ((hand, faces.HAND), (frame, faces.GLASSES)):
        assert layer.kind == kind
        assert layer.alpha.max() > 0.6
    made = sample(face, Hands([hand_on_paper()]), [face.image], rng)
    assert made.shape == (128, 128, CHANNELS)
    assert np.abs(made[..., 5:-1].sum(axis=2, dtype=int) - 255).max() <= 4


def test_a_hand_is_cut_out_of_its_paper() -> None:
    (image, alpha), *_ = Hands([hand_on_paper()]).cut
    assert alpha[60, 50] > 0.95
    assert alpha[5, 5] == 0
    assert np.abs(image[90, 90].astype(int) - (90, 120, 180)).max() < 40


def test_the_network_is_small() -> None:
    macs = 0

    def count(module: torch.nn.Module, _: object, out: torch.Tensor) -> None:
        nonlocal macs
        macs += module.weight.numel() * out.shape[2] * out.shape[3]  # type: ignore[operator]

    network = OcclusionNet().eval()
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(count)
    network(torch.zeros(1, 128, 128, 5, dtype=torch.uint8))
    assert macs < 60e6


def test_a_stopped_run_goes_on_as_if_it_had_not_been(data: Path, tmp_path: Path) -> None:
    shards = sorted(data.glob("*.npy"))[HELD_OUT:]
    whole, stopped, resumed = Run(4), Run(4), Run(4)
    for run in (whole, stopped):
        for batch in batches(shards, 0):
            run.train_on(batch)
        run.epoch += 1
    torch.save(stopped.state(), tmp_path / "state.pt")
    resumed.load(torch.load(tmp_path / "state.pt", weights_only=True))
    for run in (whole, resumed):
        for batch in batches(shards, run.epoch):
            run.train_on(batch)
    assert whole.step == resumed.step == 4
    ends = (run.average.state_dict().values() for run in (whole, resumed))
    assert all(torch.equal(one, two) for one, two in zip(*ends, strict=True))


def test_a_run_is_exported_as_it_is(data: Path, tmp_path: Path) -> None:
    run, file = tmp_path / "run", tmp_path / "occlusion.onnx"
    done = CliRunner().invoke(command, [str(run), "--data", str(data), "--steps", "2"])
    assert done.exit_code == 0, done.output
    assert "step 2 of 2" in done.output
    assert CliRunner().invoke(export, [str(run), str(file)]).exit_code == 0
    held = Run(2)
    held.load(torch.load(run / "state.pt", weights_only=True))
    seen = np.load(data / "00000.npy")[:1, :, :, :5]
    with torch.no_grad():
        wanted = held.average.eval()(torch.from_numpy(seen)).softmax(1).numpy()
    got = OnnxRuntimeBackend(file).run({"input": seen})["classes"]
    assert got.shape == (1, len(OCCLUSION_CLASSES), 128, 128)
    assert np.abs(got - wanted).max() < 1e-3


def test_too_few_samples_are_refused(tmp_path: Path) -> None:
    done = CliRunner().invoke(command, [str(tmp_path / "run"), "--data", str(tmp_path)])
    assert done.exit_code != 0
    assert "0 shards" in str(done.exception)
