"""The card inside an ONNX file: what a network is, checked against the weights it came with.

An ONNX file is a protocol buffer (onnx.proto3, ``ModelProto``). Only its outermost fields are read
here: 7, the graph, and 14, the metadata, pairs of key (1) and value (2).
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from streamanon.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

KEY = "streamanon.card"
"""Of the metadata that holds the card, as JSON."""

GRAPH_HASH = "graph_sha256"
"""Entry of the card with the SHA-256 of the graph, weights included, as it lies in the file."""

_GRAPH, _METADATA = 7, 14
_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5


def read_card(path: Path) -> dict[str, Any]:
    """Return the card of a network.

    Raises:
        ModelError: the file cannot be read, has no card, or holds other weights than the card says.
    """
    try:
        content = memoryview(path.read_bytes())
    except OSError as error:
        raise ModelError(f"network {path} cannot be read: {error.strerror}") from error
    try:
        fields = list(_fields(content))
        pairs = [dict(_fields(entry)) for number, entry in fields if number == _METADATA]
        card = next(json.loads(bytes(pair[2])) for pair in pairs if bytes(pair[1]) == KEY.encode())
    except (IndexError, KeyError, ValueError, StopIteration) as error:
        raise ModelError(
            f"{path.name} has no card of streamanon: export it with `python -m export anonygan`"
        ) from error
    found = graph_sha256(content)
    wanted = str(card.get(GRAPH_HASH)) if isinstance(card, dict) else "none"
    if found != wanted:
        raise ModelError(
            f"{path.name} holds other weights than its card says (sha256 {found[:12]}, wanted "
            f"{wanted[:12]}): export it again"
        )
    return dict(card)


def accepted(card: Mapping[str, Any], form: str) -> bool:
    """Return whether a network loses little in a form, as was measured when it was exported.

    Args:
        card: of the network.
        form: "int8", "bf16" or "fp16"; one that was not measured is not accepted.
    """
    measured: Mapping[str, Any] = card["measured"]
    return bool(measured.get(form, {}).get("accepted", False))


def graph_sha256(content: bytes | memoryview) -> str:
    """Return the hash of the graph of an ONNX file, in hex."""
    digest = hashlib.sha256()
    for number, value in _fields(memoryview(content)):
        if number == _GRAPH:
            digest.update(value)
    return digest.hexdigest()


def _fields(content: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield the number and bytes of each field of a message; numbers have no bytes.

    Raises:
        ValueError: it is no protocol buffer.
        IndexError: it ends too early.
    """
    at = 0
    while at < len(content):
        tag, at = _varint(content, at)
        kind, length = tag & 7, 0
        if kind == _VARINT:
            _, at = _varint(content, at)
        elif kind == _BYTES:
            length, at = _varint(content, at)
        elif kind in (_FIXED_64, _FIXED_32):
            at += 8 if kind == _FIXED_64 else 4
        else:
            raise ValueError(f"wire type {kind}")
        if at + length > len(content):
            raise IndexError(at)
        yield tag >> 3, content[at : at + length]
        at += length


def _varint(content: memoryview, at: int) -> tuple[int, int]:
    """Return the number that starts at a place, and where it ends."""
    value = shift = 0
    while content[at] & 0x80:
        value |= (content[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
    return value | content[at] << shift, at + 1
