"""The file of `streamanon live`: several streams, each with its settings, in TOML.

::

    serve = "127.0.0.1:8080"

    [[stream]]
    name = "door"
    input = "rtsp://user:password@camera/1"
    outputs = ["rtsp://media.example/door", "record:/srv/door"]
    method = "mosaic"

Every setting of :class:`streamanon.config.Config` that means something to a live stream is a key.
"""

import re
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from streamanon.config import Config, check_names
from streamanon.errors import UsageError
from streamanon.live.jobs import LiveJob, check_apart, plan_live
from streamanon.media.address import input_address
from streamanon.media.credentials import masked

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_TOP = ("serve", "token", "behind_proxy", "stream")
_OWN = ("name", "input", "outputs")
_COMMAND_ONLY = ("overwrite", "report")
_SETTINGS = tuple(
    setting.name
    for setting in fields(Config)
    if setting.metadata.get("only") != "files" and setting.name not in _COMMAND_ONLY
)


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """Name, addresses and settings of one stream."""

    name: str
    job: LiveJob
    config: Config


@dataclass(frozen=True, slots=True)
class LiveConfig:
    """Streams to run, and the page that shows them.

    Attributes:
        streams: what to run, in the order of the file.
        serve: HOST:PORT of the page, or None.
        token: secret of the page, or None.
        behind_proxy: whether the page is reached through a proxy.
    """

    streams: tuple[StreamSpec, ...]
    serve: str | None = None
    token: str | None = None
    behind_proxy: bool = False


def read_streams(path: Path) -> LiveConfig:
    """Read a file of streams.

    Raises:
        UsageError: the file cannot be read or holds something wrong; the message is one line with
            the file and the key, without credentials.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}): name a TOML file") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path} is not TOML: {masked(str(error))}") from error
    try:
        return _live_config(document)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error


def _live_config(document: dict[str, Any]) -> LiveConfig:
    check_names(document, _TOP, "key")
    tables = document.get("stream", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise UsageError("stream is no list of tables: write [[stream]] above each")
    if not tables:
        raise UsageError("it asks for no stream: write [[stream]], then input = ...")
    streams: list[StreamSpec] = []
    serve = _text(document, "serve")
    for number, table in enumerate(tables, 1):
        name = table.get("name")
        try:
            one = _stream(table)
            if any(one.name == other.name for other in streams):
                raise UsageError("the name is used twice: every stream has its own")
            if not one.job.outputs and not serve:
                raise UsageError("it goes nowhere: name outputs, or look at it with serve")
            streams.append(one)
        except UsageError as error:
            which = repr(name) if isinstance(name, str) else str(number)
            raise UsageError(f"stream {which}: {error}") from error
    check_apart([sink for one in streams for sink in one.job.outputs])
    behind_proxy = document.get("behind_proxy", False)
    if not isinstance(behind_proxy, bool):
        raise UsageError(f"behind_proxy is {behind_proxy!r}: wanted true or false")
    return LiveConfig(tuple(streams), serve, _text(document, "token"), behind_proxy)


def _stream(table: dict[str, Any]) -> StreamSpec:
    check_names(table, (*_OWN, *_SETTINGS), "key")
    name, source = _text(table, "name"), _text(table, "input")
    if not name or not _NAME.fullmatch(name):
        raise UsageError(f"name is {name!r}: wanted letters, digits, '.', '_' and '-'")
    if not source:
        raise UsageError("input is missing: wanted a live address, rtsp://camera/1 for example")
    outputs = table.get("outputs", [])
    if not isinstance(outputs, list) or not all(isinstance(text, str) for text in outputs):
        raise UsageError('outputs is no list of texts: write outputs = ["rtsp://host/path"]')
    job = plan_live([source], outputs) if input_address(source) else None
    if job is None:
        raise UsageError(f"input {masked(source)} is a file: `streamanon run` takes files")
    settings = {key: table[key] for key in _SETTINGS if key in table}
    # a camera may be off when the others start
    return StreamSpec(name, job, Config.of(**{"wait": True, **settings}))


def _text(table: dict[str, Any], key: str) -> str | None:
    value = table.get(key)
    if value is not None and not isinstance(value, str):
        raise UsageError(f"{key} is no text: write it in quotes")
    return value
