"""What this machine can do, why not more, and a test that anonymises one picture."""

from __future__ import annotations

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
from streamanon.backends.choice import cores
from streamanon.backends.cuda import device
from streamanon.backends.tensorrt_runtime import about
from streamanon.config import Config
from streamanon.errors import ModelError, StreamanonError
from streamanon.extras import install_hint
from streamanon.factory import Factory
from streamanon.imaging.picture import as_picture, whole_bgr
from streamanon.pipeline.document import versions
from streamanon.safety.compose import compose
from streamanon.types import Frame, Treatment

ENCODERS = {
    "libx264": "h264 for mp4, mov and mkv",
    "libx265": "h265 for mp4, mov and mkv",
    "libvpx-vp9": "vp9 for webm",
    "h264_nvenc": "h264 on an NVIDIA card",
}
EXTRAS = {
    "dlib": "--detector dlib",
    "mediapipe": "--detector mediapipe",
    "openvino": "a faster --method anonygan on many processors",
}
"""What extras are for; each is called as the module it installs."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        level: "ok", "no" for something optional that is missing, "bad" for what stops the work.
        topic: what was looked at.
        text: what was found, and what to do about it.
    """

    level: Literal["ok", "no", "bad"]
    topic: str
    text: str


def examine() -> list[Finding]:
    """Look at everything, cheap things first."""
    return [
        *_machine(),
        *_card(),
        *_encoders(),
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
        Finding("ok", "cpu", cv2.getCPUFeaturesLine()),
    ]


def _card() -> list[Finding]:
    """Look for an NVIDIA card, and for what runs networks on it."""
    found = []
    for topic, look in (("NVIDIA card", device), ("TensorRT", about)):
        try:
            found.append(Finding("ok", topic, str(look())))
        except ModelError as error:
            found.append(Finding("no", topic, str(error)))
    return found


def _encoders() -> list[Finding]:
    return [_encoder(name, use) for name, use in ENCODERS.items()]


def _encoder(name: str, use: str) -> Finding:
    try:
        codec = cast("av.VideoCodecContext", av.CodecContext.create(name, "w"))
        codec.width = codec.height = 256
        codec.pix_fmt, codec.time_base = "yuv420p", Fraction(1, 25)
        codec.options = {"x265-params": "log-level=none"} if name == "libx265" else {}
        codec.encode(av.VideoFrame(256, 256, "yuv420p"))
        codec.encode(None)
    except (av.FFmpegError, ValueError, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return Finding("no", f"encoder {name}", f"not usable for {use}: {reason}")
    return Finding("ok", f"encoder {name}", use)


def _extras() -> list[Finding]:
    return [
        Finding("ok", f"extra {name}", f"installed: {use}")
        if find_spec(name)
        else Finding("no", f"extra {name}", f"not installed: {install_hint(name)}")
        for name, use in EXTRAS.items()
    ]


def _models() -> Finding:
    try:
        names = [weights.path(name).name for name in weights.SHA256]
    except ModelError as error:
        return Finding("bad", "models", str(error))
    return Finding("ok", "models", f"all there and unchanged: {', '.join(sorted(names))}")


def _runtime() -> Finding:
    """Try the runtimes on the network that paints faces."""
    factory = Factory(Config(method="anonygan"))
    try:
        factory.anonymiser()
    except StreamanonError as error:
        return Finding("bad", "runtime of anonygan", str(error))
    return Finding("ok", "runtime of anonygan", factory.runtimes["anonygan.onnx"])


def _self_test() -> Finding:
    """Put a face of the gallery into a picture and see whether it comes out replaced."""
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
