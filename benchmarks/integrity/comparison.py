"""A file and what became of it, both as the ffmpeg command decodes them."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamanon.errors import MediaError

_TICK = 90_000
_BLOCKS = (16, 9)
_LEVELS = 2.0
"""Largest difference of the median colour of a block, the 5 % that differ most left out."""

_FLAT = 2.0
"""Standard deviation, levels, below which a block has one colour: edges lose some in 4:2:0."""

_EVEN_S = 0.002
"""Differences of steps that are rounding. Frames of even steps need not be where the ffmpeg command
has them: it guesses where a file contradicts itself."""

_SLACK_S = 0.05
"""Sound may end a packet earlier or later: encoders fill the last one, and begin with silence."""


@dataclass(slots=True)
class Decoded:
    """What the ffmpeg command decodes of a file.

    Attributes:
        times_s: times of the frames, from the beginning of the file.
        sound_s: begin and end of each sound track.
        streams: entries of ffprobe, the video first.
        duration_s: duration of the file.
    """

    times_s: list[float]
    sound_s: list[tuple[float, float]]
    streams: list[dict[str, Any]]
    duration_s: float


def decode(path: Path) -> Decoded:
    """Return times of frames and sound of a file, and what ffprobe says of it."""
    listed = json.loads(
        _output(
            *("ffprobe", "-v", "error", "-count_packets", "-show_streams", "-show_format"),
            *("-of", "json", str(path)),
        )
    )
    streams = [one for one in listed["streams"] if one["codec_type"] == "video"][:1]
    streams += [one for one in listed["streams"] if one["codec_type"] == "audio"]
    lines = _output(
        *("ffmpeg", "-v", "error", "-i", str(path), "-map", "0:v:0", "-map", "0:a?"),
        *("-fps_mode", "passthrough", "-enc_time_base:v", f"1/{_TICK}", "-f", "framecrc", "-"),
    ).splitlines()
    bases: dict[int, Fraction] = {}
    pieces: dict[int, list[tuple[float, float]]] = {}
    for line in lines:
        if line.startswith("#tb"):
            number, base = line[3:].split(":")
            bases[int(number)] = Fraction(base.strip())
        elif not line.startswith("#"):
            number, _, at, length = (int(word) for word in line.split(",")[:4])
            start_s = float(at * bases[number])
            pieces.setdefault(number, []).append((start_s, start_s + float(length * bases[number])))
    start_s = min(one[0][0] for one in pieces.values())
    sound = [heard for number, heard in sorted(pieces.items()) if number]
    return Decoded(
        [at - start_s for at, _ in pieces.get(0, [])],
        [(heard[0][0] - start_s, heard[-1][1] - start_s) for heard in sound],
        streams,
        float(listed["format"].get("duration", 0)),
    )


def _blocks(path: Path, stream: dict[str, Any], frames: int) -> NDArray[np.float32]:
    """Return (n, 400, 3) red, green and blue, 0..255, of the blocks of a few frames of a file.

    Args:
        path: file to decode.
        stream: what ffprobe says of its video.
        frames: number of its frames.
    """
    rgb = stream["pix_fmt"].startswith(_RGB)
    wanted = sorted({0, frames // 3, frames // 2, frames - 1})
    chosen = "+".join(f"eq(n\\,{number})" for number in wanted)
    raw = _output(
        *("ffmpeg", "-v", "error", "-noautorotate", "-i", str(path), "-map", "0:v:0"),
        *("-fps_mode", "passthrough", "-vf", f"select={chosen},scale=320:180:flags=area"),
        *("-pix_fmt", "gbrp10le" if rgb else "yuv444p10le", "-f", "rawvideo", "-"),
        text=False,
    )
    columns, rows = _BLOCKS
    planes = np.frombuffer(raw, "<u2").reshape(-1, 3, rows, 20, columns, 20).astype(np.float32)
    first, second, third = planes.swapaxes(3, 4).reshape(-1, 3, rows * columns, 400).swapaxes(0, 1)
    if rgb:
        pixels = np.stack([third, first, second], -1) * (255 / 1023)
    else:
        pixels = _to_rgb(first, second, third, stream)
    return pixels.reshape(-1, 400, 3)


def _to_rgb(
    luma: NDArray[np.float32],
    blue: NDArray[np.float32],
    red: NDArray[np.float32],
    stream: dict[str, Any],
) -> NDArray[np.float32]:
    """Return red, green and blue, 0..255, of Y, Cb and Cr of 10 bits (ITU-T H.273, 8.3)."""
    kr, kb = _MATRICES.get(stream.get("color_space", ""), _MATRICES["bt470bg"])
    full = stream.get("color_range") == "pc" or stream["pix_fmt"].startswith("yuvj")
    offset, bright, colour = (0, 1023, 1023) if full else (64, 876, 896)
    y, cb, cr = (luma - offset) / bright, (blue - 512) / colour, (red - 512) / colour
    r, b = y + 2 * (1 - kr) * cr, y + 2 * (1 - kb) * cb
    g = (y - kr * r - kb * b) / (1 - kr - kb)
    return (np.clip(np.stack([r, g, b], -1), 0, 1) * 255).astype(np.float32)


_RGB = ("rgb", "bgr", "gbr", "argb", "abgr", "pal8", "0rgb", "0bgr")
_MATRICES = {
    "bt709": (0.2126, 0.0722),
    "bt470bg": (0.299, 0.114),
    "smpte170m": (0.299, 0.114),
    "smpte240m": (0.212, 0.087),
    "bt2020nc": (0.2627, 0.0593),
}
"""Kr and Kb by ffprobe's name; BT.601 where it is not known."""


