"""Learning how children's faces differ, and making portraits of children."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from streamanon.config import Config
from streamanon.errors import UsageError
from streamanon.face.shape import CHILD_YEARS, Pose, ShapeModel
from streamanon.factory import Factory
from streamanon.identities.gallery import load_builtin
from streamanon.types import Identity
from training.childhood import age_in_name, command, fit, look_at, separated
from training.childlike import childlike
from training.data.entries import Entry
from training.portrait import SIDE_PX

CHILDREN = tuple(one for one in load_builtin() if one.years <= max(CHILD_YEARS))
ADULTS = tuple(one for one in load_builtin() if one.years >= 20)


@pytest.fixture(scope="module")
def model() -> ShapeModel:
    return Factory(Config()).shape_model


def _write(folder: Path, people: tuple[Identity, ...], ages: list[int]) -> Path:
    folder.mkdir()
    for number, (one, age) in enumerate(zip(people, ages, strict=False)):
        cv2.imwrite(str(folder / f"{number:05}A{age:02}.png"), one.portrait)
    return folder


def test_the_command_learns_shapes_and_a_probe_from_pictures_with_ages(tmp_path: Path) -> None:
    ages = [3, 6, 9, 12, 3, 6, 9, 12]
    pictures = _write(tmp_path / "aged", CHILDREN, ages)
    for number, one in enumerate(ADULTS[:8]):
        cv2.imwrite(str(pictures / f"{100 + number:05}A25.png"), one.portrait)
    others = _write(tmp_path / "others", ADULTS[8:12], [40] * 4)
    out = tmp_path / "childhood.npz"
    result = CliRunner().invoke(
        command, [str(pictures), "--adults", str(others), "--out", str(out)]
    )
    assert result.exit_code == 0, result.output
    with np.load(out) as stored:
        shape, probe = stored["shape"].astype(np.float32), stored["probe"]
    assert shape.shape == (len(CHILD_YEARS), 478, 3)
    scores = [float(one.embedding @ probe[:-1] + probe[-1]) for one in (*CHILDREN, *ADULTS[:12])]
    assert min(scores[:4]) > max(scores[len(CHILDREN) :])


def test_pictures_without_children_are_refused(model: ShapeModel, tmp_path: Path) -> None:
    pictures = _write(tmp_path / "aged", ADULTS[:2], [25, 28])
    options = ["--adults", str(pictures), "--out", str(tmp_path / "none.npz")]
    result = CliRunner().invoke(command, [str(pictures), *options])
    assert isinstance(result.exception, UsageError)
    assert "no picture shows anybody of 2 to 4 years" in str(result.exception)
    assert not (tmp_path / "none.npz").exists()


def test_ages_are_read_from_names(model: ShapeModel, tmp_path: Path) -> None:
    assert [age_in_name(name) for name in ("aaf/00028A02.webp", "Ann_0001.webp")] == [2, None]
    path = next(_write(tmp_path / "one", CHILDREN[:1], [5]).iterdir())
    seen = look_at([Entry(path.name, "somebody", path)], model, Factory(Config(min_face=40)))
    assert seen.years.tolist() == [5]


def test_the_probe_counts_children_as_much_as_the_many_adults() -> None:
    random = np.random.default_rng(0)
    child = np.arange(2000) < 60
    embedding = random.normal(0, 1, (2000, 128)).astype(np.float32)
    embedding[child, 0] += 4
    embedding /= np.linalg.norm(embedding, axis=1, keepdims=True)
    probe = fit(embedding, child)
    assert (embedding[child] @ probe[:-1] + probe[-1]).mean() > 0.5
    assert separated(embedding, random.random(2000) < 0.5) == pytest.approx(0.5, abs=0.06)
    assert separated(embedding, child) > 0.9


def test_a_child_has_a_childs_proportions_larger_eyes_and_smooth_skin(model: ShapeModel) -> None:
    adult = next(one for one in ADULTS if one.portrait.shape[:2] == (SIDE_PX, SIDE_PX))
    image = childlike(adult.portrait, adult.mesh.points, 5, model)
    mesher = Factory(Config(min_face=40)).portrait_reader
    mesh = mesher.fit(image, Path("child.png"))
    before, after = adult.mesh.points, mesh.points
    change = Pose.of(after).canonical(after) - Pose.of(before).canonical(before)
    growth = model.growth(5)
    assert np.vdot(change, growth) > np.vdot(growth, growth)
    cheek = np.rint(before[205, :2]).astype(int)
    patches = [
        part[cheek[1] - 12 : cheek[1] + 12, cheek[0] - 12 : cheek[0] + 12].astype(np.float32)
        for part in (adult.portrait, image)
    ]
    relief = [float((part - cv2.GaussianBlur(part, (0, 0), 3)).std()) for part in patches]
    assert relief[1] < 0.7 * relief[0]
    grown = childlike(adult.portrait, adult.mesh.points, 16, model)
    assert (
        np.abs(grown.astype(int) - adult.portrait).mean()
        < np.abs(image.astype(int) - adult.portrait).mean()
    )
