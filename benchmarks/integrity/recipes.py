"""Inputs made by ffmpeg: codecs, containers, sound, depths, fields, matrices and times."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from streamanon.errors import MediaError

PICTURE = "-f lavfi -i testsrc2=s=320x180:r=25:d=2"
SOUND = "-f lavfi -i sine=r=48000:d=2"
FIELDS = "-f lavfi -i testsrc2=s=720x576:r=50:d=2"
X264 = "-c:v libx264 -preset veryfast"
BARS = "-f lavfi -i smptehdbars=s={size}:r=25:d=1,format={layout},setparams={tags}"


@dataclass(frozen=True, slots=True)
class Recipe:
    """How an input is made, and what is to come out.

    Attributes:
        file: name of the input.
        arguments: arguments of the ffmpeg command, without its output; a line for each part of a
            joined file.
        output: suffix of the anonymised file.
        frames: frames that are to come out; None for those that the ffmpeg command decodes.
        covered: frames that may be covered whole: FFmpeg reports the last packet before a joint as
            corrupt, and its picture and those that need it are not believed.
        faces: whether there are faces in it, whose colours change.
    """

    file: str
    arguments: str
    output: str = ".mp4"
    frames: int | None = None
    covered: int = 0
    faces: bool = False


def _film(file: str, video: str, sound: str = "-an", output: str = ".mp4") -> Recipe:
    """Return the recipe of the usual picture and tone."""
    tone = "" if sound == "-an" else f"{SOUND} -shortest -ac 2"
    return Recipe(file, f"{PICTURE} {tone} {video} {sound}", output)


def _bars(file: str, layout: str, tags: str, video: str, size: str = "320x180") -> Recipe:
    """Return the recipe of colour bars in a colour space."""
    source = BARS.format(size=size, layout=layout, tags=tags)
    return Recipe(file, f"{source} {video} -an", ".mkv" if "444" in layout else ".mp4")


def _interlaced(file: str, first: str, video: str, output: str = ".mp4") -> Recipe:
    """Return the recipe of a picture whose fields are a fiftieth of a second apart."""
    mode = {"tff": "interleave_top", "bff": "interleave_bottom"}[first]
    source = f"{FIELDS} -vf tinterlace={mode},setfield={first}"
    return Recipe(file, f"{source} {video} -flags +ildct+ilme -an", output)


CODECS = [
    _film("h264_aac.mp4", X264, "-c:a aac"),
    _film("h264_b_ac3.mkv", f"{X264} -bf 3", "-c:a ac3"),
    _film("h264_b_mp3.avi", f"{X264} -bf 3", "-c:a libmp3lame"),
    _film("h264_pcm.mov", X264, "-c:a pcm_s16le", ".mov"),
    _film("h264_aac.flv", X264, "-c:a aac -ar 44100"),
    _film("h264_mp2.ts", X264, "-c:a mp2"),
    _film("h264_ac3.m2ts", X264, "-c:a ac3"),
    _film("h264_open_gop.ts", f"{X264} -bf 2 -g 10 -x264opts open-gop=1", "-c:a aac"),
    _film("h264.h264", f"{X264} -bf 0"),
    Recipe("50_fps.h264", f"-f lavfi -i testsrc2=s=320x180:r=50:d=1 {X264} -an"),
    _film("hevc_aac.mp4", "-c:v libx265 -x265-params log-level=error", "-c:a aac"),
    _film("hevc_opus.mkv", "-c:v libx265 -x265-params log-level=error", "-c:a libopus"),
    _film("hevc_aac.ts", "-c:v libx265 -x265-params log-level=error", "-c:a aac"),
    _film("mpeg1_mp2.mpg", "-c:v mpeg1video -q:v 3 -bf 2", "-c:a mp2"),
    _film("mpeg2_ac3.vob", "-c:v mpeg2video -q:v 3 -bf 2", "-c:a ac3"),
    _film("mpeg2_pcm.mxf", "-c:v mpeg2video -q:v 3", "-c:a pcm_s16le"),
    _film("mpeg4_mp3.avi", "-c:v mpeg4 -q:v 3", "-c:a libmp3lame"),
    _film("mpeg4_b.avi", "-c:v mpeg4 -q:v 3 -bf 2", "-c:a libmp3lame"),
    _film("xvid_packed.avi", "-c:v libxvid -bf 2 -q:v 3"),
    _film("h263.3gp", "-s 352x288 -c:v h263 -q:v 3", "-c:a aac"),
    _film("wmv2.wmv", "-c:v wmv2 -q:v 3", "-c:a wmav2"),
    _film("wmv1.asf", "-c:v wmv1 -q:v 3", "-c:a wmav1", ".mkv"),
    _film("msmpeg4_adpcm.avi", "-c:v msmpeg4v3 -q:v 3", "-c:a adpcm_ima_wav"),
    _film("mjpeg_pcm.avi", "-c:v mjpeg -q:v 3", "-c:a pcm_s16le"),
    _film("mjpeg_mulaw.mov", "-c:v mjpeg -q:v 3", "-c:a pcm_mulaw"),
    _film(
        "vp8_vorbis.webm", "-c:v libvpx -b:v 2M -auto-alt-ref 1 -lag-in-frames 16", "-c:a libvorbis"
    ),
    _film("vp9_opus.webm", "-c:v libvpx-vp9 -b:v 2M", "-c:a libopus", ".webm"),
    _film("vp9_flac.mkv", "-c:v libvpx-vp9 -b:v 2M", "-c:a flac", ".mkv"),
    _film("av1_opus.mp4", "-c:v libsvtav1 -crf 30", "-c:a libopus"),
    _film("theora_vorbis.ogv", "-c:v libtheora -q:v 9", "-c:a libvorbis", ".mkv"),
    _film("prores_pcm24.mov", "-c:v prores_ks", "-c:a pcm_s24le", ".mov"),
    _film("prores_4444.mov", "-c:v prores_ks -pix_fmt yuva444p10le", "-c:a pcm_s16be"),
    _film("ffv1_flac.mkv", "-c:v ffv1", "-c:a flac"),
    _film("ffv1_12bit.mkv", "-c:v ffv1 -pix_fmt yuv422p12le", "-c:a flac", ".mkv"),
    _film("grey.mkv", "-c:v ffv1 -pix_fmt gray"),
    _film("raw_pcm8.avi", "-c:v rawvideo -pix_fmt yuyv422", "-c:a pcm_u8", ".mov"),
    _film("utvideo.avi", "-c:v utvideo -pix_fmt yuv422p"),
    _film("cinepak.avi", "-c:v cinepak"),
    _film("qtrle_alaw.mov", "-c:v qtrle", "-c:a pcm_alaw"),
    _film("flv1_mp3.flv", "-c:v flv1 -q:v 3", "-c:a libmp3lame -ar 44100"),
    Recipe("animated.gif", "-f lavfi -i testsrc2=s=320x180:r=10:d=2", ".webm"),
    Recipe("animated.apng", "-f lavfi -i testsrc2=s=320x180:r=10:d=1 -plays 0", ".mp4"),
]

DEPTHS_AND_FIELDS = [
    _film("h264_10bit.mkv", f"{X264} -pix_fmt yuv420p10le", "-c:a aac"),
    _film("vp9_10bit.webm", "-c:v libvpx-vp9 -b:v 2M -pix_fmt yuv420p10le", "-c:a libopus"),
    _film("ffv1_422_10bit.mkv", "-c:v ffv1 -pix_fmt yuv422p10le", "-c:a libopus", ".webm"),
    _film(
        "odd_10bit.mkv", "-vf scale=321:181,setsar=1 -c:v ffv1 -pix_fmt yuv444p10le", "-an", ".webm"
    ),
    _interlaced("h264_tff.mp4", "tff", f"{X264} -x264opts tff=1"),
    _interlaced("h264_bff.mkv", "bff", f"{X264} -x264opts bff=1"),
    _interlaced("mpeg2_tff.ts", "tff", "-c:v mpeg2video -q:v 3"),
    _interlaced("mpeg2_bff.mpg", "bff", "-c:v mpeg2video -q:v 3", ".mkv"),
    _interlaced("xdcam_422.mxf", "tff", "-pix_fmt yuv422p -c:v mpeg2video -q:v 3"),
    _interlaced("bt709_422.mkv", "tff", "-pix_fmt yuv422p -c:v ffv1 -colorspace bt709"),
    _interlaced("dv.dv", "bff", "-c:v dvvideo -pix_fmt yuv420p", ".mov"),
    _interlaced("prores_tff.mov", "tff", "-c:v prores_ks -pix_fmt yuv422p10le", ".mov"),
]

MATRICES = [
    _bars("bt709.mp4", "yuv420p", "colorspace=bt709", f"{X264} -colorspace bt709"),
    _bars("bt601.mkv", "yuv420p", "colorspace=smpte170m", f"{X264} -colorspace smpte170m"),
    _bars("full_range.mp4", "yuvj420p", "range=pc", f"{X264} -color_range pc -colorspace bt709"),
    _bars("smpte240m.mp4", "yuv420p", "colorspace=smpte240m", f"{X264} -colorspace smpte240m"),
    _bars("untagged_hd.mp4", "yuv420p", "range=tv", X264, "1280x720"),
    _bars("rgb.mkv", "rgb24", "range=pc", "-c:v libx264rgb -preset veryfast"),
    _bars("4444.mkv", "yuv444p", "colorspace=bt709", f"{X264} -colorspace bt709"),
    _bars(
        "hlg.mp4",
        "yuv420p10le",
        "colorspace=bt2020nc:color_trc=arib-std-b67:color_primaries=bt2020",
        "-c:v libx265 -x265-params log-level=error:colorprim=bt2020:transfer=arib-std-b67:"
        "colormatrix=bt2020nc -tag:v hvc1",
    ),
]

_TS = f"{PICTURE} {SOUND} -shortest -ac 2 {X264} -bf 2 -c:a aac"
_VOB = f"{PICTURE} {SOUND} -shortest -ac 2 -c:v mpeg2video -q:v 3 -c:a ac3 -f vob"
TIMES = [
    _film("vfr.mkv", f"-vf select='not(mod(n\\,3))+lt(n\\,20)' -vsync vfr {X264}", "-c:a aac"),
    Recipe(
        "ntsc.mp4",
        f"-f lavfi -i testsrc2=s=320x180:r=30000/1001:d=2 {SOUND} {X264} -c:a aac -shortest",
    ),
    Recipe("late_sound.mkv", f"{PICTURE} -itsoffset 0.7 {SOUND} {X264} -c:a aac"),
    Recipe("late_picture.mp4", f"-itsoffset 0.6 {PICTURE} {SOUND} {X264} -c:a aac"),
    _film("starts_at_100_s.mkv", f"{X264} -output_ts_offset 100", "-c:a aac"),
    _film("fragments.mp4", f"{X264} -movflags +frag_keyframe+empty_moov", "-c:a aac"),
    _film("rotated.mov", f"{X264} -metadata:s:v rotate=90", "-c:a aac"),
    _film("anamorphic.mkv", f"-vf setsar=16/11 {X264}", "-c:a aac"),
    _film("surround.mkv", X264, "-c:a ac3 -ac 6"),
    _film("mono_8khz.mkv", X264, "-c:a pcm_s16le -ac 1 -ar 8000"),
    Recipe("joined.ts", f"{_TS}\n{_TS}", frames=100, covered=4),
    Recipe("joined_hour.ts", f"{_TS}\n{_TS} -output_ts_offset 3600", frames=100, covered=4),
    Recipe("joined_back.m2ts", f"{_TS} -output_ts_offset 3600\n{_TS}", frames=100, covered=4),
    Recipe("wrap.ts", f"{_TS} -output_ts_offset 95442.5", frames=50),
    Recipe("joined.vob", f"{_VOB}\n{_VOB}", frames=100, covered=4),
    Recipe(
        "joined_mpeg2.ts", f"{_VOB[:-7]}\n{_VOB[:-7]} -output_ts_offset 9000", frames=100, covered=4
    ),
]

RECIPES = [*CODECS, *DEPTHS_AND_FIELDS, *MATRICES, *TIMES]


def make(recipe: Recipe, folder: Path) -> Path:
    """Make an input, or take the one that is there.

    Raises:
        MediaError: the ffmpeg command failed.
    """
    path = folder / recipe.file
    if path.exists():
        return path
    parts = []
    for number, arguments in enumerate(recipe.arguments.splitlines()):
        part = folder / f"part{number}{path.suffix}"
        command = ["ffmpeg", "-v", "error", "-y", *_words(arguments), str(part)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise MediaError(f"ffmpeg cannot make {recipe.file}: {done.stderr.strip()}")
        parts.append(part.read_bytes())
        part.unlink()
    path.write_bytes(b"".join(parts))
    return path


def _words(arguments: str) -> list[str]:
    return arguments.replace("'", "").split()
