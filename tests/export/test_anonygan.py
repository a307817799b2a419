"""From a trained network to the files that ship: alive, exact, carded, or not written at all."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra train is not installed")
pytest.importorskip("onnxscript", reason="the extra train is not installed")

from collections.abc import Iterator

import torch
from click.testing import CliRunner
from numpy.typing import NDArray
from torch import nn

from export import anonygan as module
from export import faces as faces_module
from export.__main__ import main
from export.anonygan import CONDITION, INT8, LIVE, MODEL_CARD, export
from export.quality import Degradation, check_alive, check_close
from streamanon import weights
from streamanon.anonygan.checkpoint import pack
from streamanon.anonygan.config import GeneratorConfig
from streamanon.anonygan.network import AnonyGan
from streamanon.anonymisers.network import FaceNetwork, check_cards
from streamanon.backends.onnx_runtime import OnnxRuntimeBackend
from streamanon.backends.tensorrt_runtime import about
from streamanon.backends.torch_runtime import TorchBackend
from streamanon.backends.trial import noise
from streamanon.errors import ModelError, UsageError
from streamanon.face.network_input import CONVENTION
from streamanon.identities.gallery import load_builtin
from streamanon.weights.card import read_card
from testkit.paths import ROOT

SMALL = GeneratorConfig("live", width=32, blocks=1)


def network(*, alive: bool = True) -> AnonyGan:
    """An untrained network, in which nothing is zero any more, or all that decodes is."""
    torch.manual_seed(0)
    made = AnonyGan(SMALL)
    if not alive:
        for name, parameter in made.named_parameters():
            if ".decoder." in name:
                nn.init.zeros_(parameter)
    for part in made.modules():
        if alive and isinstance(part, (nn.Conv2d, nn.Linear)) and not part.weight.any():
            nn.init.normal_(part.weight, std=0.1 if isinstance(part, nn.Conv2d) else 0.01)
    return made


@pytest.fixture(scope="module", autouse=True)
def _few_faces() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "FACES", 12)
        patch.setattr(faces_module, "CLIP_EVERY", 200)
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a run of training leaves behind."""
    folder: Path = tmp_path_factory.mktemp("run")
    state = {"step": 50, "samples": 800, "network": {}, "ema": pack(network())}
    torch.save(state, folder / "state.pt")
    one = {"faces": 3, "people": 2, "licence": "CC0", "pictures": 4}
    (folder / "index.json").write_text(json.dumps({"sets": {"own": one}}))
    return folder


