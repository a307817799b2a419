"""Options: presets, changes, files."""

import dataclasses
import json
from pathlib import Path

import pytest

from streamanon.anonygan.config import GeneratorConfig
from streamanon.errors import UsageError
from training.options import PRESETS, changed, read, write


def test_the_paper_is_the_paper() -> None:
    paper = PRESETS["paper"]
    used = {name: value for name, value in vars(paper.weights).items() if value}
    assert used == {"appearance": 1, "landmark": 1, "matching": 1, "reconstruction": 5}
    assert paper.network == GeneratorConfig.paper()
    assert (paper.lr, paper.discriminator_lr, paper.betas) == (2e-4, 2e-6, (0.5, 0.999))
    assert paper.steps * paper.batch == 44_800 * 64
    assert paper.mix[2] == 0


@pytest.mark.parametrize("preset", list(PRESETS))
def test_files_keep_every_option(preset: str, tmp_path: Path) -> None:
    options = changed(PRESETS[preset], ["weights.pull=3", "network.graph=false", "seed=5"])
    write(options, tmp_path / "options.json")
    assert read(tmp_path / "options.json") == options
    assert options.weights.pull == 3
    assert not options.network.graph


def test_a_file_of_an_older_version_gets_the_defaults_of_what_is_new(tmp_path: Path) -> None:
    held = dataclasses.asdict(PRESETS["live"]) | {"weights": {"pull": 2.0}}
    del held["steps"]
    (tmp_path / "options.json").write_text(json.dumps(held))
    options = read(tmp_path / "options.json")
    assert options.weights.pull == 2
    assert options.weights.push == PRESETS["live"].weights.push
    assert options.steps == PRESETS["live"].steps


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ("batch", "has no value"),
        ("barch=8", "no setting 'barch'"),
        ("weights.pul=8", "no setting 'pul'"),
        ("weights=8", "no setting 'weights'"),
        ("batch=many", "does not fit"),
        ("batch=-1", "does not fit"),
        ("batch=1.5", "does not fit"),
        ("augment=1", "does not fit"),
        ("mix=[1, 2]", "does not fit"),
        ("objective=wasserstein", "use one of 'hinge', 'bce'"),
        ("weights.pull=nan", "does not fit"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(setting: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        changed(PRESETS["live"], [setting])


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "options.json"
    for text, complaint in (("{", "cannot read"), ('{"speed": 3}', "unknown setting 'speed'")):
        file.write_text(text)
        with pytest.raises(UsageError, match=complaint):
            read(file)
