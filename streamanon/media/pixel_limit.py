"""How many pixels a picture may have: a file of a few kB may ask for gigabytes of memory."""

from streamanon.errors import MediaError

PICTURE = 100_000_000
"""Pixels of the largest still picture that is opened, unless more are allowed."""

FILM = 8192 * 8192
"""Pixels of the largest frame of a film or stream that is decoded, unless more are allowed."""


def check_pixels(name: object, size: tuple[int, int], limit: int) -> None:
    """Refuse a picture that is too large.

    Raises:
        MediaError: it has more.
    """
    width, height = size
    if width * height > limit:
        raise MediaError(
            f"{name} is {width}x{height}, {width * height / 1e6:.1f} million pixels: at most "
            f"{limit / 1e6:.1f} million are opened, allow more by --max-pixels {width * height}"
        )


def decoder_options(limit: int) -> dict[str, str]:
    """Return the options by which FFmpeg's decoders refuse pictures of more than twice as many.

    They count the padding of their buffers, which can double a picture that is narrow.
    """
    return {"max_pixels": str(2 * limit)}


HEADERS_ONLY = {"codec_whitelist": "none"}
"""Options under which FFmpeg opens a file and reads its headers, but decodes nothing."""
