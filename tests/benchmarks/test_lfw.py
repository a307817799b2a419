"""Which folds and pairs come out of the LFW data, and what data is refused."""

import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest

from benchmarks.lfw import DRAWN, OFFICIAL, TEST_FOLDS, Lfw
from streamanon.errors import UsageError


def test_pairs_are_of_their_fold_and_kind(small_lfw: Path) -> None:
    lfw = Lfw(small_lfw)
    people = []
    for fold in TEST_FOLDS:
        pairs = lfw.pairs(fold)
        kinds = [pair.same for pair in pairs]
        assert kinds == [True] * 300 + [False] * 300
        assert all((lfw.person[p.first] == lfw.person[p.second]) == p.same for p in pairs)
        assert all(p.first != p.second for p in pairs)
        assert len({frozenset((p.first, p.second)) for p in pairs}) == 600
        people.append({lfw.person[name] for p in pairs for name in (p.first, p.second)})
    assert people[0].isdisjoint(people[1])
    assert lfw.source == DRAWN


def test_the_same_pairs_every_time_and_fewer_from_the_top(small_lfw: Path) -> None:
    pairs = Lfw(small_lfw).pairs(7)
    assert Lfw(small_lfw).pairs(7) == pairs
    assert Lfw(small_lfw).pairs(7, 5) == pairs[:5] + pairs[300:305]


def test_a_tar_file_holds_the_same_as_the_folder(small_lfw: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "lfw.tar", "w") as tar:
        for path in sorted(small_lfw.rglob("*")):
            tar.add(path, path.relative_to(small_lfw), recursive=False)
    one, other = Lfw(small_lfw), Lfw(tmp_path)
    assert one.pairs(8) == other.pairs(8)
    name = one.pairs(8)[0].second
    assert one.image(name).shape == (194, 194, 3)
    assert np.array_equal(one.image(name), other.image(name))


def test_the_official_list_is_used_where_there_is_one(small_lfw: Path, tmp_path: Path) -> None:
    shutil.copytree(small_lfw, tmp_path, dirs_exist_ok=True)
    people = sorted(set(Lfw(small_lfw).person.values()))
    same = [f"{people[0]}\t{1 + k % 7}\t8" for k in range(300)]
    different = [f"{people[1]}\t1\t{people[2]}\t{1 + k % 8}" for k in range(300)]
    text = "\n".join(["10\t300", *["x\t1\t2"] * 3600, *same, *different])
    (tmp_path / "pairs.txt").write_text(text)
    lfw = Lfw(tmp_path)
    pairs = lfw.pairs(7)
    assert lfw.source == OFFICIAL
    assert (len(pairs), pairs[3].same, pairs[300].same) == (600, True, False)
    assert pairs[3].first == f"lfw/{people[0]}/{people[0]}_0004.png"
    assert pairs[302].second == f"lfw/{people[2]}/{people[2]}_0003.png"
    (tmp_path / "pairs.txt").write_text(text.replace("\t8\n", "\t9\n", 1))
    with pytest.raises(UsageError, match=f"{people[0]}_0009 of pairs.txt is not there"):
        Lfw(tmp_path).pairs(7)
    (tmp_path / "pairs.txt").write_text(text.replace("\t8\n", "\n", 1))
    with pytest.raises(UsageError, match=r"pairs.txt has the line '.*1'"):
        Lfw(tmp_path).pairs(7)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ("file,person\na,b\n", "no column lfw_folds"),
        ("", "no column file, lfw_folds, person"),
        ("file,person,lfw_folds\na,b,1\n", "no picture of LFW fold 7"),
        ("file,person,lfw_folds\na,b,7\nc,d,7\n", "too few pictures"),
    ],
)
def test_other_data_is_refused(tmp_path: Path, index: str, message: str) -> None:
    (tmp_path / "index.csv").write_text(index)
    with pytest.raises(UsageError, match=message):
        Lfw(tmp_path).pairs(7)


def test_missing_and_damaged_data_is_refused(small_lfw: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no LFW data at"):
        Lfw(tmp_path)
    with pytest.raises(UsageError, match="no LFW data at"):
        Lfw(tmp_path / "none")
    (tmp_path / "lfw.tar").write_text("not a tar file, and long enough to be read as one" * 30)
    with pytest.raises(UsageError, match="no readable tar file"):
        Lfw(tmp_path)
    shutil.copytree(small_lfw, tmp_path / "lfw")
    lfw = Lfw(tmp_path / "lfw")
    name = lfw.pairs(7)[0].first
    (tmp_path / "lfw" / name).write_bytes(b"broken")
    with pytest.raises(UsageError, match="is no picture"):
        lfw.image(name)
    (tmp_path / "lfw" / name).unlink()
    with pytest.raises(UsageError, match="cannot be read"):
        lfw.image(name)


def test_the_real_data_holds_the_test_folds(shared_lfw: Path) -> None:
    lfw = Lfw(shared_lfw)
    for fold in TEST_FOLDS:
        pairs = lfw.pairs(fold)
        assert len(pairs) == 600
        assert lfw.image(pairs[0].second).shape == (194, 194, 3)
    with pytest.raises(UsageError, match="fold 9"):
        lfw.pairs(9)
