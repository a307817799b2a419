"""The page says what the results say: dead as dead, missing as missing, losses with the wins."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.report import page
from benchmarks.report.records import Record, read
from benchmarks.report.tables import number
from streamanon.config import Config
from streamanon.errors import UsageError

Change = Callable[[str, Callable[[dict[str, Any]], object]], None]
Records = dict[str, Record | None]


def _results(records: Records, suite: str) -> dict[str, Any]:
    record = records[suite]
    assert record is not None
    return record.results


def _table(text: str, title: str) -> dict[str, list[str]]:
    """Return the cells of the table under a title, by the first of their row."""
    section = text[text.index(f"### {title}") :]
    lines = section[: section.find("\n#", 1)].splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines if line.startswith("| ")]
    return {row[0].strip("`"): row[1:] for row in rows[2:]}


def test_the_same_results_give_the_same_page(records: Records, results: Path) -> None:
    assert page.page(records) == page.page(read(results))
    assert page.readme(records) == page.readme(read(results))


def test_figures_stand_in_their_tables(records: Records) -> None:
    text = page.page(records)
    found = _table(text, "Is it still a face to a detector?")
    assert found["warp"][0] == "100.0 ± 0.0 %<br>[100.0, 100.0]"
    assert found["mosaic"][0].startswith("0.0")
    for row in _results(records, "peers")["rows"]:
        cells = _table(text, "Speed and memory beside peers")[row["name"]]
        assert cells[0] == number(row["fps"])
    assert _table(text, "Methods side by side")["decode+encode"][1] == "–"
    assert _table(text, "Latency, ms")["warp, live at 30 fps"][:3] == ["n = 0"] * 3


def test_figures_of_clips_are_means_between_extremes_and_shares_of_all_frames(
    results: Path, change: Change
) -> None:
    def another(document: dict[str, Any]) -> None:
        figures = document["results"]["summary"]["warp"]
        figures["motion jitter"] = {"mean": 1.5, "min": 1.0, "max": 2.0, "clips": 2}
        figures["leaks leak_rate"] |= {"mean": 0.5, "pooled": 0.25, "clips": 2}
        figures["leaks frames_with_face"] |= {"mean": 30.0, "clips": 2}

    change("video", another)
    text = page.page(read(results))
    assert _table(text, "Does the face stand still?")["warp"][0] == "1.50<br>[1.00, 2.00]<br>n = 2"
    assert _table(text, "Is every face hidden?")["warp"][0] == "25.0 %<br>n = 60"
    assert _table(text, "Does the face stand still?")["mosaic"][0] == "n = 0"


def test_every_table_says_where_it_comes_from(records: Records) -> None:
    text = page.page(records)
    tables = text.count("\n### ")
    lines = re.findall(r"<sub>`(\w+).json`: commit \S+, .*(?:AMD|Intel).*, 2 cores; python 3", text)
    assert len(lines) >= tables > 15
    assert set(lines) == {"stills", "video", "speed", "peers", "live", "training"}


def test_our_baselines_stand_under_those_of_the_paper(records: Records) -> None:
    rows = _table(page.page(records), "Beside the paper")
    assert list(rows)[:4] == [
        *("Blurring, the paper", "blur101"),
        *("Pixelation, the paper", "pixelation10"),
    ]
    assert rows["AnonyGAN, the paper"][0] == "8.93"
    assert "0.03 ± 0.07 %" in rows["Blurring, the paper"]
    assert rows["blur101"][0] == "–"
    assert "none" not in rows


def test_a_detector_that_finds_nothing_is_shown_as_dead(results: Path, change: Change) -> None:
    def blind(document: dict[str, Any]) -> None:
        judge = document["results"]["judges"]["centerface"]
        judge.update(alive=False, reason="finds 0 of 6 known faces")

    change("stills", blind)
    text = page.page(read(results))
    cells = _table(text, "Is it still a face to a detector?")["warp"]
    assert cells[4:] == ["**dead**", "**dead**"]
    assert cells[0] != "**dead**"
    assert "finds 0 of 6 known faces" in text
    in_short = text[text.index("## In short") : text.index("## Where others")]
    assert in_short.count("**dead**") > 4


def test_a_judge_that_sees_no_leak_in_an_unchanged_clip_is_dead(
    results: Path, change: Change
) -> None:
    def blind(document: dict[str, Any]) -> None:
        for row in document["results"]["rows"]:
            row["leaks"]["dlib-hog"].update(alive=True, leaking_frames=0, frames_with_face=40)

    change("peers", blind)
    cells = _table(page.page(read(results)), "Who is not hidden, beside peers")["streamanon warp"]
    assert cells[3:] == ["**dead**"] * 3
    assert cells[0] == "0.0 %"


def test_the_judge_of_clips_is_dead_when_it_says_so_or_sees_no_leak_in_unchanged_ones(
    results: Path, change: Change
) -> None:
    def blind(document: dict[str, Any]) -> None:
        document["results"]["summary"]["none"]["leaks leak_rate"]["pooled"] = 0.1
        document["results"]["judges"]["mesh"].update(alive=False, reason="sees nobody")

    change("video", blind)
    text = page.page(read(results))
    assert _table(text, "Is every face hidden?")["warp"][:2] == ["**dead**"] * 2
    assert "calls 10% of the frames of unchanged clips leaking" in text
    steady = _table(text, "Does the face stand still?")["warp"]
    assert steady[:3] == ["**dead**"] * 3
    assert "**dead**" not in steady[3:]


def test_a_run_that_hid_no_face_is_dead_however_fast(results: Path, change: Change) -> None:
    def idle(document: dict[str, Any]) -> None:
        for row in document["results"]["rows"]:
            if row["method"] == "mosaic":
                row.update(alive=False, reason="0.00 faces a frame were hidden, 1 are in view")

    change("speed", idle)
    text = page.page(read(results))
    assert _table(text, "Methods side by side")["mosaic"][0] == "**dead**"
    assert "**Dead**, `mosaic`: 0.00 faces a frame were hidden" in text


def test_missing_results_are_shown_as_missing(results: Path) -> None:
    (results / "peers.json").unlink()
    text = page.page(read(results))
    assert "**Missing**: the results of `python -m benchmarks peers`" in text


def test_losses_are_listed_with_their_figures(results: Path, change: Change) -> None:
    own = Config().method

    def ours(document: dict[str, Any]) -> None:
        for row in document["results"]["rows"]:
            row["method"] = {"warp": own}.get(row["method"], row["method"])

    change("speed", ours)
    records = read(results)
    rows = _results(records, "speed")["rows"]
    fps = {row["method"]: row["fps"] for row in rows if "method" in row["axes"]}
    assert fps["mosaic"] > fps[own], "the quick run measured otherwise"
    text = page.page(records)
    listed = text[text.index("## Where others are better") : text.index("## Stills")]
    lost = f"whole process: {number(fps[own])}; better: `mosaic` {number(fps['mosaic'])}"
    assert f"Methods side by side, frames/s, {lost}" in listed
    assert "mobilefacenet" not in listed
    assert "`none`" not in listed


def test_figures_of_the_paper_that_are_better_are_listed(results: Path, change: Change) -> None:
    def worse(document: dict[str, Any]) -> None:
        rows = document["results"]["rows"]
        rows[Config().method] = rows["warp"]
        rows["warp"]["landmarks_dlib"]["pose_paper"]["mean"] = 0.2

    assert "AnonyGAN 0.05" not in page.page(read(results))
    change("stills", worse)
    assert "0.200; better: AnonyGAN 0.05" in page.page(read(results))


def test_only_the_block_of_the_readme_changes() -> None:
    text = f"# A\n\n{page.BEGIN}\nold\n{page.END}\n\n## B\n"
    new = f"{page.BEGIN}\nnew\n{page.END}"
    assert page.with_block(text, new) == f"# A\n\n{new}\n\n## B\n"


@pytest.mark.parametrize(
    "text", ["no block", page.BEGIN, f"{page.END}\n{page.BEGIN}", 2 * f"{page.BEGIN}\n{page.END}\n"]
)
def test_a_readme_without_a_place_for_the_block_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"README\.md needs one line"):
        page.with_block(text, "new")


def test_the_paths_of_users_never_name_pictures(records: Records) -> None:
    stills = records["stills"]
    assert stills is not None
    stills.results["rows"]["folder:theirs"] = stills.results["rows"]["warp"]
    assert page.pictured(records) == ["none", "blur101", "pixelation10", "mosaic", "warp"]


def test_speeds_of_a_busy_machine_are_marked(results: Path, change: Change) -> None:
    def quiet(document: dict[str, Any]) -> None:
        for row in document["results"]["rows"]:
            row |= {"others": 0.01, "load_before": 0.1}

    for suite in ("speed", "peers"):
        assert "**Not quiet**: other processes took up to" in page.readme(read(results))
        change(suite, quiet)
    assert "**Not quiet**: up to " in page.page(read(results))
    change("live", quiet)
    assert "**Not quiet**" not in page.page(read(results))
    assert "**Not quiet**" not in page.readme(read(results))


def test_live_streams_have_latency_memory_and_faults(results: Path, change: Change) -> None:
    def leak(document: dict[str, Any]) -> None:
        row = next(r for r in document["results"]["rows"] if r.get("fault") == "server killed")
        row |= {"raw_faces": 1, "recovered_s": [0.5, 3.0, 0.25], "connections": 2, "logged": False}

    change("live", leak)
    text = page.page(read(results))
    assert "1 stream" in next(iter(_table(text, "Live streams under load")))
    assert "warp, 1 stream" in _table(text, "Memory of a long stream")
    rows = _table(text, "Faults")
    assert rows["server killed"][1] == "0.50, 3.00"
    assert rows["server killed"][-2:] == ["**no**", "**no**"]
    assert rows["output server killed"][-2] == "no: their server stopped"
