"""Video files, encoded with PyAV."""

import math
from contextlib import suppress
from pathlib import Path
from threading import Lock

import av
from av.container import OutputContainer
from av.error import FFmpegError
from av.filter import Graph
from av.packet import Packet
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from streamanon.atomic_write import EVERYBODY
from streamanon.errors import UsageError
from streamanon.imaging.orientation import from_display_matrix
from streamanon.media.shared_packets import SharedPackets
from streamanon.sinks.copied_tracks import StreamCopier
from streamanon.sinks.encoding import (
    FORMATS,
    NVENC,
    EncoderSettings,
    choose_encoder,
    encoded_size,
    encoder_options,
    fill,
    keeping_priority,
)
from streamanon.sinks.part_file import OutputPipe, PartFile
from streamanon.sinks.spherical import insert, projection_boxes
from streamanon.types import MediaInfo, RevealedFrame, SafeFrame

_LONGEST_TIMESCALE = 2**31 - 1
_SETTINGS_FIELDS = {"tt": "tff", "bb": "bff"}
_HEVC_TAG = "hvc1"
"""What Apple's players want to find in mp4 and mov; FFmpeg writes hev1."""

_AT_ONCE = {
    "fflags": "+bitexact+flush_packets",
    "cluster_time_limit": "100",
    "max_interleave_delta": "1000000",
}
"""Options by which nothing waits for long in FFmpeg's muxers: packets, clusters of Matroska (ms),
and pictures for sound (microseconds)."""


