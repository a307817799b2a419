"""The model card inside an ONNX file: JSON in the file's metadata, read by ONNX Runtime.

The file that ships is hashed as a whole (:func:`streamanon.weights.path`), so a card always belongs
to the weights beside it. Reading one takes about 30 ms.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnxruntime

from streamanon.errors import ModelError, error_line

KEY = "streamanon.card"
"""Key of the metadata under which the card is stored, as JSON."""


def read_card(path: Path) -> dict[str, Any]:
    """Return the model card of a network.

    Raises:
        ModelError: The file cannot be read, or has no card.
    """
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:
        raise ModelError(f"network {path} cannot be read: {error_line(error)}") from error
    try:
        card = json.loads(session.get_modelmeta().custom_metadata_map[KEY])
    except (KeyError, ValueError) as error:
        card = error
    if not isinstance(card, dict):
        raise ModelError(
            f"{path.name} has no card of streamanon: export it with `python -m export anonygan`"
        )
    return card


def accepted(card: Mapping[str, Any], form: str) -> bool:
    """Return whether a network loses little as "int8", "bf16" or "fp16", as measured at its export.

    A form that was not measured is not accepted.
    """
    measured: Mapping[str, Any] = card["measured"]
    return bool(measured.get(form, {}).get("accepted", False))
