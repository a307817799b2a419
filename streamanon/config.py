"""Every setting and its default, once. The command line derives its flags from here.

Settings that make sense only for files, or only for live streams, say so (``only``).
"""

from __future__ import annotations

import re
import typing
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from fractions import Fraction
from functools import cache
from math import isnan
from pathlib import Path
from typing import Any

from streamanon.errors import UsageError

MAX_DELAY = 120
"""Frames a live stream may be held back."""

WORST_CRF = 63
"""Largest CRF of VP9 and AV1; H.264 and HEVC end at 51, and take more for that."""

_WANTED = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    Fraction: "seconds, or HOURS:MINUTES:SECONDS",
}
_FROM: dict[type, tuple[type, ...]] = {
    int: (str,),
    float: (str, int),
    Path: (str,),
    Fraction: (str, int, float),
}
"""Other types that a type of setting is converted from."""

_TIME = re.compile(r"(\d+:){0,2}\d+(\.\d+)?")

_WITH_FACES = ("anonygan", "warp")
"""Methods that give people other faces."""

KINDS = {"files": "files", "live": "live streams"}
"""What a setting can be limited to, and how to call it."""


def _option(default: Any, text: str, **extra: Any) -> Any:
    """Declare a setting with the help text the command line shows."""
    return field(default=default, metadata={"help": text, **extra})


