"""Suffixes of pictures and videos, and the file formats that FFmpeg may open."""

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff")
VIDEO_OUTPUTS = (".mp4", ".mkv", ".mov", ".webm")
VIDEO_SUFFIXES = (
    *VIDEO_OUTPUTS,
    *(".avi", ".flv", ".gif", ".m2ts", ".m4v", ".mpeg", ".mpg", ".mts", ".mxf", ".ogv"),
    *(".3gp", ".ts", ".vob", ".wmv"),
)

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
