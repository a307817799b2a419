"""What the user says may be seen is seen, and nothing else: spans, regions, people who agreed."""

import ast
import json
import stat
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

import streamanon
from streamanon import Config
from streamanon.audit.run import audit
from streamanon.cli.main import execute
from streamanon.errors import StreamanonError, UsageError
from streamanon.safety.permits import ALIKE, SURE, Permissions, kept_person, parse_region
from streamanon.types import Permit
from testkit.paths import PHOTOS
from testkit.syntax import MODULES, PACKAGE, parsed

SPAN: dict[str, Any] = {"from_": Fraction("0.2"), "to": Fraction("0.4")}


def pictures(path: Path) -> list[NDArray[np.int64]]:
    with av.open(str(path)) as container:
        return [f.to_ndarray(format="bgr24").astype(int) for f in container.decode(video=0)]


def changed(before: Path, after: Path) -> list[bool]:
    """Tell for each frame whether its middle was touched by more than the encoder."""
    pairs = zip(pictures(before), pictures(after), strict=True)
    return [bool(np.abs(a - b)[80:160, 80:160].mean() > 4) for a, b in pairs]


def photo(name: str) -> NDArray[np.uint8]:
    image = cv2.imread(str(PHOTOS / f"{name}.webp"))
    assert image is not None
    return np.asarray(image, np.uint8)


def group(path: Path, *names: str) -> Path:
    """Write a picture of several photographs side by side, 512 px each."""
    assert cv2.imwrite(str(path), np.hstack([photo(name) for name in names]))
    return path


def untouched(before: Path, after: Path) -> list[bool]:
    """Tell for each 512 px of a picture whether nothing in it was changed."""
    first, second = (cv2.imread(str(path)) for path in (before, after))
    assert first is not None
    assert second is not None
    columns = range(0, first.shape[1], 512)
    return [bool((first[:, x : x + 512] == second[:, x : x + 512]).all()) for x in columns]


def makes_a_permit(tree: ast.AST) -> bool:
    return any(
        isinstance(node, ast.Call)
        and (
            (isinstance(node.func, ast.Name) and node.func.id == "Permit")
            or (isinstance(node.func, ast.Attribute) and node.func.attr == "Permit")
        )
        for node in ast.walk(tree)
    ) or any(
        isinstance(node, ast.alias) and node.name == "Permit" and node.asname
        for node in ast.walk(tree)
    )


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_permits_are_made_in_one_place(module: Path) -> None:
    makes = makes_a_permit(parsed(module))
    assert makes == (module == PACKAGE / "safety" / "permits.py")


def test_only_the_span_is_touched(face_clip: Path, tmp_path: Path) -> None:
    config = Config(method="mosaic", **SPAN)
    report = streamanon.anonymise(face_clip, tmp_path / "out.mp4", config)
    assert changed(face_clip, tmp_path / "out.mp4") == [5 <= index < 10 for index in range(16)]
    assert (report.ledger.shown_frames, report.ledger.replaced, report.uncovered) == (11, 5, 0)
    assert "frames outside --from and --to stay as they are" in report.changes


