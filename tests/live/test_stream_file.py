"""The file of several streams: what it may say, and how it is refused."""

from pathlib import Path

import pytest

from streamanon.errors import UsageError
from streamanon.live.stream_file import LiveConfig, read_streams

DOOR = """
[[stream]]
name = "door"
input = "rtsp://ann:secret@camera/1"
outputs = ["rtsp://media/door", "record:/srv/door"]
method = "mosaic"
delay = 3
stall_s = 8
"""
YARD = """
[[stream]]
name = "yard"
input = "webcam:0"
wait = false
"""


def _read(folder: Path, text: str) -> LiveConfig:
    path = folder / "streams.toml"
    path.write_text(text)
    return read_streams(path)


def test_every_stream_has_its_own_settings(tmp_path: Path) -> None:
    page = 'serve = "127.0.0.1:8080"\ntoken = "abc"\nbehind_proxy = true\n'
    found = _read(tmp_path, page + DOOR + YARD)
    assert (found.serve, found.token, found.behind_proxy) == ("127.0.0.1:8080", "abc", True)
    door, yard = found.streams
    assert (door.name, door.job.input.target) == ("door", "rtsp://ann:secret@camera/1")
    assert [str(sink) for sink in door.job.outputs] == ["rtsp://media/door", "record:/srv/door"]
    assert (door.config.method, door.config.delay, door.config.stall_s) == ("mosaic", 3, 8.0)
    assert (yard.job.outputs, yard.config.method) == ((), "anonygan")
    assert (door.config.wait, yard.config.wait) == (True, False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "asks for no stream"),
        ("stream = 3", "write [[stream]]"),
        ("serv = 'x'\n" + DOOR, "unknown key 'serv': did you mean serve?"),
        ("token = 12345\n" + DOOR, "token is no text"),
        ('behind_proxy = "yes"\n' + DOOR, "behind_proxy is 'yes': wanted true or false"),
        (DOOR + "metod = 'warp'", "stream 'door': unknown key 'metod': did you mean method?"),
        (DOOR + "overwrite = true", "stream 'door': unknown key 'overwrite'"),
        (DOOR + "crf = 'good'", "stream 'door': crf is 'good': wanted a whole number"),
        (DOOR + "identity = 3", "stream 'door': identity is 3: wanted a text"),
        (DOOR + "wait = 1", "stream 'door': wait is 1: wanted true or false"),
        (DOOR + "transport = 'wire'", "stream 'door': unknown transport 'wire'"),
        (DOOR + DOOR, "stream 'door': the name is used twice"),
        (DOOR + DOOR.replace("door", "back", 1), "rtsp://media/door is used twice"),
        (DOOR + "[[stream]]\ninput = 'webcam:0'", "stream 2: name is None"),
        (DOOR.replace('"door"', '"a/b"'), "stream 'a/b': name is 'a/b': wanted letters"),
        ("[[stream]]\nname = 'a'", "stream 'a': input is missing"),
        ("[[stream]]\nname = 'a'\ninput = 'in.mp4'", "input in.mp4 is a file"),
        (DOOR.replace("rtsp://ann:secret@camera/1", "in.mp4"), "input in.mp4 is a file"),
        (DOOR + YARD, "stream 'yard': it goes nowhere: name outputs, or look at it with serve"),
        ("[[stream]]\nname = 'a'\ninput = 'ftp://x/y'", "ftp://x/y cannot be used here"),
        ("[[stream]]\nname = 'a'\ninput = 'webcam:0'\noutputs = 'x'", "outputs is no list"),
        ("[[stream]]\nname = 'a'\ninput = 'webcam:0'\noutputs = ['a.mp4']", "use record:FOLDER"),
        ("[[stream]\n", "is not TOML"),
    ],
)
def test_what_is_wrong_is_one_line_with_the_file(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        _read(tmp_path, text)
    line = str(caught.value)
    assert line.startswith(str(tmp_path / "streams.toml"))
    assert message in line
    assert "\n" not in line
    assert "secret" not in line
    assert "12345" not in line


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_streams(tmp_path / "none.toml")
