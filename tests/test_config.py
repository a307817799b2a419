"""Settings: what they refuse, and what they are for."""

from pathlib import Path
from typing import Any

import pytest

from streamanon.config import Config
from streamanon.errors import UsageError


@pytest.mark.parametrize(
    ("config", "kind", "message"),
    [
        (Config(record_mode="640"), "files", "--record-mode is for live streams only"),
        (Config(delay=3), "files", "--delay is for live streams only"),
        (Config(transport="udp"), "files", "--transport is for live streams only"),
        (Config(wait=True), "files", "--wait is for live streams only"),
        (Config(codec="hevc"), "live", "--codec is for files only"),
        (Config(keep_subtitles=True), "live", "--keep-subtitles is for files only"),
        (
            Config(method="mosaic", identity="ann"),
            "files",
            "--identity is for the methods anonygan and warp, and this is mosaic: leave it out",
        ),
        (Config(method="blur", identities=Path("faces")), "live", "--identities is for the"),
    ],
)
def test_a_setting_that_has_no_meaning_in_a_run_is_refused(
    config: Config, kind: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        config.check(kind)


def test_settings_of_both_kinds_are_taken() -> None:
    for kind in ("files", "live"):
        Config(method="mosaic", crf=30, seed=2).check(kind)
    Config(delay=3, wait=True, transport="udp").check("live")
    Config(method="mosaic", identity="ann").check("live", switchable=True)
    Config(codec="hevc", overwrite=True).check("files")


@pytest.mark.parametrize("mode", ["", "6", "0600", "888", "rw-"])
def test_permissions_are_three_digits(mode: str) -> None:
    with pytest.raises(UsageError, match="wanted three digits"):
        Config(record_mode=mode)


@pytest.mark.parametrize("delay", [-1, 10_000])
def test_a_delay_that_makes_no_sense_is_refused(delay: int) -> None:
    with pytest.raises(UsageError, match=f"delay is {delay} frames: wanted 0 to 120"):
        Config(delay=delay)


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("crf", "30", 30),
        ("crf", 30, 30),
        ("stall_s", "7.5", 7.5),
        ("stall_s", 7, 7.0),
        ("identities", "faces", Path("faces")),
        ("identities", Path("faces"), Path("faces")),
        ("identity", None, None),
        ("wait", True, True),
        ("method", "mosaic", "mosaic"),
    ],
)
def test_values_are_converted_wherever_they_come_from(
    name: str, given: object, value: object
) -> None:
    values: dict[str, Any] = {name: given}
    converted = getattr(Config.of(**values), name)
    assert (converted, type(converted)) == (value, type(value))


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("crf", "good", "crf is 'good': wanted a whole number"),
        ("crf", True, "crf is True: wanted a whole number"),
        ("crf", 20.5, "crf is 20.5: wanted a whole number"),
        ("crf", None, "crf is None: wanted a whole number"),
        ("stall_s", "nan", "stall-s is 'nan': wanted a number"),
        ("stall_s", 10**400, "wanted a number"),
        ("wait", 1, "wait is 1: wanted true or false"),
        ("wait", "true", "wait is 'true': wanted true or false"),
        ("identity", 3, "identity is 3: wanted a text"),
        ("report", [], r"report is \[\]: wanted a text"),
        ("transport", "pigeon", "unknown transport 'pigeon': wanted tcp, udp"),
        ("method", ["warp"], r"unknown method \['warp'\]: wanted anonygan, warp"),
    ],
)
def test_values_of_another_type_are_refused(name: str, given: object, message: str) -> None:
    values: dict[str, Any] = {name: given}
    for build in (Config, Config.of):
        with pytest.raises(UsageError, match=message):
            build(**values)


def test_text_is_refused_where_nothing_converts_it() -> None:
    values: dict[str, Any] = {"crf": "30"}
    with pytest.raises(UsageError, match="crf is '30': wanted a whole number"):
        Config(**values)


def test_a_setting_there_is_not_is_refused_and_the_nearest_named() -> None:
    values: dict[str, Any] = {"methd": "warp"}
    for build in (Config, Config.of):
        with pytest.raises(UsageError, match="unknown setting 'methd': did you mean method"):
            build(**values)
