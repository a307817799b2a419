"""Addresses are distinguished from files, and never printed with their credentials."""

from collections.abc import Callable

import pytest

from streamanon.errors import UsageError
from streamanon.media.address import Address, input_address, output_address
from streamanon.media.credentials import masked

SECRET = "s3cr3t"
Read = Callable[[str], Address | None]


@pytest.mark.parametrize(
    ("read", "text", "scheme", "target"),
    [
        (input_address, "rtsp://camera/1", "rtsp", "rtsp://camera/1"),
        (input_address, "RTSP://u:p@camera:554/1", "rtsp", "rtsp://u:p@camera:554/1"),
        (input_address, "https://host/live.m3u8", "https", "https://host/live.m3u8"),
        (input_address, "udp://:5000", "udp", "udp://:5000"),
        (input_address, "udp://@[ff02::1]:5000?ttl=1", "udp", "udp://@[ff02::1]:5000?ttl=1"),
        (input_address, "srt://host:9000?mode=caller", "srt", "srt://host:9000?mode=caller"),
        (input_address, "webcam:", "webcam", "0"),
        (input_address, "webcam:2", "webcam", "2"),
        (input_address, "/dev/video9", "webcam", "/dev/video9"),
        (input_address, "screen:", "screen", ""),
        (input_address, "lavfi:testsrc2=size=64x64:rate=5", "lavfi", "testsrc2=size=64x64:rate=5"),
        (output_address, "rtmp://host/app/key", "rtmp", "rtmp://host/app/key"),
        (output_address, "virtual-camera:", "virtual-camera", ""),
        (output_address, "/dev/video2", "virtual-camera", "/dev/video2"),
        (output_address, "window:", "window", ""),
        (output_address, "hls:some/folder", "hls", "some/folder"),
        (output_address, "record:C:\\films", "record", "C:\\films"),
    ],
)
def test_an_address_is_read(read: Read, text: str, scheme: str, target: str) -> None:
    address = read(text)
    assert address is not None
    assert (address.scheme, address.target) == (scheme, target)


@pytest.mark.parametrize(
    "text", ["clip.mp4", "C:\\clip.mp4", "/dev/video", "a b/c.mkv", "take:2.mp4"]
)
def test_a_file_is_no_address(text: str) -> None:
    assert input_address(text) is None
    assert output_address(text) is None


@pytest.mark.parametrize(
    ("read", "text", "complaint"),
    [
        (input_address, "gopher://u:s3cr3t@host/x", "wanted rtsp://"),
        (input_address, "file:///clip.mp4", "wanted rtsp://"),
        (input_address, "rtsp:camera/1", "write rtsp://HOST"),
        (input_address, "rtsp:///1", "names no host"),
        (input_address, "srt://host?passphrase=s3cr3t", "write srt://HOST:9000"),
        (input_address, "udp://:0", "write udp://HOST:9000"),
        (input_address, "rtsp://u:s3 cr3t@camera/1", "write %20"),
        (input_address, "rtsp://u:s3#cr3t@camera/1", "write %2F, %3F or %23 instead"),
        (input_address, "rtsp://u:a/s3cr3t@camera/1", "write %2F, %3F or %23 instead"),
        (input_address, "https://u:a?s3cr3t@camera/1", "write %2F, %3F or %23 instead"),
        (input_address, "http://u:s3cr3t/1", "has a port that is no number"),
        (input_address, "http://[::1/s3cr3t", "has a port that is no number"),
        (input_address, "rtsp://camera:123456/1", "another to 65535"),
        (input_address, "lavfi:", "lavfi:testsrc2"),
        (input_address, "window:", "is an output"),
        (input_address, "hls:folder", "is an output"),
        (output_address, "http://host/x", "cannot be used here"),
        (output_address, "udp://239.0.0.1", "write udp://HOST:9000"),
        (output_address, "udp://[ff02::1]", "write udp://HOST:9000"),
        (output_address, "udp://239.0.0.1:0", "names no port: .* to 65535"),
        (output_address, "udp://239.0.0.1:65536?ttl=1", "names no port: .* to 65535"),
        (output_address, "srt://host:123456", "names no port: .* to 65535"),
        (output_address, "webcam:0", "is an input"),
        (output_address, "hls:", "hls:FOLDER"),
        (output_address, "record:", "record:FOLDER"),
    ],
)
def test_what_is_no_address_is_refused_in_one_line(read: Read, text: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint) as refused:
        read(text)
    assert "cr3t" not in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://admin:s3cr3t@camera:554/1", "rtsp://***@camera:554/1"),
        ("rtsp://admin:s3cr3t@7@camera/1", "rtsp://***@camera/1"),
        ("rtsp://admin:a's3cr3t@camera/1", "rtsp://***@camera/1"),
        ("rtsp://camera/1?channel=1&pw=s3cr3t", "rtsp://camera/1?channel=1&pw=***"),
        ("rtsp://camera/user=me_password=s3cr3t_channel=1", "rtsp://camera/***"),
        ("rtsps://camera:7441/aB3s3cr3t?enableSrtp", "rtsps://camera:7441/***?***"),
        ("rtsp://nvr/Streaming/Channels/101", "rtsp://nvr/Streaming/Channels/101"),
        ("rtsp://nvr/cam/realmonitor?channel=1&subtype=0",) * 2,
        ("rtmp://host/live2/s3cr3t", "rtmp://host/live2/***"),
        ("srt://host:9000?passphrase=s3cr3t", "srt://host:9000?passphrase=***"),
        ("rtmp://host//live2/s3cr3t", "rtmp://host/live2/***"),
        ("rtmp://host/s3cr3t", "rtmp://host/***"),
        ("srt://host:9000?streamid=#!::u=me,r=s3cr3t", "srt://host:9000?***#***"),
        ("udp://@239.0.0.1:5000?ttl=1", "udp://@239.0.0.1:5000?ttl=1"),
        ("https://host:8443", "https://host:8443"),
        ("https://host/", "https://host/"),
        ("https://host/live/s3cr3t/a.m3u8", "https://host/***"),
        ("https://host/a.m3u8?token=s3cr3t#t", "https://host/***?token=***#***"),
        ("https://host/a.m3u8?s3cr3t", "https://host/***?***"),
        ("https://host/a.m3u8#s3cr3t", "https://host/***#***"),
    ],
)
def test_credentials_are_never_shown(url: str, shown: str) -> None:
    address = input_address(url)
    assert address is not None
    assert str(address) == shown
    assert f"{address!r} {address}".count(SECRET) == 0
    text = f"[Errno 5] I/O error: '{url}' after 3 s"
    assert SECRET not in masked(text)
    assert address.masked(text) == f"[Errno 5] I/O error: '{shown}' after 3 s"


def test_a_password_with_a_space_is_hidden_in_a_text_too() -> None:
    address = Address("rtsp", "rtsp://u:a s3cr3t@camera/1")
    assert (
        address.masked(f"cannot open {address.target}: no") == "cannot open rtsp://***@camera/1: no"
    )


def test_texts_without_secrets_stay_as_they_are() -> None:
    text = "webcam:0 gone: Device or resource busy (rtsp://camera/1)"
    assert masked(text) == text


def test_addresses_within_a_graph_are_hidden_too() -> None:
    address = input_address("lavfi:movie=http\\://me\\:s3cr3t@host/x")
    assert str(address) == "movie=http\\://***@host/***"


def test_devices_are_shown_as_they_are_written() -> None:
    for text in ("webcam:1", "/dev/video3", "screen:", "lavfi:testsrc2"):
        assert str(input_address(text)) == text
