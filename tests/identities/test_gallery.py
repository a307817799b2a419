"""The shipped gallery, measured again; folders of portraits, good and bad."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from streamanon.errors import StreamanonError, UsageError
from streamanon.face import landmarks as lm
from streamanon.identities import gallery
from streamanon.identities.portrait import PortraitReader, face_height_px
from streamanon.identities.prepare import prepare
from streamanon.imaging.picture import as_picture
from streamanon.tracking.identity_assigner import OLDEST_CHILD
from streamanon.types import U8, Identity
from testkit.paths import PHOTOS, PORTRAITS
from testkit.photos import read_photo


def load(folder: Path, reader: PortraitReader) -> tuple[Identity, ...]:
    return gallery.load_folder(folder, reader)


def test_the_built_in_gallery_is_large_small_enough_and_named() -> None:
    identities = gallery.load_builtin()
    names = [identity.name for identity in identities]
    assert len(set(names)) == len(names) >= 150
    assert all(name.isalpha() and name.islower() for name in names)
    assert sum(path.stat().st_size for path in PORTRAITS.iterdir()) < 8e6
    assert all(face_height_px(identity.mesh) >= 220 for identity in identities)


def test_no_two_built_in_portraits_pass_for_one_person() -> None:
    everybody = gallery.load_builtin()
    vectors = np.stack([identity.embedding for identity in everybody])
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-4)
    likeness = vectors @ vectors.T - np.eye(len(vectors))
    child = np.array([identity.years <= OLDEST_CHILD for identity in everybody])
    assert likeness[~child][:, ~child].max() <= gallery.TOO_SIMILAR
    assert likeness[child].max() < 0.8


def test_skins_range_from_dark_to_light() -> None:
    tones = np.array([identity.skin_lab[0] for identity in gallery.load_builtin()])
    assert tones.min() < 30
    assert tones.max() > 70
    assert np.diff(np.sort(tones)).max() < 8


def test_measured_again_the_portraits_pass_and_agree_with_the_index(reader: PortraitReader) -> None:
    for identity in gallery.load_builtin():
        again = reader.read(PORTRAITS / f"{identity.name}.webp")
        assert again.portrait.shape == pytest.approx(identity.portrait.shape, abs=2)
        apart = np.linalg.norm(again.mesh.points - identity.mesh.points, axis=1)[:468]
        assert float(np.median(apart)) < 0.015 * face_height_px(identity.mesh), identity.name
        assert float(again.embedding @ identity.embedding) > 0.9, identity.name
        assert np.abs(again.skin_lab - identity.skin_lab).max() < 3, identity.name
        yaw, pitch, roll = np.abs(lm.head_pose(again.mesh.points))
        assert yaw < 10, identity.name
        nodding = 18 if identity.years <= OLDEST_CHILD else 16  # short chins look like nods
        assert pitch < nodding, identity.name
        assert roll < 16, identity.name


def test_an_identity_with_teeth_can_lend_them() -> None:
    identities = gallery.load_builtin()
    donor = gallery.showing_most_teeth(identities)
    assert donor is not None
    assert donor.name == "dana"
    closed = [identity for identity in identities if identity.name in ("jin", "omar")]
    assert gallery.showing_most_teeth(closed) is None


def test_a_prepared_folder_gives_what_the_plain_one_gives(
    tmp_path: Path, reader: PortraitReader
) -> None:
    plain, out = tmp_path / "plain", tmp_path / "out"
    plain.mkdir()
    for name, source in (("Ann", "london_001_neutral"), ("bob", "london_002_smiling")):
        cv2.imwrite(str(plain / f"{name}.png"), read_photo(source))
    portraits = sorted(plain.iterdir())
    refused: list[StreamanonError] = []
    assert prepare(portraits, out, reader, refused.append) == 2
    assert not refused
    assert sorted(path.name for path in out.iterdir()) == ["ann.webp", "bob.webp", "gallery.npz"]
    for first, again in zip(load(plain, reader), load(out, reader), strict=True):
        assert first.name == again.name
        assert np.array_equal(first.mesh.points, again.mesh.points)
        assert np.array_equal(first.embedding, again.embedding)
        assert np.array_equal(first.skin_lab, again.skin_lab)
        assert np.abs(first.portrait.astype(int) - again.portrait).mean() < 3
    with pytest.raises(UsageError, match="is not an empty folder: choose"):
        prepare(portraits, out, reader, refused.append)


def test_what_will_not_do_is_named_and_left_out(tmp_path: Path, reader: PortraitReader) -> None:
    pictures = {
        "ann.png": read_photo("london_001_neutral"),
        "again.png": read_photo("london_001_smiling"),
        "bob.png": read_photo("london_002_smiling"),
        "small.png": _small(read_photo("london_002_neutral")),
    }
    for name, image in pictures.items():
        cv2.imwrite(str(tmp_path / name), image)
    refused: list[StreamanonError] = []
    paths = [tmp_path / name for name in (*pictures, "missing.jpg")]
    assert prepare(paths, tmp_path / "out", reader, refused.append) == 2
    assert [identity.name for identity in load(tmp_path / "out", reader)] == ["ann", "bob"]
    assert [
        name for name in ("again", "small", "missing") for why in refused if name in str(why)
    ] == ["again", "small", "missing"]
    with pytest.raises(UsageError, match="none of 2 portraits will do"):
        prepare(paths[-2:], tmp_path / "none", reader, refused.append)
    with pytest.raises(UsageError, match=r"missing\.jpg cannot be read"):
        prepare(paths[-1:], tmp_path / "none", reader, refused.append)
    assert not (tmp_path / "none").exists()


def test_preparing_keeps_no_metadata(tmp_path: Path, reader: PortraitReader) -> None:
    source = tmp_path / "ann.jpg"
    cv2.imwrite(str(source), read_photo("london_001_neutral"))
    plain = source.read_bytes()
    secret = b"Exif\0\0MM\0*\0\0\0\x08\0\0 taken at 52.5 N 13.4 E"
    segment = b"\xff\xe1" + (len(secret) + 2).to_bytes(2) + secret
    source.write_bytes(plain[:2] + segment + plain[2:])
    assert prepare([source], tmp_path / "out", reader, refused=print) == 1
    data = (tmp_path / "out" / "ann.webp").read_bytes()
    assert b"52.5" not in data
    assert b"EXIF" not in data


def test_a_prepared_folder_notices_foreign_and_changed_portraits(
    tmp_path: Path, reader: PortraitReader
) -> None:
    folder = tmp_path / "own"
    shutil.copytree(PORTRAITS, folder)
    cv2.imwrite(str(folder / "new.png"), read_photo("london_001_neutral"))
    with pytest.raises(UsageError, match="holds new, which its index does not know"):
        load(folder, reader)
    (folder / "new.png").unlink()
    shutil.copy(folder / "jin.webp", folder / "zoe.webp")
    with pytest.raises(UsageError, match=r"zoe\.webp was changed"):
        load(folder, reader)
    (folder / "zoe.webp").unlink()
    with pytest.raises(UsageError, match=r"zoe\.webp cannot be read: No such file"):
        load(folder, reader)
    (folder / "gallery.npz").write_bytes(b"PK nonsense")
    with pytest.raises(UsageError, match="is damaged"):
        load(folder, reader)


def _two(image: U8) -> U8:
    return np.hstack([image, image])


def _small(image: U8) -> U8:
    return np.asarray(cv2.resize(image, None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA))


def _leaning(image: U8) -> U8:
    turn = cv2.getRotationMatrix2D((256, 256), 30, 1)
    return np.asarray(cv2.warpAffine(image, turn, (512, 512), borderMode=cv2.BORDER_REPLICATE))


def _with_a_band(image: U8) -> U8:
    (identity,) = [i for i in gallery.load_builtin() if i.name == "clara"]
    x, y = np.rint(identity.mesh.points[151, :2]).astype(int).tolist()
    shown = identity.portrait.copy()
    cv2.rectangle(shown, (x - 120, y - 45), (x + 120, y + 15), (20, 10, 10), -1)
    return shown


def _nobody(image: U8) -> U8:
    return np.full_like(image, 128)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_nobody, "shows no face, wanted exactly one"),
        (_two, "shows 2 faces, wanted exactly one"),
        (_small, r"shows a face 8\d px high, wanted at least 160 px"),
        (_leaning, r"leans by [23]\d.*, wanted at most 20 degrees"),
        (_with_a_band, "changes colour on the forehead by"),
    ],
)
def test_a_portrait_that_will_not_do_is_refused(
    spoil: object, message: str, tmp_path: Path, reader: PortraitReader
) -> None:
    assert callable(spoil)
    cv2.imwrite(str(tmp_path / "ann.png"), spoil(read_photo("london_001_neutral")))
    with pytest.raises(UsageError, match=message) as caught:
        load(tmp_path, reader)
    assert "ann.png" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_folders_that_hold_no_gallery_are_refused(tmp_path: Path, reader: PortraitReader) -> None:
    with pytest.raises(UsageError, match="is not a folder"):
        load(tmp_path / "missing", reader)
    with pytest.raises(UsageError, match="holds no portrait"):
        load(tmp_path, reader)
    (tmp_path / "note.png").write_text("hello")
    with pytest.raises(UsageError, match=r"note\.png is not a picture"):
        load(tmp_path, reader)
    (tmp_path / "note.png").write_bytes(b"")
    with pytest.raises(UsageError, match=r"note\.png is not a picture"):
        load(tmp_path, reader)


def test_two_portraits_of_one_person_or_one_name_are_refused(
    tmp_path: Path, reader: PortraitReader
) -> None:
    cv2.imwrite(str(tmp_path / "ann.png"), read_photo("london_001_neutral"))
    cv2.imwrite(str(tmp_path / "ann2.jpg"), read_photo("london_001_smiling"))
    with pytest.raises(UsageError, match=r"ann\.png and .*ann2\.jpg look like one person"):
        load(tmp_path, reader)
    (tmp_path / "ann2.jpg").rename(tmp_path / "ANN.jpg")
    with pytest.raises(UsageError, match="have the same name: rename one"):
        load(tmp_path, reader)


def test_the_crop_shows_the_face_where_its_mesh_says(reader: PortraitReader) -> None:
    identity = reader.read(PHOTOS / "london_001_neutral.webp")
    (face,) = reader.detector.detect(as_picture(identity.portrait))
    assert face.points is not None
    assert np.abs(face.points - lm.five_points(identity.mesh.points)).max() < 25
