"""Which files hold pictures and videos, by their suffix."""

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff")
VIDEO_OUTPUTS = (".mp4", ".mkv", ".mov", ".webm")
VIDEO_SUFFIXES = (
    *VIDEO_OUTPUTS,
    *(".avi", ".flv", ".gif", ".m2ts", ".m4v", ".mpeg", ".mpg", ".mts", ".mxf", ".ogv"),
    *(".3gp", ".ts", ".vob", ".wmv"),
)