def differences(
    before: Decoded, after: Decoded, *, frames: int | None, covered: int, allowed: int
) -> list[str]:
    """Return what is wrong with a file, a line each.

    Args:
        before: original.
        after: anonymised file.
        frames: frames that are to be there, if the ffmpeg command does not decode all.
        covered: frames that were covered whole.
        allowed: number of frames that may be covered whole.
    """
    wrong = []
    wanted = frames or len(before.times_s)
    if len(after.times_s) != wanted:
        wrong.append(f"{len(after.times_s)} frames, wanted {wanted}")
    if covered > allowed:
        wrong.append(f"{covered} frames covered whole")
    steps = np.diff(after.times_s)
    frame_s = float(np.median(np.diff(before.times_s))) if len(before.times_s) > 1 else 0.04
    if not (steps > 0).all():
        wrong.append("times do not rise")
    return wrong + _time_differences(before, after, frame_s) + _sound_differences(before, after)


def _time_differences(before: Decoded, after: Decoded, frame_s: float) -> list[str]:
    """Compare times, to within a frame."""
    wrong = []
    times = (np.array(before.times_s), np.array(after.times_s))
    even = np.ptp(np.diff(times[1])) < _EVEN_S
    if len(times[0]) == len(times[1]) and not (even and not before.sound_s):
        away_s = float(np.abs(times[0] - times[1]).max())
        if away_s > frame_s + 0.002:
            wrong.append(f"frames up to {away_s:.3f} s away from their time")
    ends_s = [one[-1] + frame_s for one in times]
    if abs(ends_s[0] - ends_s[1]) > frame_s + 0.002:
        wrong.append(f"pictures end at {ends_s[1]:.3f} s, wanted {ends_s[0]:.3f}")
    longest_s = max([float(ends_s[1]), *(end for _, end in after.sound_s)])
    if after.duration_s and abs(after.duration_s - longest_s) > 2 * frame_s + _SLACK_S:
        wrong.append(f"the file says {after.duration_s:.3f} s and plays {longest_s:.3f}")
    return wrong


def _sound_differences(before: Decoded, after: Decoded) -> list[str]:
    """Compare begin and end of each sound track."""
    if len(before.sound_s) != len(after.sound_s):
        return [f"{len(after.sound_s)} sound tracks, wanted {len(before.sound_s)}"]
    wrong = []
    for old, new in zip(before.streams[1:], after.streams[1:], strict=True):
        packets = [int(one["nb_read_packets"]) for one in (old, new)]
        if old["codec_name"] == new["codec_name"] and packets[0] != packets[1]:
            wrong.append(f"{packets[1]} packets of sound, wanted {packets[0]}")
    for wanted, found in zip(before.sound_s, after.sound_s, strict=True):
        if any(abs(a - b) > _SLACK_S for a, b in zip(wanted, found, strict=True)):
            places = [f"{start:.3f} to {end:.3f} s" for start, end in (found, wanted)]
            wrong.append(f"sound from {places[0]}, wanted {places[1]}")
    return wrong


_KEPT = ("color_space", "color_transfer", "color_primaries", "sample_aspect_ratio")


def tag_differences(before: Decoded, after: Decoded) -> list[str]:
    """Compare colour tags, pixel aspect and fields."""
    old, new = before.streams[0], after.streams[0]
    wrong = [
        f"{tag} is {new.get(tag)}, wanted {old[tag]}"
        for tag in _KEPT
        if old.get(tag, "unknown") not in ("unknown", "0:1", "gbr", new.get(tag))
    ]
    fields = [_shown_first(one) for one in (old, new)]
    if fields[0] and new["codec_name"] != "vp9" and fields[0] != fields[1]:
        wrong.append(f"fields are {new.get('field_order')}, wanted {old.get('field_order')}")
    return wrong


def _shown_first(stream: dict[str, Any]) -> str:
    order = str(stream.get("field_order", ""))
    return {"t": "top", "b": "bottom"}.get(order[:1], "") if len(order) == 2 else ""


def colour_difference(paths: Sequence[Path], pair: Sequence[Decoded]) -> list[str]:
    """Compare the median colours of blocks of a few frames of an original and its result."""
    frames = len(pair[0].times_s)
    blocks = [_blocks(path, one.streams[0], frames) for path, one in zip(paths, pair, strict=True)]
    if blocks[0].shape != blocks[1].shape:
        return [f"{len(blocks[1])} blocks to compare, wanted {len(blocks[0])}"]
    flat = blocks[0].std(1).max(1) < _FLAT
    if not flat.any():
        return ["no block of one colour to compare"]
    colours = [np.median(one[flat], 1) for one in blocks]
    away = float(np.percentile(np.abs(colours[0] - colours[1]).max(1), 95))
    return [f"colours {away:.1f} levels away"] if away > _LEVELS else []


def _output(*command: str, text: bool = True) -> Any:
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        raise MediaError(f"{command[0]} failed: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout.decode() if text else done.stdout


def complaints(lines: Sequence[str]) -> str:
    """Return what is wrong in one line."""
    return "; ".join(lines) or "as it went in"
