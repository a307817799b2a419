"""Suffixes of pictures and videos, and the file formats that FFmpeg may open."""

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff")
"""Suffixes of sheets and portraits."""

PICTURE_FORMATS = {
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif"), "JPEG"),
    **dict.fromkeys((".png", ".apng"), "PNG"),
    **dict.fromkeys((".tif", ".tiff"), "TIFF"),
    **dict.fromkeys((".heic", ".heif"), "HEIF"),
    ".webp": "WEBP",
    ".bmp": "BMP",
    ".jp2": "JPEG2000",
    ".avif": "AVIF",
    ".mpo": "MPO",
}
"""Pillow's name of the format for each suffix of a picture."""

VIDEO_OUTPUTS = (".mp4", ".mkv", ".mov", ".webm", ".nut")
VIDEO_SUFFIXES = (
    *VIDEO_OUTPUTS,
    *(".avi", ".flv", ".gif", ".m2ts", ".m4v", ".mpeg", ".mpg", ".mts", ".mxf", ".ogv"),
    *(".3gp", ".mjpeg", ".mjpg", ".ts", ".vob", ".wmv"),
)
HEAD_BYTES = 64
"""How much of a file :func:`picture_format` looks at."""

_SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    *((mark, "TIFF") for mark in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
    *((mark, "JPEG2000") for mark in (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")),
)
_BMP_HEADERS = (12, 40, 52, 56, 64, 108, 124)
"""Lengths of the header that follows "BM" and 12 more bytes; the two letters begin any text."""

_AVIF = {b"avif", b"avis"}
_HEIF = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}


def picture_format(head: bytes, suffix: str) -> str | None:
    """Return Pillow's name of the format of a still picture, or None for anything else.

    The first bytes of a file show what it is. The suffix of its name, lower case, tells a film of
    JPEG pictures from one picture, and a photograph from a raw one, which is a TIFF file that
    begins with a thumbnail.
    """
    for signature, name in _SIGNATURES:
        if head.startswith(signature):
            stream = name == "JPEG" and suffix in (".mjpeg", ".mjpg")
            raw = name == "TIFF" and suffix not in ("", *PICTURE_FORMATS)
            return None if stream or raw else name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return "BMP"
    if head[4:8] == b"ftyp":
        size = int.from_bytes(head[:4], "big")
        brands = {head[at : at + 4] for at in range(8, min(size, len(head)), 4)}
        if head[8:12] in _AVIF | _HEIF:
            return "AVIF" if brands & _AVIF else "HEIF"
    return None


_NO_VIDEO_BRANDS = (b"M4A ", b"M4B ", b"M4P ", b"crx ")
_ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")


def begins_like_video(head: bytes) -> bool:
    """Tell by its first bytes whether a file that is no picture begins like a container of video.

    MPEG streams, which have no reliable signature, are recognised by their suffix.
    """
    if head[4:8] == b"ftyp":
        return head[8:12] not in _NO_VIDEO_BRANDS
    avi = head[:4] == b"RIFF" and head[8:12] == b"AVI "
    return avi or head.startswith((b"\x1a\x45\xdf\xa3", b"GIF8", b"FLV\x01", _ASF))


SELF_CONTAINED = (
    "mov,matroska,avi,flv,live_flv,gif,mpegts,mpeg,mxf,ogg,asf,nut,ivf,dv,wtv,gxf,rm,swf,"
    "yuv4mpegpipe,apng,mjpeg,mpjpeg,mpegvideo,h261,h263,h264,hevc,vvc,vc1,m4v,obu,av1,dirac,"
    "jpeg_pipe,png_pipe,webp_pipe,tiff_pipe,bmp_pipe,aac,ac3,eac3,aiff,amr,caf,flac,mp3,wav,"
    "srt,ass,webvtt"
)
"""FFmpeg's names of the formats that hold all their content themselves.

Others open further files, open network addresses or run scripts, whatever the name of the file that
holds them: concat, hls, dash, sdp, image2, imf, mlv, vobsub, avisynth, lavfi."""

ONE_FILE = {"format_whitelist": SELF_CONTAINED, "protocol_whitelist": "file"}
"""Options of FFmpeg under which a file makes it open nothing but that file."""


def box_header(head: bytes) -> tuple[bytes, int]:
    """Return name and length of the box that begins there, as mp4 and its family are made of.

    Its first 16 bytes are wanted, or fewer at the end of a file. Source: ISO/IEC 14496-12, 4.2.
    """
    length = int.from_bytes(head[:4])
    if length == 1 and len(head) >= 16:
        length = int.from_bytes(head[8:16])
    return head[4:8], length