@dataclass(frozen=True, slots=True)
class Config:
    """How to anonymise. Each field is a flag: ``min_face`` is ``streamanon run --min-face``.

    Values of other types are refused; :meth:`of` converts them.
    """

    method: str = _option(
        "anonygan",
        "How a face is hidden: anonygan puts a photograph of another person in its place, moving "
        "with the face, lit and completed by a network; warp does so without the network, in less "
        "time; mosaic, blur and solid hide it plainly.",
        choices=("anonygan", "warp", "mosaic", "blur", "solid"),
    )
    runtime: str = _option(
        "auto",
        "What runs the network of --method anonygan, and, on an NVIDIA GPU, those that find "
        "faces: auto tries what is installed and takes the fastest; one that is named is never "
        "replaced. openvino needs the extra of its name, tensorrt, torch-tensorrt and torch such a "
        "GPU and the extras of their names, cuda such a GPU and onnxruntime-gpu.",
        choices=(
            *("auto", "onnxruntime", "openvino"),
            *("cuda", "tensorrt", "torch-tensorrt", "torch"),
        ),
    )
    identity: str | None = _option(
        None,
        "Give everyone this one identity (see `streamanon identities`).",
        metavar="NAME",
        methods=_WITH_FACES,
    )
    identities: Path | None = _option(
        None,
        "Folder of your own portraits to choose identities from, instead of the built-in gallery.",
        metavar="DIR",
        methods=_WITH_FACES,
    )
    identity_key: Path | None = _option(
        None,
        "Secret file (16 bytes or more) by which people get the same new face in all files and "
        "streams, another with another key; what is needed to know them again is kept, encrypted, "
        "in FILE.people. Needs the extra sealed; see docs/sealed.md.",
        metavar="FILE",
        methods=_WITH_FACES,
    )
    seed: int = _option(0, "Another number gives people other identities.", metavar="N")
    min_face: int = _option(
        32,
        "Smallest face to look for, in pixels. Smaller finds more and is slower: below what one "
        "look at the whole frame can see, the frame is searched in tiles.",
        metavar="PX",
    )
    detector: str = _option(
        "yunet",
        "What finds faces. dlib and mediapipe need the extra of their name.",
        choices=("yunet", "dlib", "mediapipe"),
    )
    max_pixels: int | None = _option(
        None,
        "Largest picture to decode, in pixels: a file of a few kilobytes may ask for gigabytes of "
        "memory (default: 100 million for pictures, 8192 x 8192 for videos and streams).",
        metavar="N",
    )
    codec: str | None = _option(
        None,
        "Video encoder (default: h264 for mp4, mov and mkv, hevc above 8 bits; vp9 for webm, av1 "
        "above 8 bits).",
        metavar="NAME",
        only="files",
    )
    crf: int = _option(20, "Encoder quality: smaller is better and larger.", metavar="N")
    preset: str | None = _option(
        None,
        "Encoder speed, for x264 and x265 (default: veryfast; ultrafast for live streams).",
        metavar="NAME",
    )
    sound: str = _option(
        "copy",
        "What becomes of the sound: copy takes it as it is where the output's container can hold "
        "it and converts the rest, convert makes AAC of all (Opus in webm), none leaves it out.",
        choices=("copy", "convert", "none"),
        only="files",
    )
    keep_subtitles: bool = _option(
        False,
        "Keep subtitles, chapters, the timecode and data tracks, too. They may name people: left "
        "behind otherwise.",
        only="files",
    )
    from_: Fraction | None = _option(
        None,
        "Touch nothing before this time, in seconds or as HOURS:MINUTES:SECONDS: everyone can be "
        "seen there.",
        metavar="TIME",
        only="files",
    )
    to: Fraction | None = _option(
        None, "Touch nothing from this time on, in the same way.", metavar="TIME", only="files"
    )
    region: tuple[str, ...] = _option(
        (),
        "cover:X,Y,WIDTH,HEIGHT is always covered (a logo, a screen, a window); "
        "leave:X,Y,WIDTH,HEIGHT leaves faces that lie within it as they are. In pixels of the "
        "upright picture, or with %. May be given several times.",
        metavar="REGION",
        only="files",
    )
    keep_face: tuple[Path, ...] = _option(
        (),
        "Photograph of somebody who agreed to be seen: this person stays as they are wherever two "
        "recognisers are sure of it. May be given several times. Needs the extra dlib.",
        metavar="PHOTO",
        only="files",
    )
    boxes: Path | None = _option(
        None,
        "Write where faces were, with times, landmarks and what was done, to this JSON file, which "
        "only its owner may read.",
        metavar="FILE",
        only="files",
    )
    overwrite: bool = _option(False, "Replace an output or report that exists.")
    seal: tuple[str, ...] = _option(
        (),
        "Keep what is replaced, encrypted for this recipient, in a sidecar beside the output "
        "(OUTPUT.sealed; of a live stream, in the folder of record:): an age or SSH public key, or "
        "a file of them. Once for each. `streamanon reveal` restores it. Needs the extra sealed; "
        "see docs/sealed.md.",
        metavar="RECIPIENT",
    )
    seal_passphrase: Path | None = _option(
        None,
        "Also seal for those who know the passphrase in the first line of this file.",
        metavar="FILE",
    )
    threshold: int = _option(
        1, "How many recipients of --seal must come together to open it.", metavar="K"
    )
    lossless: bool = _option(False, "Keep the pixels of --seal exactly; takes much more space.")
    report: Path | None = _option(
        None, "Write what was done to every frame and face to this JSON file.", metavar="FILE"
    )
    stall_s: float = _option(
        60.0,
        "Give up when a stage makes no progress for this long. A live line is built again instead, "
        "after 5 at the latest.",
        metavar="SECONDS",
    )
    record_mode: str = _option(
        "600",
        "Permissions of the files that record: writes, as of chmod.",
        metavar="MODE",
        only="live",
    )
    delay: int = _option(
        0,
        "Frames a live stream is held back, so that a face that is found late is covered in the "
        "frames before, too.",
        metavar="N",
        only="live",
    )
    prefer: str = _option(
        "face",
        "What a live stream keeps when there is too much to do: face takes fewer frames a second "
        "(30, 20, 15) before the method gets cheaper, and shows a mosaic last; rate takes every "
        "frame and goes down to cheaper methods and a mosaic.",
        choices=("face", "rate"),
        only="live",
    )
    transport: str = _option(
        "tcp",
        "How an RTSP input comes: udp has less delay where no packet is ever lost.",
        choices=("tcp", "udp"),
        only="live",
    )
    wait: bool = _option(
        False,
        "Keep trying when the input cannot be opened at the start, instead of giving up. One that "
        "was open once is always waited for.",
        only="live",
    )

    def __new__(cls, *_: Any, **settings: Any) -> Config:
        """Refuse settings there are not, which ``__init__`` would do less clearly."""
        check_names(settings, tuple(cls.__dataclass_fields__), "setting")
        return object.__new__(cls)

    def __post_init__(self) -> None:
        for setting in fields(self):
            value = getattr(self, setting.name)
            if setting_value(setting.name, value) != value:
                raise _refusal(setting.name, value)
        if self.min_face < 8:
            raise UsageError(f"min-face is {self.min_face} px: nothing sees below 8, use 8 or more")
        if self.max_pixels is not None and self.max_pixels < 1:
            raise UsageError(f"max-pixels is {self.max_pixels}: wanted 1 or more")
        if not re.fullmatch("[0-7]{3}", self.record_mode):
            raise UsageError(f"record-mode is {self.record_mode!r}: wanted three digits, 640 say")
        start_s = self.from_ or Fraction(0)
        if self.to is not None and start_s >= self.to:
            raise UsageError(
                f"from is {float(start_s)} s and to {float(self.to)} s: --to must be later"
            )
        if self.stall_s <= 0:
            raise UsageError(f"stall-s is {self.stall_s}: it must be more than 0 seconds")
        if self.identity and self.identity_key:
            raise UsageError("--identity gives everyone one face, --identity-key each their own")
        self._check_seal()
        self._check_ranges()

    def _check_ranges(self) -> None:
        if not 0 <= self.crf <= WORST_CRF:
            raise UsageError(f"crf is {self.crf}: wanted 0 (best) to {WORST_CRF}; 20 looks good")
        if not 0 <= self.delay <= MAX_DELAY:
            raise UsageError(f"delay is {self.delay} frames: wanted 0 to {MAX_DELAY}")

    def _check_seal(self) -> None:
        if not (self.seal or self.seal_passphrase) and (self.lossless or self.threshold != 1):
            given = "lossless" if self.lossless else "threshold"
            raise UsageError(f"--{given} is about what --seal keeps: name a recipient with it")
        if self.threshold < 1:
            raise UsageError(f"threshold is {self.threshold}: wanted 1 to the number of recipients")

    @classmethod
    def of(cls, **values: Any) -> Config:
        """Return settings from values of a command line, TOML or JSON, which may be text."""
        check_names(values, tuple(cls.__dataclass_fields__), "setting")
        return cls(**{name: setting_value(name, value) for name, value in values.items()})

    @property
    def file_preset(self) -> str:
        """Encoder speed for files."""
        return self.preset or "veryfast"

    @property
    def live_preset(self) -> str:
        """Encoder speed for live streams; 720p takes 3 ms a frame, veryfast would take 8."""
        return self.preset or "ultrafast"

    def check(self, kind: str, *, switchable: bool = False) -> None:
        """Refuse settings that have no meaning for a run.

        Args:
            kind: "files" or "live".
            switchable: whether the method may change while it runs.

        Raises:
            UsageError: one was given that is for the other kind, or for other methods only.
        """
        for setting in fields(self):
            if getattr(self, setting.name) == setting.default:
                continue
            only = setting.metadata.get("only", kind)
            if only != kind:
                raise UsageError(f"{flag(setting.name)} is for {KINDS[only]} only: leave it out")
            methods = setting.metadata.get("methods")
            if methods and self.method not in methods and not switchable:
                raise UsageError(
                    f"{flag(setting.name)} is for the methods {' and '.join(methods)}, and this "
                    f"is {self.method}: leave it out"
                )


