"""Converts decoded pictures of any pixel format to planes of Y, U and V."""

from fractions import Fraction
from typing import cast

import numpy as np
from av.buffer import Buffer
from av.sidedata.sidedata import SideDataContainer, Type
from av.video.format import VideoFormat
from av.video.frame import PictureType, VideoFrame

from streamanon.types import ColourSpace, Matrix, Plane

_MATRICES: dict[int, Matrix] = {
    1: "bt709",
    4: "bt601",  # FCC, within rounding of it
    5: "bt601",
    6: "bt601",
    7: "bt709",  # SMPTE 240M, within rounding of it
    9: "bt2020",
    10: "bt2020",
}
"""MatrixCoefficients of ITU-T H.273 (table 4)."""

_NO_MATRIX, _BT709, _BT601 = 2, 1, 5
_STUDIO, _FULL = 1, 2
_HD_LINES = 720
"""From this height on, players take untagged video for BT.709, and below it for BT.601."""


def is_rgb(layout: VideoFormat) -> bool:
    """Return whether a pixel format has no luma."""
    return layout.is_rgb or layout.has_palette


def _is_grey(layout: VideoFormat) -> bool:
    return not is_rgb(layout) and len(layout.components) < 3


def planar_name(layout: VideoFormat) -> str:
    """Return the planar YUV format that holds a pixel format with the least loss."""
    bits = max(component.bits for component in layout.components)
    depth = "" if bits <= 8 else "10le" if bits <= 10 else "12le"
    if is_rgb(layout):
        return f"yuv444p{depth}"
    if _is_grey(layout):
        return f"yuv420p{depth}"
    if layout.chroma_width(16) == 16:
        return f"yuv444p{depth}"
    return f"yuv{'422' if layout.chroma_height(16) == 16 else '420'}p{depth}"


def _depth(name: str) -> int:
    """Return the bits per sample of a planar YUV format."""
    return int(name[-4:-2]) if name.endswith("le") else 8


def matrix_code(frame: VideoFrame) -> int:
    """Return the H.273 matrix code to write; for RGB the one its planes are converted with."""
    if is_rgb(frame.format):
        return _BT709 if frame.height >= _HD_LINES else _BT601
    return int(frame.colorspace)


def range_code(frame: VideoFrame) -> int:
    """Return the range: 0 unknown, 1 studio, 2 full. The yuvj formats are full range."""
    if is_rgb(frame.format):
        return _STUDIO
    return _FULL if frame.format.name.startswith("yuvj") else int(frame.color_range)


def colour_space(frame: VideoFrame) -> ColourSpace:
    """Return the colour space of a frame; missing tags are guessed as players do."""
    name = planar_name(frame.format)
    guess: Matrix = "bt709" if frame.height >= _HD_LINES else "bt601"
    return ColourSpace(
        matrix=_MATRICES.get(matrix_code(frame), guess),
        full_range=range_code(frame) == _FULL,
        depth=_depth(name),
        chroma_shift={"420": (1, 1), "422": (1, 0), "444": (0, 0)}[name[3:6]],
    )


def _of_a_later_kind(cls: type[Type], value: int) -> Type:
    """Return a kind of side data that FFmpeg knows and PyAV does not (EXIF, views of 3D video).

    One such entry would keep all others of its frame from being read.
    """
    kind = object.__new__(cls)
    kind._name_, kind._value_ = f"KIND_{value}", value  # type: ignore[assignment]
    return kind


Type._missing_ = classmethod(_of_a_later_kind)  # type: ignore[assignment,method-assign]


def display_matrix(frame: VideoFrame) -> tuple[int, ...] | None:
    """Return the nine numbers of a frame's display matrix, or None without one."""
    return _side_data(frame, "DISPLAYMATRIX")


def _side_data(frame: VideoFrame, name: str) -> tuple[int, ...] | None:
    """Return the 32 bit numbers of a frame's side data, or None without it.

    ``frame.side_data`` is not used because it puts the frame into a reference cycle, which Python's
    garbage collector frees later and later: streams kept hundreds of pictures that way.
    """
    held = SideDataContainer(frame)  # type: ignore[call-arg]  # missing in its stub
    stored = cast("Buffer | None", held.get(name))
    return None if stored is None else tuple(memoryview(stored).cast("i").tolist())


_FIELD_ORDERS = {2: "tt", 3: "bb", 4: "tt", 5: "bb"}
"""By FFmpeg's AVFieldOrder. 4 and 5 are fields coded as one picture whose first line is the earlier
or the later one (QuickTime's field details 9 and 14), other than their names say."""


