"""Video files, decoded with PyAV."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.error import ArgumentError, FFmpegError
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from streamanon.errors import MediaError, UsageError
from streamanon.imaging.orientation import from_display_matrix
from streamanon.imaging.picture import blank_picture
from streamanon.media.continuity import continuous
from streamanon.media.file_types import ONE_FILE
from streamanon.media.pixel_limit import FILM, HEADERS_ONLY, check_pixels, decoder_options
from streamanon.media.shared_packets import SharedPackets
from streamanon.sources.cut_off import missing_bytes
from streamanon.sources.decoder import Decoder, Slot
from streamanon.sources.pipe import InputPipe
from streamanon.sources.planar import (
    bidirectional,
    colour_space,
    display_matrix,
    field_order,
    light_levels,
    mastering_display,
    matrix_code,
    planar_name,
    planes_of,
    range_code,
    spherical,
    stereo,
)
from streamanon.types import ContainerTags, Frame, MediaInfo, Picture, Plane

_NO_TIMES = 0x80
"""AVFMT_NOTIMESTAMPS: formats that hold nothing but pictures."""

_MAX_INTERLACED_RATE = 31
"""Interlaced pictures a second, from which on fields are counted and not pictures."""


class VideoSource:
    """Yields the frames of the first video track of a file, upright.

    A picture that could not be decoded becomes a frame marked ``damaged`` with its own time and the
    pixels of the picture before it. Later changes of size or pixel format are converted back.
    """

    def __init__(
        self, path: Path, max_pixels: int | None = None, pipe: InputPipe | None = None
    ) -> None:
        """Open a file, or a pipe in its place, and decode up to its first picture.

        Raises:
            UsageError: the file does not exist or may not be read.
            MediaError: it is not a video, too large, or no frame of it can be decoded.
        """
        self._path, self._pipe = path, pipe
        self._container = _open(path, decoder_options(max_pixels or FILM), pipe)
        try:
            stream = _video_stream(self._container, path)
            _check_size(path, stream, max_pixels or FILM, pipe)
            stream.codec_context.options = decoder_options(max_pixels or FILM)
            rate = _rate(self._container, stream)
            time_base = stream.time_base or 1 / rate
            step = max(1, round(1 / (rate * time_base)))
            if pipe:
                pipe.packets = SharedPackets(self._container, stream, pipe.check)
                packets = pipe.packets.pictures()
            else:
                packets = continuous(self._container)
            self._slots = Decoder(packets, stream, step).decode()
            first = self._first_picture()
        except BaseException:
            self._container.close()
            raise
        self._size = (first.width, first.height)
        self._tags = _tags(stream, first)
        if self._tags.field_order and rate > _MAX_INTERLACED_RATE:
            rate /= 2
        self._orientation = from_display_matrix(self._tags.display_matrix)
        (width, height), colour = self._size, colour_space(first)
        if self._orientation.sideways:
            width, height = height, width
            colour = replace(colour, chroma_shift=colour.chroma_shift[::-1])
        self._info = MediaInfo(
            name=path.name,
            width=width,
            height=height,
            colour=colour,
            time_base=time_base,
            rate=rate,
            frame_count=_frame_count(self._container, stream, rate),
            piped=pipe is not None,
            path=path,
            container=self._tags,
            changes=() if pipe else _cut_off(path),
        )
        self._planes = blank_picture((width, height), self._info.colour, grey=128).planes

    @property
    def info(self) -> MediaInfo:
        """Properties of the video."""
        return self._info

    def __iter__(self) -> Iterator[Frame]:
        """Yield every frame, the damaged ones included."""
        for index, (shown, pts, damaged) in enumerate(self._all_slots()):
            if shown is not None:
                self._planes = self._upright_planes(shown)
            picture = Picture(self._planes, self._info.colour, self._tags.wraps)
            both = None if shown is None else bidirectional(shown)
            yield Frame(index, picture, pts, self._info.time_base, damaged, bidirectional=both)

    def stop(self) -> None:
        """Read no more of a pipe, so that what waits for it ends."""
        if self._pipe:
            self._pipe.stop()

    def close(self) -> None:
        """Close the file, unless it is a pipe, which the output reads, too; safe to call twice."""
        self._slots.close()
        if not self._pipe:
            self._container.close()

    def _first_picture(self) -> VideoFrame:
        """Decode up to the first picture and keep the slots up to it."""
        self._held: list[Slot] = []
        try:
            for slot in self._slots:
                self._held.append(slot)
                if slot.frame is not None:
                    return slot.frame
        except FFmpegError as error:
            raise MediaError(f"{self._path} cannot be decoded: {error.strerror}") from error
        raise MediaError(
            f"{self._path} has a video track without one frame that can be decoded: "
            "wanted a playable video, check the file"
        )

    def _all_slots(self) -> Iterator[Slot]:
        yield from self._held
        self._held = []
        try:
            yield from self._slots
        except FFmpegError as error:
            raise MediaError(
                f"{self._path} cannot be read any further: {error.strerror}; check the disk"
            ) from error

    def _upright_planes(self, shown: VideoFrame) -> tuple[Plane, ...]:
        name = self._tags.pixel_format
        if (shown.width, shown.height) != self._size:
            shown = shown.reformat(*self._size, format=name)
        elif planar_name(shown.format) != name:
            shown = shown.reformat(format=name)
        return tuple(self._orientation.upright(plane) for plane in planes_of(shown, name))


def _open(path: Path, options: Mapping[str, str], pipe: InputPipe | None = None) -> InputContainer:
    if not path.exists():
        raise UsageError(f"input {path} does not exist: check the name")
    if path.is_dir():
        raise UsageError(f"input {path} is a folder: name a video file")
    try:
        options = {**ONE_FILE, **options}
        file = pipe or str(path.absolute())
        return av.open(file, "r", options=options, metadata_errors="replace")
    except PermissionError as error:
        if os.access(path, os.R_OK):
            raise MediaError(f"{path} is encrypted or damaged: it cannot be read") from error
        raise UsageError(f"input {path} may not be read: check its permissions") from error
    except ArgumentError as error:
        raise MediaError(
            f"{path} is not a video that can be read (a playlist, a script or an unusual format): "
            "wanted one file that holds its own pictures, convert it to mp4"
        ) from error
    except FFmpegError as error:
        raise MediaError(
            f"{path} is not a video that can be read ({error.strerror}): "
            "wanted a complete mp4, mkv, mov, webm or the like"
        ) from error


def _video_stream(container: InputContainer, path: Path) -> VideoStream:
    """Return the first video track that is not a cover picture."""
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            if stream.codec_context is None:
                raise MediaError(f"{path} is encoded in a way that cannot be decoded: convert it")
            return stream
    kinds = ", ".join(sorted({stream.type for stream in container.streams}))
    raise MediaError(f"{path} has no video track, it holds {kinds or 'nothing'}: name a video")


def _rate(container: InputContainer, stream: VideoStream) -> Fraction:
    """Return the usual pictures a second.

    What is no container has no times: FFmpeg calls its average 25, whatever the pictures say.
    """
    timeless = bool(container.format.flags & _NO_TIMES)
    average = None if timeless else stream.average_rate
    return average or stream.guessed_rate or Fraction(30)


def _check_size(path: Path, stream: VideoStream, max_pixels: int, pipe: InputPipe | None) -> None:
    """Refuse a video that is too large, by its headers.

    FFmpeg forgets a size that its decoder refuses, so they are read again without one.
    """
    size = stream.width, stream.height
    if not all(size) and not pipe:
        with _open(path, HEADERS_ONLY) as headers:
            size = next(
                (s.width, s.height) for s in headers.streams.video if s.index == stream.index
            )
    check_pixels(path, size, max_pixels)


def _tags(stream: VideoStream, first: VideoFrame) -> ContainerTags:
    return ContainerTags(
        track=stream.index,
        pixel_format=planar_name(first.format),
        display_matrix=display_matrix(first),
        sample_aspect=stream.sample_aspect_ratio or None,
        primaries=first.color_primaries,
        transfer=first.color_trc,
        matrix=matrix_code(first),
        colour_range=range_code(first),
        field_order=field_order(first, stream.codec_context.field_order),
        mastering_display=mastering_display(first),
        light_levels=light_levels(first),
        spherical=spherical(first),
        stereo=stereo(first),
    )


def _frame_count(container: InputContainer, stream: VideoStream, rate: Fraction) -> int | None:
    """Return the number of frames that the file states, or that its duration suggests."""
    if stream.frames:
        return stream.frames
    if stream.duration and stream.time_base:
        return round(stream.duration * stream.time_base * rate)
    return round(Fraction(container.duration, av.time_base) * rate) if container.duration else None


def _cut_off(path: Path) -> tuple[str, ...]:
    """Return a line that says so if the end of a file is missing."""
    missing = missing_bytes(path)
    if not missing:
        return ()
    held, stated = path.stat().st_size / 1e6, (path.stat().st_size + missing) / 1e6
    line = f"the input is cut off: {held:.1f} of {stated:.1f} MB are there, the rest is missing"
    return (line,)
