"""Settings: what they refuse, and what they are for."""

from __future__ import annotations

import pytest

from streamanon.config import Config
from streamanon.errors import UsageError


@pytest.mark.parametrize(
    ("config", "kind", "message"),
    [
        (Config(delay=3), "files", "--delay is for live streams only"),
        (Config(transport="udp"), "files", "--transport is for live streams only"),
        (Config(wait=True), "files", "--wait is for live streams only"),
        (Config(codec="hevc"), "live", "--codec is for files only"),
        (Config(keep_subtitles=True), "live", "--keep-subtitles is for files only"),
    ],
)
def test_a_setting_of_the_other_kind_is_refused(config: Config, kind: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        config.check(kind)


def test_settings_of_both_kinds_are_taken() -> None:
    for kind in ("files", "live"):
        Config(method="mosaic", crf=30, seed=2).check(kind)
    Config(delay=3, wait=True, transport="udp").check("live")
    Config(codec="hevc", overwrite=True).check("files")


@pytest.mark.parametrize("delay", [-1, 10_000])
def test_a_delay_that_makes_no_sense_is_refused(delay: int) -> None:
    with pytest.raises(UsageError, match=f"delay is {delay} frames: wanted 0 to 120"):
        Config(delay=delay)
