"""A network says what it is, and one that does not is refused."""

import json
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx", reason="the extra torch is not installed")

from pathlib import Path

import onnx
from onnx import helper, numpy_helper

from streamanon import weights
from streamanon.errors import ModelError
from streamanon.weights.card import KEY, read_card


def network() -> onnx.ModelProto:
    """A network that scales 300 numbers."""
    source, sink = (
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [300]) for name in "xy"
    )
    weight = numpy_helper.from_array(np.full(300, 2, np.float32), "w")
    node = helper.make_node("Mul", ["x", "w"], ["y"])
    return helper.make_model(helper.make_graph([node], "scale", [source], [sink], [weight]))


def carded(model: onnx.ModelProto, **about: Any) -> onnx.ModelProto:
    helper.set_model_props(model, {"other": "x" * 200, KEY: json.dumps(about)})
    return model


def test_a_card_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "scale.onnx"
    onnx.save(carded(network(), name="scale", licence="CC0"), path)
    card = read_card(path)
    assert (card["name"], card["licence"]) == ("scale", "CC0")


def test_a_network_without_a_card_is_refused() -> None:
    with pytest.raises(ModelError, match=r"yunet\.onnx has no card of streamanon: export it with"):
        read_card(weights.path("yunet.onnx"))


def test_a_file_that_is_no_network_is_refused_in_one_line(broken_network: Path) -> None:
    with pytest.raises(ModelError, match=r"broken\.onnx") as caught:
        read_card(broken_network)
    assert "\n" not in str(caught.value)


def test_a_file_cut_short_is_refused(tmp_path: Path) -> None:
    whole = carded(network()).SerializeToString()
    path = tmp_path / "short.onnx"
    for length in range(0, len(whole), 97):
        path.write_bytes(whole[:length])
        with pytest.raises(ModelError, match=r"short\.onnx"):
            read_card(path)


def test_a_card_that_is_no_card_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "list.onnx"
    model = network()
    helper.set_model_props(model, {KEY: "[1, 2]"})
    onnx.save(model, path)
    with pytest.raises(ModelError, match=r"list\.onnx has no card of streamanon"):
        read_card(path)
