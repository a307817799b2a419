"""Export a trained AnonyGAN network to the files that ship, each with its model card.

``anonygan_condition.onnx`` runs once per identity, ``anonygan.onnx`` for every face of every frame;
``anonygan_int8.onnx`` is a faster form of the latter, left out if it loses too much.
"""

import hashlib
import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import onnx
from onnx import helper

from export.faces import Sample, samples
from export.graphs import Branch, branches, rounded, stored_in_half
from export.model_card import model_card
from export.quality import Degradation, QualityMeter, check_alive, check_close, live_inputs
from export.quantise import quantised
from streamanon.anonygan import checkpoint
from streamanon.anonygan.network import AnonyGan
from streamanon.backends.onnx_runtime import OnnxRuntimeBackend
from streamanon.backends.openvino_runtime import OpenVinoBackend, has_bf16
from streamanon.backends.tensorrt_graph import prepare
from streamanon.errors import ModelError, UsageError
from streamanon.face.network_input import CONVENTION
from streamanon.protocols import Backend
from streamanon.weights import SUMS
from streamanon.weights.card import KEY

LIVE, CONDITION, INT8 = "anonygan.onnx", "anonygan_condition.onnx", "anonygan_int8.onnx"
MODEL_CARD = "anonygan.md"
LICENCE = "Apache-2.0"

FACES = 128
"""Half of them calibrate quantisation, degradations are measured on the others."""

PARITY_ON = 3
"""Number of faces that runtimes are compared on."""


def export(
    path: Path, out: Path, *, trained_on: Path | None = None, pictures: Path | None = None
) -> dict[str, Any]:
    """Write the files that ship, after checking them.

    Args:
        path: network or state of a run, as written by training.
        out: folder to write to.
        trained_on: ``index.json`` of the training data, for the model card.
        pictures: folder with more faces to calibrate and to measure on.

    Returns:
        The model card of the live network.

    Raises:
        UsageError: The network, data or folder does not exist.
        ModelError: The network is dead, or a runtime disagrees; nothing is written.
    """
    if not out.is_dir():
        raise UsageError(f"folder {out} does not exist: create it, or name another")
    network, step, seen = trained(path)
    about = {
        "checkpoint_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "architecture": checkpoint.architecture(network),
        "config": asdict(network.config),
        "steps": step,
        "samples_seen": seen,
        "training_data": _training_data(trained_on),
        "convention": CONVENTION,
        "licence": LICENCE,
    }
    faces = samples(pictures, FACES)
    with tempfile.TemporaryDirectory(dir=out, prefix=".export-") as folder:
        card = _make(network, faces, Path(folder), about)
        (out / INT8).unlink(missing_ok=True)
        for file in Path(folder).glob("anonygan*.onnx"):
            file.replace(out / file.name)
    (out / MODEL_CARD).write_text(model_card(card), encoding="utf-8")
    note_hashes(out)
    return card


def trained(path: Path) -> tuple[AnonyGan, int | None, int | None]:
    """Return the EMA of a trained network, its step and its number of training samples.

    Step and samples are None if the file does not state them.

    Raises:
        UsageError: The file holds no network.
    """
    content = checkpoint.read(path)
    network = checkpoint.unpack(content.get("ema", content), str(path)).eval()
    return network, content.get("step"), content.get("samples")


def _training_data(index: Path | None) -> list[dict[str, Any]]:
    """Return the sets of prepared data: name, faces, people and licence."""
    if index is None:
        return []
    try:
        sets = json.loads(index.read_text())["sets"]
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(f"{index} is no index of prepared data: give its index.json") from error
    wanted = ("faces", "people", "licence")
    return [{"set": name} | {key: one[key] for key in wanted} for name, one in sets.items()]