def check_names(names: Iterable[str], known: Sequence[str], noun: str) -> None:
    """Refuse names that are not known.

    Raises:
        UsageError: one is not; the message says which is nearest.
    """
    for name in names:
        if name not in known:
            close = get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
            raise UsageError(f"unknown {noun} {name!r}: {hint}")


def flag(name: str) -> str:
    """Return the flag of a setting: ``--min-face`` for ``min_face``."""
    return f"--{name.rstrip('_').replace('_', '-')}"


@cache
def is_several(name: str) -> bool:
    """Tell whether a setting has any number of values."""
    return isinstance(Config.__dataclass_fields__[name].default, tuple)


@cache
def setting_type(name: str) -> type:
    """Return the type of a setting, or of each of its values, without the None of an optional."""
    hint = typing.get_type_hints(Config)[name]
    found: type = next(one for one in (*typing.get_args(hint), hint) if one is not type(None))
    return found


def setting_choices(name: str) -> tuple[str, ...]:
    """Return the values a setting can have, or () when they are not listed."""
    choices: tuple[str, ...] = Config.__dataclass_fields__[name].metadata.get("choices", ())
    return choices


def setting_value(name: str, value: Any) -> Any:
    """Return a value in the type of its setting.

    Args:
        name: field of :class:`Config`.
        value: text of a command line, or value of TOML, JSON or Python; of a setting of several
            texts, one or a list.

    Raises:
        UsageError: the setting cannot have this value.
    """
    if is_several(name):
        several = (value,) if isinstance(value, str) else value
        if not isinstance(several, list | tuple):
            raise UsageError(f"{flag(name)[2:]} is {value!r}: wanted a text, or several")
        return tuple(_one_value(name, one) for one in several)
    return _one_value(name, value)


def _one_value(name: str, value: Any) -> Any:
    kind, choices = setting_type(name), setting_choices(name)
    if choices and value not in choices:
        raise UsageError(f"unknown {name} {value!r}: wanted {', '.join(choices)}")
    if value is None and Config.__dataclass_fields__[name].default is None:
        return None
    taken = (kind, *_FROM.get(kind, ()))
    if isinstance(value, bool) == (kind is bool) and isinstance(value, taken):
        with suppress(ValueError, OverflowError):
            converted = _seconds(value) if kind is Fraction else kind(value)
            if kind is not float or not isnan(converted):
                return converted
    raise _refusal(name, value)


def _refusal(name: str, value: Any) -> UsageError:
    wanted = _WANTED.get(setting_type(name), "a text")
    return UsageError(f"{flag(name)[2:]} is {value!r}: wanted {wanted}")


def _seconds(value: Any) -> Fraction:
    """Return a time of "12.5", "1:30" or "1:02:03.5", exactly as it is written.

    Raises:
        ValueError: it is not a time.
    """
    if not isinstance(value, str):
        return Fraction(str(value))
    if not _TIME.fullmatch(value):
        raise ValueError(value)
    seconds = Fraction(0)
    for part in value.split(":"):
        seconds = 60 * seconds + Fraction(part)
    return seconds