class VideoSink:
    """Writes a video that differs from the original only in its pictures and its metadata.

    Timestamps, duration, rotation, pixel aspect, colour tags, range, depth, fields, HDR, sound and,
    in mp4 and mov, the projection of 360 degree video are kept. Tags, cover pictures, other video
    tracks and, by default, subtitles, chapters and the timecode are not.
    """

    def __init__(  # noqa: PLR0913  an output, what it is made from, and its options
        self,
        path: Path,
        info: MediaInfo,
        settings: EncoderSettings,
        *,
        sound: str = "copy",
        keep_subtitles: bool = False,
        overwrite: bool = False,
        mode: int = EVERYBODY,
        shared: SharedPackets | None = None,
        pipe: OutputPipe | None = None,
    ) -> None:
        """Open the output and the original, whose sound is taken over.

        Args:
            path: name of the output once it is complete.
            info: properties of the source, which must be a video file.
            settings: encoder and its quality.
            sound: "copy" to convert only what the container cannot hold, "convert" or "none".
            keep_subtitles: take subtitles, data, chapters and the timecode over as well.
            overwrite: replace an existing output.
            mode: permissions of the output, less those that the umask takes away.
            shared: packets of an original that can be read only once.
            pipe: open pipe that the output goes to at once; ``path`` only says its format then.

        Raises:
            UsageError: the output cannot be written as asked.
        """
        container = FORMATS.get(path.suffix.lower())
        if container is None:
            raise UsageError(f"output {path} is no video: wanted one of {' '.join(FORMATS)}")
        if info.container is None or info.path is None:
            raise UsageError(f"{info.name} is not a video file: name another kind of output")
        self._tags, self._time_base = info.container, info.time_base
        self._orientation = from_display_matrix(self._tags.display_matrix)
        sideways = self._orientation.sideways
        self._size = (info.height, info.width) if sideways else (info.width, info.height)
        self._step = max(1, round(1 / (info.rate * info.time_base)))
        self._held: Packet[VideoStream] | None = None
        self._lag, self._end = 0, 0
        self._lengths: dict[int, int] = {}
        self._newest: VideoFrame | None = None
        encoder, layout = choose_encoder(settings.codec, container, self._tags)
        self._layout = layout
        self._encoded = encoded_size(encoder, layout, self._size)
        self._fields = self._field_graph(layout) if self._tags.field_order else None
        self._projection = projection_boxes(self._tags) if container in ("mp4", "mov") else b""
        self._pipe = pipe
        self._part = pipe or PartFile(path, info.path, overwrite=overwrite, mode=mode)
        self._lock = Lock()
        self._open: list[StreamCopier | OutputContainer] = []
        try:
            self._original = StreamCopier(info.path, self._tags.track, shared)
            self._open.append(self._original)
            self._output = self._create(container)
            self._open.append(self._output)
            options = encoder_options(encoder, settings, self._tags)
            self._video = self._add_video(encoder, layout, info, options)
            self._original.add_tracks(
                self._output, self._video, sound=sound, keep_subtitles=keep_subtitles
            )
            self.changes = [*info.changes, *self._picture_changes(layout), *self._original.changes]
            self._start(f"{encoder}, {layout}, crf {settings.crf}, preset {settings.preset}")
            if shared:
                shared.relieve = self._relieve
        except BaseException:
            self._abandon()
            raise

    def write(self, frame: SafeFrame | RevealedFrame) -> None:
        """Encode one frame."""
        picture = av.VideoFrame(*self._encoded, self._tags.pixel_format)
        for index, plane in enumerate(frame.picture.planes):
            fill(picture, index, self._orientation.stored(plane))
        picture.pts, picture.time_base = frame.pts, frame.time_base
        # Before its matrix is said: it would be converted, too, or refused.
        if self._fields is not None:
            self._fields.push(picture)
            picture = self._fields.vpull()
        elif self._layout != self._tags.pixel_format:
            picture = picture.reformat(format=self._layout)
        picture.colorspace, picture.color_range = self._tags.matrix, self._tags.colour_range
        try:
            with self._lock:
                self._encode_newest(frame.pts)
        except (FFmpegError, OSError) as error:
            raise self._part.failure(error) from error
        self._newest = picture

    def close(self, *, complete: bool) -> None:
        """Finish, and publish when complete; safe to call twice."""
        if not self._open:
            return
        with self._lock:
            if not complete:
                self._abandon()
                return
            try:
                self._encode_newest(None)
                self._encode(None)
                self._mux_last()
                self._original.copy_rest()
                self._output.close()
                if self._projection and isinstance(self._part, PartFile):
                    insert(self._part.path, self._projection)
            except (FFmpegError, OSError) as error:
                raise self._part.failure(error) from error
            else:
                self._part.publish()
            finally:
                self._abandon()

    def _relieve(self) -> None:
        """Write the sound that waits: there is more of it than pictures account for."""
        with self._lock:
            if not self._open:
                return
            try:
                self._original.copy_waiting()
            except (FFmpegError, OSError) as error:
                raise self._part.failure(error) from error

    def _create(self, container: str) -> OutputContainer:
        """Open the output; it names no encoder (bitexact), and mp4 and mov begin with their index.

        The time scale of mp4 and mov is fine enough for the exact times of every track.
        """
        ticks = self._time_base.denominator
        finest = math.lcm(ticks, *self._original.sample_rates)
        scale = finest if finest <= _LONGEST_TIMESCALE else ticks
        options = {"fflags": "+bitexact", "movflags": "+faststart", "movie_timescale": str(scale)}
        options |= _AT_ONCE if self._pipe else {}
        return av.open(self._part.target, "w", format=container, container_options=options)

    def _field_graph(self, layout: str) -> Graph:
        """Return a graph that converts interlaced pictures field by field, and marks them."""
        first = _SETTINGS_FIELDS[self._tags.field_order]
        width, height = self._encoded
        graph = Graph()
        nodes = [
            graph.add_buffer(
                width=width,
                height=height,
                format=VideoFormat(self._tags.pixel_format),
                time_base=self._time_base,
            ),
            graph.add("scale", "interl=1"),
            graph.add("format", layout),
            graph.add("setfield", first),
            graph.add("buffersink"),
        ]
        graph.link_nodes(*nodes).configure()
        return graph

    def _picture_changes(self, layout: str) -> list[str]:
        """Return what becomes of size, chroma and depth."""
        changes, stored = [], self._tags.pixel_format
        if self._encoded != self._size:
            sizes = ["x".join(map(str, size)) for size in (self._size, self._encoded)]
            changes.append(f"size {sizes[0]} becomes {sizes[1]}, which every player shows")
        if layout != stored:
            changes.append(f"pictures are written as {layout}, not {stored}")
        if self._tags.field_order and self._output.format.name == "webm":
            changes.append("left behind: which field comes first, which webm cannot say")
        if self._tags.spherical and not self._projection:
            changes.append("left behind: the projection of 360 degree video")
        return changes

    def _add_video(
        self, encoder: str, layout: str, info: MediaInfo, options: dict[str, str]
    ) -> VideoStream:
        tags = self._tags
        try:
            stream = self._output.add_stream(encoder, info.rate, options)
        except ValueError as error:
            raise UsageError(
                f"{self._output.format.name} cannot hold what {encoder} makes: "
                "choose another codec or suffix"
            ) from error
        assert isinstance(stream, VideoStream)
        if tags.display_matrix:
            stream.set_display_matrix(tags.display_matrix)
        stream.time_base = info.time_base
        context = stream.codec_context
        context.time_base, context.pix_fmt = info.time_base, layout
        context.width, context.height = self._encoded
        if encoder == "libx265" and self._output.format.name in ("mp4", "mov"):
            context.codec_tag = _HEVC_TAG
        if tags.sample_aspect:
            context.sample_aspect_ratio = tags.sample_aspect
        context.color_primaries, context.color_trc = tags.primaries, tags.transfer
        context.colorspace, context.color_range = tags.matrix, tags.colour_range
        return stream

    def _start(self, asked: str) -> None:
        """Open the encoder and write the header."""
        try:
            with keeping_priority():
                self._video.codec_context.open()
        except FFmpegError as error:  # a missing GPU raises PermissionError, which is an OSError
            raise self._refused(asked, error) from error
        try:
            self._output.start_encoding()
        except OSError as error:
            raise self._part.failure(error) from error
        except FFmpegError as error:
            raise self._refused(asked, error) from error

    def _refused(self, asked: str, error: FFmpegError) -> UsageError:
        width, height = self._encoded
        gpu = "it needs an NVIDIA GPU that can encode; else " if NVENC in asked else ""
        return UsageError(
            f"the encoder refuses {width}x{height} with {asked} ({error.strerror}): "
            f"{gpu}choose another codec, crf or preset"
        )

    def _encode_newest(self, until: int | None) -> None:
        """Encode the newest picture, when it is known how long it is shown."""
        picture = self._newest
        if picture is None:
            return
        assert picture.pts is not None
        if until is None:
            self._original.copy_until(picture.pts * self._time_base)
            until = self._original.end(picture.pts, self._step)
            self._end = until
        self._lengths[picture.pts] = until - picture.pts
        self._encode(picture)

    def _encode(self, picture: VideoFrame | None) -> None:
        """Encode a picture, or flush; write the packets and the copied tracks up to their time."""
        for packet in self._video.encode(picture):
            assert packet.pts is not None
            assert packet.dts is not None
            self._original.copy_until(packet.pts * self._time_base)
            packet.duration = self._lengths.pop(packet.pts, self._step)
            if self._held is None:
                self._lag = packet.pts - packet.dts
            else:
                self._output.mux(self._held)
            self._held = packet

    def _mux_last(self) -> None:
        """Write the last packet with the duration that ends the track with its last frame.

        The duration of an mp4 track is the sum of steps between decoding times, of which only the
        last one can be chosen. Other containers state how long that picture is shown.
        """
        if self._held is None or self._held.dts is None:
            return
        if self._output.format.name in ("mp4", "mov"):
            self._held.duration = max(1, self._end - self._lag - self._held.dts)
        self._output.mux(self._held)

    def _abandon(self) -> None:
        """Close everything and delete the output unless it was published."""
        self._part.discard()
        for container in self._open:
            with suppress(FFmpegError, OSError):
                container.close()
        self._open = []
