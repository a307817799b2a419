"""The data types of streamanon.

Conventions, stated once:

* Images are (height, width, channels), BGR, uint8, display-referred (gamma-encoded) values.
* Points are (x, y) in pixels of the upright frame; the centre of the top left pixel is (0, 0).
* Boxes are (x0, y0, x1, y1) float32 in the same pixels; x1, y1 are exclusive edges.
* "Left" and "right" of a face are the subject's own, as in MediaPipe and iBUG.
* Time is ``pts * time_base`` in seconds; durations carry ``_s`` in their name.
* Frames are upright: a source undoes the rotation of the file, a sink puts it back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

U8: TypeAlias = NDArray[np.uint8]
F32: TypeAlias = NDArray[np.float32]
Plane: TypeAlias = NDArray[np.uint8] | NDArray[np.uint16]
Matrix: TypeAlias = Literal["rgb", "bt601", "bt709", "bt2020"]

FULL_QUALITY = "full"
"""The quality level of a live stream at which nothing is stepped down."""

SPARING, MOSAIC = "sparing", "mosaic"
"""Quality levels at which the network is asked less often, and at which no face is shown."""

MESH_POINTS = 478
"""Points of the MediaPipe face mesh: 468 on the skin, then 5 of each iris."""


OCCLUSION_CLASSES = ("skin", "hair", "glasses", "hand", "thing", "outside")
"""What a pixel of or around a face can be; "skin" is all of the face, "outside" what is behind."""


@dataclass(frozen=True, slots=True)
class ColourSpace:
    """Colour encoding of a picture's planes.

    Attributes:
        matrix: luma coefficients, or "rgb" for planes that hold B, G, R directly.
        full_range: True for 0..2^depth-1, False for studio range (16..235 at 8 bits).
        depth: bits a sample; planes are uint8 at 8 and uint16 above.
        chroma_shift: (x, y) log2 of the chroma subsampling; (1, 1) is 4:2:0.
        profile: ICC profile of planes that hold B, G, R of other colours than sRGB; else b"".
    """

    matrix: Matrix
    full_range: bool = False
    depth: int = 8
    chroma_shift: tuple[int, int] = (1, 1)
    profile: bytes = b""


@dataclass(frozen=True, slots=True)
class Picture:
    """The pixels of one frame, in the codec's own planes, so that untouched pixels stay exact.

    Attributes:
        planes: Y, U, V (or B, G, R), each (rows, columns). No alpha: it could show a face.
        colour: colour encoding of the planes.
        wraps: whether the right edge continues at the left one: a whole panorama.
    """

    planes: tuple[Plane, ...]
    colour: ColourSpace
    wraps: bool = False

    def __post_init__(self) -> None:
        if len(self.planes) != 3:
            raise ValueError(f"a picture has 3 planes, got {len(self.planes)}")
        dtype = np.uint8 if self.colour.depth == 8 else np.uint16
        if any(plane.dtype != dtype or plane.ndim != 2 for plane in self.planes):
            raise ValueError(f"planes of a {self.colour.depth} bit picture must be 2-d {dtype}")

    @property
    def width(self) -> int:
        """Width in pixels."""
        return int(self.planes[0].shape[1])

    @property
    def height(self) -> int:
        """Height in pixels."""
        return int(self.planes[0].shape[0])


@dataclass(frozen=True, slots=True)
class ContainerTags:
    """Properties of a video file that a sink copies. Colour tags are H.273 codes.

    Attributes:
        track: index of the video track.
        pixel_format: FFmpeg's name of the pixel format, "yuv420p10le" for example.
        display_matrix: FFmpeg's display matrix, 9 fixed-point numbers; None when there is none.
        sample_aspect: width over height of a stored pixel, or None when unknown.
        primaries: colour primaries.
        transfer: transfer characteristics.
        matrix: luma coefficients.
        colour_range: FFmpeg's code: 0 unknown, 1 studio, 2 full.
        field_order: "tt" when interlaced and the top field is shown first, "bb" when the bottom
            field is, "" when progressive.
        mastering_display: x and y of the green, blue and red primaries and of white in units of
            0.00002, then the highest and lowest luminance in 0.0001 cd/m2 (ITU-T H.265, D.3.28);
            None when unknown.
        light_levels: highest light level of a pixel and of the mean of a frame, cd/m2; or None.
        spherical: projection of 360 degree video, FFmpeg's AVSphericalMapping: kind, yaw, pitch,
            roll (16.16 degrees), left, top, right, bottom (0.32 of the size), padding; or None.
        stereo: FFmpeg's AVStereo3DType, or None.
    """

    track: int
    pixel_format: str
    display_matrix: tuple[int, ...] | None = None
    sample_aspect: Fraction | None = None
    primaries: int = 2
    transfer: int = 2
    matrix: int = 2
    colour_range: int = 0
    field_order: str = ""
    mastering_display: tuple[int, ...] | None = None
    light_levels: tuple[int, int] | None = None
    spherical: tuple[int, ...] | None = None
    stereo: int | None = None

    @property
    def wraps(self) -> bool:
        """Whether the right edge of the picture continues at the left one: a whole panorama."""
        return self.spherical is not None and not self.spherical[0] and self.stereo != 1


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """Properties of a stream, known before its first frame.

    Attributes:
        name: name in messages.
        width: upright width in pixels.
        height: upright height in pixels.
        colour: colour encoding of all pictures.
        time_base: seconds per tick of ``Frame.pts``.
        rate: average frames per second (30 when the stream does not tell).
        frame_count: frames expected, or None when unknown.
        live: True when frames arrive in real time and are lost if not taken.
        piped: True when it is read while it is written: it may never end.
        path: file the stream is read from, or None.
        container: properties of a video file that a sink copies; None for other streams.
        loop: times an animation is shown, 0 for again and again.
        changes: what the source converted or left behind, a line for each.
    """

    name: str
    width: int
    height: int
    colour: ColourSpace
    time_base: Fraction
    rate: Fraction
    frame_count: int | None = None
    live: bool = False
    piped: bool = False
    path: Path | None = None
    container: ContainerTags | None = None
    loop: int = 0
    changes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to show something as it is, because the user said so.

    Only :mod:`streamanon.safety.permits` makes one.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Frame:
    """One raw frame. It may show faces, so only the pipeline may hold it.

    Attributes:
        index: 0 for the first frame of the stream.
        picture: raw pixels.
        pts: presentation time in ticks of time_base.
        time_base: seconds per tick.
        damaged: True when the decoder reported errors in the pixels.
        duration: how long it is shown, in ticks; None for until the next one.
        cut: True when it does not follow the frame before in time, as a page of a document.
        permit: leave to show the whole frame as it is, or None.
        bidirectional: whether its file predicts it from later frames, too; None for neither, or
            unknown.
    """

    index: int
    picture: Picture
    pts: int
    time_base: Fraction
    damaged: bool = False
    duration: int | None = None
    cut: bool = False
    permit: Permit | None = None
    bidirectional: bool | None = None

    @property
    def time_s(self) -> float:
        """Presentation time in seconds."""
        return self.pts * self.time_base.numerator / self.time_base.denominator


@dataclass(frozen=True, slots=True)
class Mesh:
    """MediaPipe's face mesh.

    Attributes:
        points: (478, 3) float32; x, y in frame px, z in px towards the camera negative.
        presence: probability that the crop shows a face, 0..1.
        blendshapes: (52,) float32 in 0..1 in MediaPipe's order, or None when not requested.
    """

    points: F32
    presence: float
    blendshapes: F32 | None = None

    def __post_init__(self) -> None:
        if self.points.shape != (MESH_POINTS, 3):
            raise ValueError(f"a mesh has ({MESH_POINTS}, 3) points, got {self.points.shape}")


@dataclass(frozen=True, slots=True)
class Face:
    """One face seen in one frame.

    Attributes:
        box: (4,) float32, x0 y0 x1 y1 in px; may reach beyond the frame.
        score: the detector's confidence, 0..1.
        points: (5, 2) float32: right eye, left eye, nose tip, right and left mouth corner; or None.
        mesh: dense geometry, or None when it was not fitted or not accepted.
        landmarks68: (68, 2) float32 in iBUG order where the detector returns them; or None.
    """

    box: F32
    score: float
    points: F32 | None = None
    mesh: Mesh | None = None
    landmarks68: F32 | None = None

    def __post_init__(self) -> None:
        if self.box.shape != (4,):
            raise ValueError(f"a box has 4 numbers, got shape {self.box.shape}")


@dataclass(frozen=True, slots=True)
class Track:
    """A face followed over time, as it is in one frame.

    Attributes:
        id: number that is never reused within a run.
        face: smoothed geometry; ``face.mesh`` is None while the face is only predicted.
        cover: (4,) float32 box that certainly hides the face: union of detection and prediction,
            enlarged with speed and with the time since the face was last seen.
        unseen_s: seconds since the last observation; 0 when observed in this frame.
    """

    id: int
    face: Face
    cover: F32
    unseen_s: float = 0.0


@dataclass(frozen=True, slots=True)
class MouthInside:
    """What somebody shows between their lips.

    Attributes:
        upper: how far the upper teeth reach down from their lip, in mouth widths.
        lower: how far the lower teeth reach up from their lip, in mouth widths.
        tongue: how much there is of the tongue instead of the dark, 0..1.
        light: light of the teeth, in that of the skin around the mouth; 1.2 where it is even.
        teeth_bgr: (3,) float32 colour of the teeth in the frame; None where none were seen.
    """

    upper: float
    lower: float
    tongue: float
    light: float
    teeth_bgr: F32 | None = None


@dataclass(frozen=True)
class Identity:
    """A condition identity: the person by whom a face is replaced.

    Attributes:
        name: name, unique within its gallery.
        load: returns the portrait; called at most once.
        mesh: mesh of the face, in portrait px.
        skin_lab: (3,) float32 mean CIELAB of the cheeks (L 0..100, a, b).
        embedding: (128,) float32 unit vector of the face recogniser.
        p_female: probability that the portrait looks female, 0..1, with its hair and without.
        years: apparent age.
        descent: (2,) float32 how East Asian, and how African, the face looks, 0..1.
        teeth: how much of a row of teeth the portrait shows, 0..1.
        kin: portrait whose shape is mixed in, and its share; None for the portrait's own shape.
    """

    name: str
    load: Callable[[], U8]
    mesh: Mesh
    skin_lab: F32
    embedding: F32
    p_female: float
    years: float
    descent: F32
    teeth: float
    kin: tuple[Identity, float] | None = None

    @cached_property
    def portrait(self) -> U8:
        """(h, w, 3) uint8 BGR photograph, one frontal neutral face; decoded when first needed."""
        return self.load()


@dataclass(frozen=True, slots=True)
class Subject:
    """Somebody in a frame.

    Attributes:
        track: track of the face, which says where it is.
        identity: identity whose face is shown instead; None when the face can only be covered.
        person: number of the person, the same whenever they come back; None when not known.
        permit: permission to show the face as it is, or None.
        glasses: share of light that the lines of the glasses take, 0..1; 0 without glasses.
        mouth: what shows between the lips; None where these are shut or it is not known.
        in_front: (468,) float32 probability that a hand or a thing is in front of each point of the
            mesh's skin; None where that is not known.
        faded: share of the cover in what hides the face, 0..1: it is about to be covered.
    """

    track: Track
    identity: Identity | None = None
    person: int | None = None
    permit: Permit | None = None
    glasses: float = 0.0
    mouth: MouthInside | None = None
    in_front: F32 | None = None
    faded: float = 0.0


@dataclass(frozen=True, slots=True)
class Scene:
    """A frame and the people in it.

    Attributes:
        frame: raw frame.
        subjects: all people who must not be recognised.
        distrust: why the whole frame must be covered; "" when the subjects can be trusted.
        covers: (4,) float32 boxes that are always covered.
        sparing: whether networks are asked less often, because there is much to do.
    """

    frame: Frame
    subjects: tuple[Subject, ...] = ()
    distrust: str = ""
    covers: tuple[F32, ...] = ()
    sparing: bool = False


@dataclass(frozen=True, slots=True)
class Occluder:
    """What is in front of a face, and stays as it is where two independent cues agree.

    Attributes:
        seen: (h, w) float32 0..1, by a network.
        confirmed: (h, w) float32 0..1, by the face and its colours.
    """

    seen: F32
    confirmed: F32


@dataclass(frozen=True, slots=True)
class Patch:
    """New pixels for a rectangle of the frame.

    Attributes:
        x: left edge in frame px; may be negative.
        y: top edge in frame px; may be negative.
        image: (h, w, 3) uint8 BGR.
        alpha: (h, w) float32 in 0..1; 1 shows only the patch.
        reason: why it is of lower quality than the method's best; "" when it is not.
        method: name of the method that drew it.
        occluder: what is in front of the face, of the size of the patch; None for nothing.
    """

    x: int
    y: int
    image: U8
    alpha: F32
    reason: str = ""
    method: str = ""
    occluder: Occluder | None = None


class Treatment(Enum):
    """How a face was hidden, best first; or that it was shown, with a permit."""

    REPLACED = "replaced"
    COVERED = "covered"
    WHOLE_FRAME = "whole-frame"
    SHOWN = "shown"


@dataclass(frozen=True, slots=True)
class Treated:
    """How one subject of one frame was hidden, and why not better.

    Attributes:
        track_id: track of the subject, or None for the whole frame.
        treatment: method that hid it.
        reason: why it was not hidden in a better way; "" when it was hidden in the best.
        identity: name of the condition identity shown, or "".
        method: name of the method that drew the replacement; "" when there is none.
    """

    track_id: int | None
    treatment: Treatment
    reason: str = ""
    identity: str = ""
    method: str = ""

    @property
    def hidden_by(self) -> str:
        """Name of the method, or of the treatment where none drew a replacement."""
        return self.method or self.treatment.value


@dataclass(frozen=True, slots=True)
class SafeFrame:
    """A frame in which every subject is hidden; the only type a sink accepts.

    Only :mod:`streamanon.safety.compose` builds one.

    Attributes:
        index: index of the raw frame.
        picture: pixels that may be shown.
        pts: presentation time in ticks of time_base.
        time_base: seconds per tick.
        treated: treatment of each subject.
        duration: how long it is shown, in ticks; None for until the next one.
    """

    index: int
    picture: Picture
    pts: int
    time_base: Fraction
    treated: tuple[Treated, ...] = field(default=())
    duration: int | None = None


@dataclass(frozen=True, slots=True)
class RevealedFrame:
    """A frame into which sealed originals were put back, for somebody who has the key.

    Only :mod:`streamanon.sealed.opening` builds one. It shows faces, on purpose, and is taken by
    sinks for files only.

    Attributes:
        picture: pixels, restored where that was asked for.
        pts: presentation time in ticks of time_base.
        time_base: seconds per tick.
        duration: ticks it is shown for; None when the source does not say.
    """

    picture: Picture
    pts: int
    time_base: Fraction
    duration: int | None = None