@pytest.fixture(scope="module")
def out(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("out")
    (folder / weights.SUMS).write_text(f"{'0' * 64}  anonygan.onnx\n{'1' * 64}  yunet.onnx\n")
    export(run / "state.pt", folder, trained_on=run / "index.json")
    return folder


def test_the_files_are_those_the_product_wants(out: Path) -> None:
    made = sorted(path.name for path in out.iterdir())
    assert made == sorted([LIVE, CONDITION, INT8, MODEL_CARD, weights.SUMS])
    check_cards(read_card(out / LIVE), read_card(out / CONDITION))
    listed = dict(line.split()[::-1] for line in (out / weights.SUMS).read_text().splitlines())
    assert listed.pop("yunet.onnx") == "1" * 64
    for name, digest in listed.items():
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == digest
    assert set(listed) == {LIVE, CONDITION, INT8}


def test_no_file_tells_of_the_machine_it_was_made_on(out: Path) -> None:
    folders = (str(ROOT).encode(), str(Path(torch.__file__).parent).encode())
    for path in out.glob("*.onnx"):
        assert not any(folder in path.read_bytes() for folder in folders), path.name


def test_pytorch_finds_the_weights_again(out: Path) -> None:
    inputs = noise(read_card(out / LIVE)["inputs"])
    wanted = OnnxRuntimeBackend(out / LIVE).run(inputs)
    made = TorchBackend(out / LIVE).run(inputs)
    for name, array in wanted.items():
        most = 1 if array.dtype == np.uint8 else 1 / 255
        assert np.abs(made[name].astype(float) - array).max() <= most, name


def test_the_card_tells_where_the_network_comes_from(run: Path, out: Path) -> None:
    card = read_card(out / LIVE)
    digest = hashlib.sha256((run / "state.pt").read_bytes()).hexdigest()
    assert card["checkpoint_sha256"] == digest
    assert card["samples_seen"] == 800
    assert card["training_data"] == [{"set": "own", "faces": 3, "people": 2, "licence": "CC0"}]
    assert card["convention"] == CONVENTION
    assert card["config"]["width"] == 32
    assert card["inputs"]["context"] == {"shape": ["faces", 128, 128, 3], "dtype": "uint8"}
    assert card["outputs"]["gain"] == {"shape": ["faces", 3, 16, 16], "dtype": "float32"}
    text = (out / MODEL_CARD).read_text()
    assert "800 samples" in text
    assert "| own | 3 | 2 | CC0 |" in text


def test_losses_are_measured_and_small(out: Path) -> None:
    measured = read_card(out / LIVE)["measured"]
    assert {"half", "int8", "fp16"} <= set(measured)
    for loss in measured.values():
        assert loss["accepted"]
        assert loss["levels_mean"] < 2
        assert loss["cosine"] > 0.98


def test_half_the_bytes_give_the_same_answer_for_any_number_of_faces(out: Path) -> None:
    assert (out / LIVE).stat().st_size < 2.5 * sum(p.numel() for p in network().parameters())
    card = read_card(out / LIVE)
    one = noise(card["inputs"])
    live = OnnxRuntimeBackend(out / LIVE)
    three = {name: np.concatenate([array] * 3) for name, array in one.items()}
    alone, together = live.run(one), live.run(three)
    for name, array in together.items():
        assert len(array) == 3
        assert np.abs(array[2].astype(float) - alone[name][0]).max() <= 1
    int8 = OnnxRuntimeBackend(out / INT8).run(one)
    assert any(not np.array_equal(int8[name], array) for name, array in alone.items())


def test_the_product_can_use_it(out: Path) -> None:
    condition = OnnxRuntimeBackend(out / CONDITION)
    known = FaceNetwork(OnnxRuntimeBackend(out / LIVE), condition).prepare(load_builtin()[0])
    assert known.arrays["nodes"].shape == (1, 70, 64)


@pytest.mark.trt
def test_it_compiles_for_nvidia_cards(out: Path, tmp_path: Path) -> None:
    try:
        about()
    except ModelError as error:
        pytest.skip(str(error))
    arguments = ["engine", str(out / LIVE), "--precision", "fp16", "--out", str(tmp_path / "e")]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert (tmp_path / "e").stat().st_size > 100_000
    assert result.output.startswith(f"{tmp_path / 'e'}: anonygan fp16, TensorRT")


def test_a_dead_network_is_not_written(tmp_path: Path) -> None:
    torch.save(pack(network(alive=False)), tmp_path / "dead.pt")
    (tmp_path / "out").mkdir()
    with pytest.raises(ModelError, match="the network is dead: context does not change"):
        export(tmp_path / "dead.pt", tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_what_cannot_be_exported_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist: create it"):
        export(run / "state.pt", tmp_path / "none")
    with pytest.raises(UsageError, match="cannot read the network"):
        export(tmp_path / "none.pt", tmp_path)
    with pytest.raises(UsageError, match=r"no index of prepared data: give its index\.json"):
        export(run / "state.pt", tmp_path, trained_on=run / "options.json")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no face in the pictures of"):
        export(run / "state.pt", tmp_path, pictures=tmp_path / "empty")
    shutil.rmtree(tmp_path / "empty")
    torch.save(pack(AnonyGan(GeneratorConfig("paper", width=32, blocks=2))), tmp_path / "p.pt")
    with pytest.raises(UsageError, match="no condition branch"):
        export(tmp_path / "p.pt", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["p.pt"]


def test_an_input_that_does_not_matter_is_noticed() -> None:
    inputs = {"a": np.arange(6.0).reshape(3, 2), "b": np.arange(6.0).reshape(3, 2)}

    def deaf(given: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        return {"y": given["a"] * 2}

    with pytest.raises(ModelError, match="b does not change its answer"):
        check_alive(deaf, inputs)
    check_alive(deaf, {"a": inputs["a"]})


def test_a_runtime_that_disagrees_is_noticed() -> None:
    wanted: dict[str, NDArray[Any]] = {
        "image": np.full((2, 2), 100, np.uint8),
        "gain": np.zeros(3, np.float32),
    }
    check_close(wanted, {"image": wanted["image"] + np.uint8(1), "gain": wanted["gain"]}, "it")
    with pytest.raises(ModelError, match="it gives another image"):
        check_close(wanted, wanted | {"image": wanted["image"] + np.uint8(2)}, "it")
    with pytest.raises(ModelError, match="it gives another gain"):
        check_close(wanted, wanted | {"gain": wanted["gain"] + np.float32(0.01)}, "it")


@pytest.mark.parametrize(
    ("displacement", "cosine", "accepted"),
    [(0.0303, 0.99, True), (0.0307, 0.99, False), (0.03, 0.979, False), (0.02, 1.0, True)],
)
def test_more_than_two_in_a_hundred_is_too_much(
    displacement: float, cosine: float, *, accepted: bool
) -> None:
    assert Degradation(0.1, 1.0, displacement, 0.03, cosine).accepted is accepted
