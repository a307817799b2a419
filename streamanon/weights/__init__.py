"""The models that ship with the package; ``README.md`` beside this file is their card."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from pathlib import Path

from streamanon.errors import ModelError

SHA256 = {
    "appearance.npz": "7f3e468a850b4ae66401f7366e60644a7b03030f38750529b9088de842441c69",
    "centerface.onnx": "5762ace692030c32284a2f4f9c33acd3c8d80939105cf38616897f6beb25cba2",
    "face_blendshapes.onnx": "0e16a2e774affdc7c66e023cf78a9a7dbaf20cdf2b15386f85ddfc03e5df7818",
    "face_landmarker.task": "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff",
    "face_mesh.onnx": "375cbe41534a333521a74c3c67c12797009ef82bb196678f53768f6b9ec36d58",
    "mobilefacenet.onnx": "b7120c095d60094f28a4a54ba6a8bf51b297a6273fb40ef6350dfec1f63d9507",
    "yunet.onnx": "104ee26c71d5c270ce79a6b3dced91c91013260d29a6bf18f9296c5b8c4c2b12",
}
"""What every model file must hash to."""


@cache
def path(name: str) -> Path:
    """Return where a model file lies, after checking that it is whole.

    Raises:
        ModelError: the file is unknown, missing or damaged.
    """
    if name not in SHA256:
        raise ModelError(f"no model called {name!r}: it is one of {', '.join(SHA256)}")
    where = Path(str(files(__name__))) / name
    if not where.is_file():
        raise ModelError(f"model file {where} is missing: install streamanon again")
    found = hashlib.sha256(where.read_bytes()).hexdigest()
    if found != SHA256[name]:
        raise ModelError(
            f"model file {where} is damaged (sha256 {found[:12]}, wanted {SHA256[name][:12]}): "
            "install streamanon again"
        )
    return where