def bidirectional(frame: VideoFrame) -> bool | None:
    """Return whether a frame was predicted from later ones, too; None for neither, or unknown."""
    kinds: dict[int, bool] = {PictureType.P: False, PictureType.B: True}
    return kinds.get(int(frame.pict_type))


def field_order(frame: VideoFrame, order: int) -> str:
    """Return "tt" or "bb" by the field of an interlaced stream that is shown first, else "".

    It is read off its first picture and FFmpeg's code for the order of its fields.
    """
    return _FIELD_ORDERS.get(order, "tt" if frame.interlaced_frame else "")


def mastering_display(frame: VideoFrame) -> tuple[int, ...] | None:
    """Return the display a film was graded on, as :class:`ContainerTags` has it, or None.

    FFmpeg's AVMasteringDisplayMetadata: x and y of red, green, blue and white, then the lowest and
    highest luminance, each a numerator and a denominator; then whether colours and luminance are
    known.
    """
    stored = _side_data(frame, "MASTERING_DISPLAY_METADATA")
    if stored is None:
        return None
    *parts, has_colours, has_luminance = stored
    if not (has_colours and has_luminance) or not all(parts[1::2]):
        return None
    values = [Fraction(*pair) for pair in zip(parts[::2], parts[1::2], strict=True)]
    red, green, blue, white = (values[at : at + 2] for at in range(0, 8, 2))
    points = [round(value * 50_000) for value in (*green, *blue, *red, *white)]
    return (*points, round(values[9] * 10_000), round(values[8] * 10_000))


def light_levels(frame: VideoFrame) -> tuple[int, int] | None:
    """Return MaxCLL and MaxFALL in cd/m2, or None without them."""
    stored = _side_data(frame, "CONTENT_LIGHT_LEVEL")
    return None if stored is None else (stored[0], stored[1])


def spherical(frame: VideoFrame) -> tuple[int, ...] | None:
    """Return the projection of 360 degree video, as :class:`ContainerTags` has it, or None."""
    stored = _side_data(frame, "SPHERICAL")
    return None if stored is None else (*stored[:4], *(part % 2**32 for part in stored[4:9]))


def stereo(frame: VideoFrame) -> int | None:
    """Return how two views are packed into a picture, FFmpeg's AVStereo3DType, or None."""
    stored = _side_data(frame, "STEREO3D")
    return None if stored is None else stored[0]


def planes_of(frame: VideoFrame, name: str) -> tuple[Plane, ...]:
    """Return copies of the Y, U, V planes of a frame, as uint8 or uint16."""
    found = frame.format.name
    if found.replace("yuvj", "yuv").replace("yuva", "yuv") == name:
        return tuple(_copy(frame, index) for index in range(3))
    if _is_grey(frame.format) and name.startswith("yuv420p"):
        return _colourless(frame, name)
    if is_rgb(frame.format):
        colours = {"dst_colorspace": matrix_code(frame), "dst_color_range": range_code(frame)}
        converted = frame.reformat(format=name, **colours)
    else:  # only samples are moved, and FFmpeg refuses some matrices
        stated, frame.colorspace = frame.colorspace, _NO_MATRIX
        converted = frame.reformat(format=name)
        frame.colorspace = stated
    return tuple(_copy(converted, index) for index in range(3))


def _colourless(frame: VideoFrame, name: str) -> tuple[Plane, ...]:
    """Return the exact luma of a grey picture, and neutral chroma planes."""
    grey = name.replace("yuv420p", "gray")
    luma = _copy(frame if frame.format.name == grey else frame.reformat(format=grey), 0)
    shape = (-(-luma.shape[0] // 2), -(-luma.shape[1] // 2))
    middle = np.full(shape, 1 << (_depth(name) - 1), luma.dtype)
    return luma, middle, middle.copy()


def _copy(frame: VideoFrame, index: int) -> Plane:
    """Return a copy of one plane without the padding of its lines."""
    plane = frame.planes[index]
    dtype = np.dtype(np.uint8 if frame.format.components[index].bits <= 8 else "<u2")
    step = abs(plane.line_size)
    view: Plane = np.ndarray(
        (plane.height, plane.width), dtype, buffer=memoryview(plane), strides=(step, dtype.itemsize)
    )
    return view[::-1].copy() if plane.line_size < 0 else view.copy()