def test_a_span_that_begins_after_the_film_is_refused(face_clip: Path, tmp_path: Path) -> None:
    config = Config(method="mosaic", from_=Fraction(100))
    with pytest.raises(UsageError, match=r"ends at 0\.64 s, before --from 100: nothing would be"):
        streamanon.anonymise(face_clip, tmp_path / "out.mp4", config)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("start", "end", "shown", "until", "permitted"),
    [
        ("1", None, "0.96", "1", True),
        ("1", None, "0.96", "1.001", False),
        ("0.1", None, "0", "0.1", True),
        ("5", None, "0", "10", False),
        ("5", None, "0", None, False),
        (None, "2", "1.96", "2", False),
        (None, "2", "2", "2.04", True),
        (None, None, "2", "2.04", False),
    ],
)
def test_a_frame_on_screen_within_the_span_is_touched(
    start: str | None, end: str | None, shown: str, until: str | None, permitted: object
) -> None:
    given = [None if one is None else Fraction(one) for one in (start, end, until)]
    permit = Permissions(given[0], given[1]).frame(Fraction(shown), given[2])
    assert (permit is not None) == permitted


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("12.5", "12.5"), ("1:30", "90"), ("01:02:03.25", "3723.25"), (0.1, "0.1")],
)
def test_times_are_read_exactly(text: Any, seconds: str) -> None:
    assert Config.of(from_=text).from_ == Fraction(seconds)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--from", "soon"], "from is 'soon': wanted seconds, or HOURS:MINUTES:SECONDS"),
        (["--from", "-1"], "from is '-1'"),
        (["--from", "3", "--to", "2"], "from is 3.0 s and to 2.0 s: --to must be later"),
        (["--to", "0"], "from is 0.0 s and to 0.0 s: --to must be later"),
        (["--region", "logo"], "wanted cover:X,Y,WIDTH,HEIGHT"),
        (["--region", "cover:1,2,3"], "wanted cover:X,Y,WIDTH,HEIGHT"),
        (["--region", "cover:900,0,10,10"], "outside a frame of 240x240 px"),
        (["--keep-face", "none.jpg"], "none.jpg cannot be read"),
    ],
)
def test_bad_requests_are_refused_in_one_line(
    face_clip: Path,
    tmp_path: Path,
    arguments: list[str],
    message: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    output = tmp_path / "out.mp4"
    code = execute(["run", str(face_clip), "-o", str(output), "--method", "mosaic", *arguments])
    assert code in (1, 2)
    assert message in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_face_within_a_region_stays_and_others_do_not(tmp_path: Path) -> None:
    before = group(tmp_path / "in.png", "london_001_neutral", "london_002_neutral")
    config = Config(method="solid", region=("leave:0,0,50%,100%",))
    report = streamanon.anonymise(before, tmp_path / "out.png", config)
    assert untouched(before, tmp_path / "out.png") == [True, False]
    assert (report.ledger.shown, report.ledger.replaced) == (1, 1)


def test_a_face_that_reaches_out_of_a_region_is_hidden(tmp_path: Path) -> None:
    before = group(tmp_path / "in.png", "london_001_neutral")
    config = Config(method="solid", region=("leave:0,0,100%,50%",))
    report = streamanon.anonymise(before, tmp_path / "out.png", config)
    assert (report.ledger.shown, report.ledger.replaced) == (0, 1)


def test_a_region_is_always_covered_and_tells_nothing_of_itself(tmp_path: Path) -> None:
    before = group(tmp_path / "in.png", "london_001_neutral")
    config = Config(method="solid", region=("cover:10,20,100,50", "leave:0,0,100%,100%"))
    streamanon.anonymise(before, tmp_path / "out.png", config)
    out = cv2.imread(str(tmp_path / "out.png"))
    assert out is not None
    patch, raw = out[20:70, 10:110], photo("london_001_neutral")
    assert len(np.unique(patch.reshape(-1, 3), axis=0)) <= 2
    out[20:70, 10:110] = raw[20:70, 10:110]
    assert (out == raw).all()


def test_a_region_in_per_cent_follows_the_picture() -> None:
    assert parse_region("cover:25%,50%,50%,10").box(200, 100).tolist() == [50, 50, 150, 60]


@pytest.fixture(scope="module")
def keeping() -> Iterator[streamanon.Anonymiser]:
    """Leaves one person as they are."""
    pytest.importorskip("dlib", reason="the extra dlib is not installed")
    config = Config(method="solid", keep_face=(PHOTOS / "london_001_neutral.webp",))
    with streamanon.Anonymiser(config) as anonymiser:
        yield anonymiser


def test_a_person_who_agreed_is_seen_and_others_are_not(
    keeping: streamanon.Anonymiser, tmp_path: Path
) -> None:
    before = group(tmp_path / "in.png", "london_001_smiling", "london_002_smiling")
    report = keeping.file(before, tmp_path / "out.png")
    assert untouched(before, tmp_path / "out.png") == [True, False]
    assert (report.ledger.shown, report.ledger.replaced, report.uncovered) == (1, 1, 0)


def test_several_people_may_agree(tmp_path: Path) -> None:
    pytest.importorskip("dlib", reason="the extra dlib is not installed")
    before = group(tmp_path / "in.png", "london_001_smiling", "london_002_smiling")
    photos = tuple(PHOTOS / f"london_00{number}_neutral.webp" for number in (1, 2))
    streamanon.anonymise(before, tmp_path / "out.png", Config(method="solid", keep_face=photos))
    assert untouched(before, tmp_path / "out.png") == [True, True]


@pytest.mark.parametrize(
    "names",
    [
        ("london_002_neutral",),
        ("portrait_man",),
        ("london_001_smiling", "london_001_neutral"),  # nobody is there twice
    ],
)
def test_in_doubt_nobody_is_seen(
    keeping: streamanon.Anonymiser, tmp_path: Path, names: tuple[str, ...]
) -> None:
    resized = [cv2.resize(photo(name), (512, 512)) for name in names]
    assert cv2.imwrite(str(tmp_path / "in.png"), np.hstack(resized))
    report = keeping.file(tmp_path / "in.png", tmp_path / "out.png")
    assert (report.ledger.shown, report.ledger.replaced) == (0, len(names))


def _with_cosines(*cosines: float) -> list[NDArray[np.float32]]:
    """Return unit vectors with these cosines to (1, 0)."""
    return [np.array([one, np.sqrt(1 - one * one)], np.float32) for one in cosines]


@pytest.mark.parametrize(
    ("track", "here", "seen"),
    [
        ((SURE[0] + 0.01, SURE[1] + 0.01), (ALIKE[0] + 0.01, ALIKE[1] + 0.01), True),
        ((SURE[0] - 0.01, 0.99), (0.9, 0.99), False),
        ((0.99, SURE[1] - 0.01), (0.9, 0.99), False),
        ((0.99, 0.99), (ALIKE[0] - 0.01, 0.99), False),  # the track went on over somebody else
        ((0.99, 0.99), (0.99, ALIKE[1] - 0.01), False),
        ((0.99, 0.99), (float("nan"), 0.99), False),
    ],
)
def test_both_recognisers_must_be_sure_of_the_track_and_of_the_frame(
    track: tuple[float, float], here: tuple[float, float], seen: object
) -> None:
    photos = [_with_cosines(1, 1)]
    assert (kept_person(_with_cosines(*track), _with_cosines(*here), photos) is not None) == seen


def test_recognisers_must_agree_on_the_same_photograph() -> None:
    away = np.array([0, 1], np.float32)
    here = np.array([1, 0], np.float32)
    assert kept_person([here, here], [here, here], [[here, away], [away, here]]) is None
    assert kept_person([here, here], [here, here], [[away, here], [here, here]]) == Permit(
        "kept: photograph 2"
    )


def test_the_file_of_boxes_tells_an_audit_what_was_meant(face_clip: Path, tmp_path: Path) -> None:
    out, boxes = tmp_path / "out.mp4", tmp_path / "boxes.json"
    config = Config(method="mosaic", boxes=boxes, **SPAN)
    streamanon.anonymise(face_clip, out, config)
    assert stat.S_IMODE(boxes.stat().st_mode) == 0o600
    (entry,) = json.loads(boxes.read_text())["files"]
    assert entry["complete"]
    assert [frame["frame"] for frame in entry["frames"]] == list(range(16))
    assert [frame["treatment"] for frame in entry["frames"] if not frame["faces"]] == ["shown"] * 11
    (face,) = entry["frames"][5]["faces"]
    assert (face["treatment"], face["track"], len(face["landmarks"])) == ("replaced", 1, 5)
    assert entry["frames"][5]["time_s"] == 0.2
    assert not {"embedding", str(tmp_path)} & set(boxes.read_text().split('"'))
    assert not audit(face_clip, out).passed
    result = audit(face_clip, out, boxes=boxes)
    assert result.passed
    assert (result.faces, result.shown) == (5, 11)
    with pytest.raises(UsageError, match="another file"):
        audit(out, out, boxes=boxes)


def test_an_audit_of_nothing_but_permits_says_so(face_clip: Path, tmp_path: Path) -> None:
    out, boxes = tmp_path / "out.mp4", tmp_path / "boxes.json"
    config = Config(method="mosaic", region=("leave:0,0,100%,100%",), boxes=boxes)
    streamanon.anonymise(face_clip, out, config)
    with pytest.raises(StreamanonError, match="16 faces of ORIGINAL are shown on request"):
        audit(face_clip, out, boxes=boxes)


def test_a_failed_file_leaves_boxes_that_say_so(face_clip: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_text("no video")
    config = ["--method", "mosaic", "--boxes", str(tmp_path / "boxes.json")]
    (tmp_path / "out").mkdir()
    code = execute(["run", str(face_clip), str(broken), "-o", str(tmp_path / "out"), *config])
    assert code == 1
    (entry,) = json.loads((tmp_path / "boxes.json").read_text())["files"]
    assert entry["complete"]
