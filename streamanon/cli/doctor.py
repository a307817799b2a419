"""What this machine can do, why not more, and a test that anonymises one picture."""

import platform
import time
from dataclasses import dataclass
from fractions import Fraction
from importlib.util import find_spec
from typing import Literal, cast

import av
import cv2
import numpy as np

from streamanon import weights
from streamanon.backends import memory
from streamanon.backends.choice import cores, has_gpu
from streamanon.backends.cuda import device
from streamanon.backends.tensorrt_runtime import about
from streamanon.config import Config
from streamanon.errors import ModelError, StreamanonError, system_reason
from streamanon.extras import install_hint
from streamanon.factory import Factory
from streamanon.imaging.picture import as_picture, whole_bgr
from streamanon.pipeline.document import versions
from streamanon.safety.compose import compose
from streamanon.types import Frame, Treatment

NEEDED = "libx264"
"""Encoder that files and live outputs are written with unless another is asked for."""

ENCODERS = {
    NEEDED: "h264 for mp4, mov and mkv",
    "libx265": "h265 for mp4, mov and mkv",
    "libvpx-vp9": "vp9 for webm",
}
GPU_ENCODERS = {"h264_nvenc": "h264 on the GPU"}
EXTRAS = {
    "dlib": ("dlib", "--detector dlib"),
    "mediapipe": ("mediapipe", "--detector mediapipe"),
    "openvino": ("openvino", "another runtime of --method anonygan, used where it is faster"),
    "web": ("aiortc", "--serve, the page that shows live streams"),
}
"""For each extra a module that it installs, and what it is for."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Result of one examination.

    Attributes:
        level: "ok", "optional" when something is missing that is not needed, or "bad" when faces
            cannot be anonymised.
        topic: what was examined.
        text: result, and what to do about it.
    """

    level: Literal["ok", "optional", "bad"]
    topic: str
    text: str


def examine() -> list[Finding]:
    """Examine everything, cheap things first."""
    return [
        *_machine(),
        *_gpu(),
        *(_encoder(name, use) for name, use in ENCODERS.items()),
        *_extras(),
        _models(),
        _runtime(),
        _self_test(),
    ]


def _machine() -> list[Finding]:
    packages = ", ".join(f"{name} {version}" for name, version in versions().items())
    return [
        Finding("ok", "versions", packages),
        Finding("ok", "machine", f"{platform.platform()}, {cores()} cores"),
        Finding("ok", "cpu", f"instruction sets {_instruction_sets()}"),
    ]


def _instruction_sets() -> str:
    """Return what OpenCV uses; it marks sets it chooses at run time (*) or cannot use (?)."""
    sets = cv2.getCPUFeaturesLine().split()
    return ", ".join(one.strip("*") for one in sets if not one.endswith("?"))


def _gpu() -> list[Finding]:
    """Examine the NVIDIA GPU, and what runs networks and encoders on it."""
    if not has_gpu():
        why = "no driver found, not needed: the networks run on the CPU"
        return [Finding("optional", "NVIDIA GPU", why)]
    found = []
    for topic, look in (("NVIDIA GPU", device), ("TensorRT", about)):
        try:
            found.append(Finding("ok", topic, str(look())))
        except ModelError as error:
            found.append(Finding("optional", topic, str(error)))
    return [*found, *(_encoder(name, use) for name, use in GPU_ENCODERS.items())]


def _encoder(name: str, use: str) -> Finding:
    try:
        codec = cast("av.VideoCodecContext", av.CodecContext.create(name, "w"))
        codec.width = codec.height = 256
        codec.pix_fmt, codec.time_base = "yuv420p", Fraction(1, 25)
        codec.options = {"x265-params": "log-level=none"} if name == "libx265" else {}
        codec.encode(av.VideoFrame(256, 256, "yuv420p"))
        codec.encode(None)
    except (av.FFmpegError, ValueError, OSError) as error:
        level: Literal["optional", "bad"] = "bad" if name == NEEDED else "optional"
        return Finding(level, f"encoder {name}", f"not usable for {use}: {system_reason(error)}")
    return Finding("ok", f"encoder {name}", use)


def _extras() -> list[Finding]:
    return [
        Finding("ok", f"extra {name}", f"installed: {use}")
        if find_spec(module)
        else Finding("optional", f"extra {name}", f"for {use}: {install_hint(name)}")
        for name, (module, use) in EXTRAS.items()
    ]


def _models() -> Finding:
    try:
        names = [weights.path(name).name for name in weights.SHA256]
    except ModelError as error:
        return Finding("bad", "models", str(error))
    return Finding("ok", "models", f"complete and unchanged: {', '.join(sorted(names))}")


def _runtime() -> Finding:
    """Try the runtimes on the network that generates faces, and remember the fastest."""
    memory.forget()
    factory = Factory(Config(method="anonygan"))
    try:
        factory.anonymiser()
    except StreamanonError as error:
        return Finding("bad", "runtime of anonygan", str(error))
    return Finding("ok", "runtime of anonygan", factory.runtimes["anonygan.onnx"])


def _self_test() -> Finding:
    """Anonymise a portrait of the gallery and check that its face was replaced."""
    factory = Factory(Config())
    try:
        start = time.monotonic()
        portrait = factory.gallery[0].portrait
        frame = Frame(0, as_picture(portrait), 0, Fraction(1, 25))
        anonymiser = factory.anonymiser()
        observer = factory.observer(anonymiser)
        scenes = observer.push(frame) + observer.flush()
        loaded_s = time.monotonic() - start
        start = time.monotonic()
        safe = compose(scenes[0], anonymiser.replace(scenes[0]))
        took_ms = (time.monotonic() - start) * 1000
    except StreamanonError as error:
        return Finding("bad", "self test", str(error))
    treatments = [treated.treatment for treated in safe.treated]
    if treatments != [Treatment.REPLACED]:
        return Finding("bad", "self test", f"a face of the gallery was not replaced: {treatments}")
    changed = np.abs(whole_bgr(safe.picture).astype(int) - portrait).max(axis=2) > 16
    return Finding(
        "ok",
        "self test",
        f"loaded and found a face in {loaded_s:.1f} s, replaced it in {took_ms:.0f} ms, "
        f"{changed.mean():.0%} of the picture changed",
    )