def _make(
    network: AnonyGan, faces: Sequence[Sample], folder: Path, about: dict[str, Any]
) -> dict[str, Any]:
    """Write all files into a folder and return the model card of the live network."""
    live, condition = branches(network, faces[:PARITY_ON])
    for branch in (condition, live):
        check_alive(branch.run, branch.inputs)
    exact = {LIVE: folder / "exact.onnx", CONDITION: folder / "exact_condition.onnx"}
    graphs = {LIVE: live.graph(), CONDITION: condition.graph()}
    for name, branch in ((LIVE, live), (CONDITION, condition)):
        onnx.save(graphs[name], exact[name])
        _check_parity(branch, exact[name])

    encoder = OnnxRuntimeBackend(exact[CONDITION])
    meter = QualityMeter(faces[1::2], encoder, OnnxRuntimeBackend(exact[LIVE]))
    light = {name: rounded(graph) for name, graph in graphs.items()}
    light[INT8] = quantised(light[LIVE], live_inputs([face.inputs for face in faces[::2]], encoder))
    for name, graph in light.items():
        onnx.save(stored_in_half(graph), folder / name)
    degradations = _degradations(meter, folder)
    if not degradations["half"].accepted:
        raise ModelError(f"half precision loses too much: {degradations['half'].to_json()}")
    if not degradations["int8"].accepted:
        (folder / INT8).unlink()
    for path in exact.values():
        path.unlink()
    measured = {"measured": {form: loss.to_json() for form, loss in degradations.items()}}
    cards = {path.name: write_card(path, about | measured) for path in folder.glob("*.onnx")}
    return cards[LIVE]


def _check_parity(branch: Branch, file: Path) -> None:
    """Make sure that runtimes agree with PyTorch."""
    wanted = branch.run(branch.inputs)
    check_close(wanted, OnnxRuntimeBackend(file).run(branch.inputs), "ONNX Runtime")
    check_close(wanted, OpenVinoBackend(file).run(branch.inputs), "OpenVINO")


def _degradations(meter: QualityMeter, folder: Path) -> dict[str, Degradation]:
    """Return what each form of the network costs, by name."""
    condition = OnnxRuntimeBackend(folder / CONDITION)
    forms: dict[str, Backend] = {
        "half": OnnxRuntimeBackend(folder / LIVE),
        "int8": OnnxRuntimeBackend(folder / INT8),
    }
    half = folder / "fp16.onnx"
    onnx.save(prepare(onnx.load(folder / LIVE), "fp16"), half)
    forms["fp16"] = OnnxRuntimeBackend(half)  # rounds after every operation, like a GPU
    half.unlink()
    if has_bf16():
        forms["bf16"] = OpenVinoBackend(folder / LIVE, precision="bf16")
    return {form: meter.degradation(condition, live) for form, live in forms.items()}


def write_card(path: Path, about: dict[str, Any]) -> dict[str, Any]:
    """Write a model card into an ONNX file and return it.

    Args:
        path: ONNX file.
        about: entries of the card beside names and shapes.
    """
    model = onnx.load(path)
    ends = {"inputs": model.graph.input, "outputs": model.graph.output}
    card = {
        "name": path.stem,
        **{end: {one.name: _described(one) for one in values} for end, values in ends.items()},
        **about,
    }
    helper.set_model_props(model, {KEY: json.dumps(card)})
    model.producer_name = "streamanon"
    onnx.save(model, path)
    return card


def _described(value: onnx.ValueInfoProto) -> dict[str, Any]:
    kind = value.type.tensor_type
    return {
        "shape": [side.dim_param or side.dim_value for side in kind.shape.dim],
        "dtype": str(helper.tensor_dtype_to_np_dtype(kind.elem_type)),
    }


def note_hashes(folder: Path) -> None:
    """Update the list of hashes beside the files, if it exists."""
    listing = folder / SUMS
    if not listing.is_file():
        return
    others = [line for line in listing.read_text().splitlines() if "  anonygan" not in line]
    ours = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}"
        for path in folder.glob("anonygan*.onnx")
    ]
    lines = sorted([*others, *ours], key=lambda line: line.split()[1])
    listing.write_text("\n".join(lines) + "\n")
