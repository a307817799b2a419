"""Pictures of every format and colour space through a whole run: colours, pages, times, names."""

import io
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms, ImageSequence, PngImagePlugin

from streamanon import Anonymiser, Config
from streamanon.errors import MediaError, UsageError
from streamanon.files.jobs import left_out, plan
from testkit.paths import PHOTOS
from testkit.profiles import (
    DISPLAY_P3,
    GREY_GAMMA_18,
    inverted_cmyk,
    swapped_rgb,
    tinted_grey,
)
from testkit.python import python

SRGB = ImageCms.createProfile("sRGB")
GREEN = (40, 160, 60)


@pytest.fixture(scope="module")
def solid() -> Iterator[Anonymiser]:
    with Anonymiser(Config(method="solid")) as anonymiser:
        yield anonymiser


@pytest.fixture(scope="module")
def scene() -> Image.Image:
    """A face on the right of something green, 320 x 160 px."""
    image = Image.new("RGB", (320, 160), GREEN)
    with Image.open(PHOTOS / "london_001_neutral.webp") as photo:
        image.paste(photo.convert("RGB").resize((160, 160)), (160, 0))
    return image


def shown(path: Path, page: int = 0) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return a page as a viewer that knows profiles shows it, in sRGB."""
    with Image.open(path) as file:
        file.seek(page)
        icc = file.info.get("icc_profile")
        if not icc:
            return np.asarray(file.convert("RGB")).astype(int)
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        image = ImageCms.profileToProfile(file, profile, SRGB, outputMode="RGB")
        return np.asarray(image).astype(int)


def in_profile(image: Image.Image, icc: bytes, mode: str) -> Image.Image:
    """Return a picture in sRGB in the colours of a profile."""
    profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    converted = ImageCms.profileToProfile(image, SRGB, profile, outputMode=mode)
    assert converted is not None
    return converted


def check(before: Path, after: Path, page: int = 0, *, within: int = 3) -> None:
    """Check that colours are the same beside the face, and that it is hidden."""
    first, second = shown(before, page), shown(after, page)
    assert np.abs(first - second)[40:, :140].max() <= within
    assert np.abs(first - second)[15, 15].max() <= 2 * within
    assert second[80, 240].max() < 12


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        ("jpg", {"quality": 95, "subsampling": 0}),
        ("png", {}),
        ("webp", {"lossless": True}),
        ("tiff", {}),
        ("avif", {"quality": 95}),
    ],
)
def test_display_p3_looks_the_same(
    scene: Image.Image, solid: Anonymiser, tmp_path: Path, suffix: str, options: dict[str, Any]
) -> None:
    before, after = tmp_path / f"in.{suffix}", tmp_path / f"out.{suffix}"
    in_profile(scene, DISPLAY_P3, "RGB").save(before, icc_profile=DISPLAY_P3, **options)
    solid.file(before, after)
    check(before, after)


P3 = struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)


@pytest.mark.parametrize(
    ("name", "chunks"),
    [
        ("in.png", {b"cHRM": P3, b"gAMA": struct.pack(">I", 45455)}),
        ("in.png", {b"cICP": bytes([12, 13, 0, 1])}),
        ("in.avif", {}),
    ],
)
def test_colours_that_are_stated_without_a_profile_look_the_same(
    scene: Image.Image, solid: Anonymiser, tmp_path: Path, name: str, chunks: dict[bytes, bytes]
) -> None:
    wide = in_profile(scene, DISPLAY_P3, "RGB")
    wide.save(tmp_path / "same.png", icc_profile=DISPLAY_P3)
    before, after = tmp_path / name, tmp_path / f"out{Path(name).suffix}"
    if chunks:
        info = PngImagePlugin.PngInfo()
        for kind, data in chunks.items():
            info.add(kind, data)
        wide.save(before, pnginfo=info)
    else:
        wide.save(before, quality=95)
        before.write_bytes(before.read_bytes().replace(b"colrnclx\0\1", b"colrnclx\0\x0c"))
    solid.file(before, after)
    check(tmp_path / "same.png", after, within=3 if chunks else 5)


def test_colours_that_make_no_sense_are_taken_for_srgb(
    scene: Image.Image, solid: Anonymiser, tmp_path: Path
) -> None:
    info = PngImagePlugin.PngInfo()
    info.add(b"cHRM", bytes(32))
    scene.save(tmp_path / "in.png", pnginfo=info)
    solid.file(tmp_path / "in.png", tmp_path / "out.png")
    check(tmp_path / "in.png", tmp_path / "out.png", within=0)


def test_hdr_pictures_are_refused(scene: Image.Image, solid: Anonymiser, tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add(b"cICP", bytes([9, 16, 0, 1]))
    scene.save(tmp_path / "in.png", pnginfo=info)
    with pytest.raises(MediaError, match=r"its colours are HDR \(PQ\): convert it to SDR first"):
        solid.file(tmp_path / "in.png", tmp_path / "out.png")


@pytest.mark.parametrize("name", ["icc_adobergb.jpg", "icc_prophoto.png"])
def test_pictures_of_cameras_keep_their_colours(
    solid: Anonymiser, tmp_path: Path, name: str
) -> None:
    solid.file(PHOTOS / name, tmp_path / name)
    before, after = shown(PHOTOS / name), shown(tmp_path / name)
    assert np.abs(before - after)[:, [*range(120), *range(136, 256)]].max() <= 3
    assert np.abs(after[128, 200] - GREEN).max() <= 3


@pytest.mark.parametrize("suffix", ["jpg", "tiff"])
@pytest.mark.parametrize("icc", [inverted_cmyk(), None])
def test_cmyk_becomes_srgb(
    scene: Image.Image, solid: Anonymiser, tmp_path: Path, suffix: str, icc: bytes | None
) -> None:
    before, after = tmp_path / f"in.{suffix}", tmp_path / f"out.{suffix}"
    scene.convert("CMYK").save(before, icc_profile=icc)
    solid.file(before, after)
    check(before, after)
    with Image.open(after) as image:
        assert image.mode == "RGB"


def test_grey_of_another_gamma_looks_the_same(
    scene: Image.Image, solid: Anonymiser, tmp_path: Path
) -> None:
    grey = in_profile(scene, GREY_GAMMA_18, "L")
    grey.save(tmp_path / "in.png", icc_profile=GREY_GAMMA_18)
    solid.file(tmp_path / "in.png", tmp_path / "out.png")
    check(tmp_path / "in.png", tmp_path / "out.png")


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("in.jpg", "L"),
        ("in.png", "L"),
        ("in.png", "LA"),
        ("in.tiff", "L"),
        ("in.png", "I;16"),
        ("in.tiff", "I;16"),
    ],
)
def test_grey_that_a_table_defines_looks_the_same(
    scene: Image.Image, solid: Anonymiser, tmp_path: Path, name: str, mode: str
) -> None:
    levels = np.asarray(scene.convert("L")).copy()
    levels[:, :150] = np.linspace(0, 255, 150).astype(np.uint8)
    image = Image.fromarray(levels)
    image.save(tmp_path / "grey.png", icc_profile=tinted_grey())
    if mode == "LA":
        image.putalpha(255)
    elif mode == "I;16":
        image = Image.fromarray(levels.astype(np.uint16) * 257)
    options: dict[str, Any] = {"quality": 95} if name == "in.jpg" else {}
    image.save(tmp_path / name, icc_profile=tinted_grey(), **options)
    out = tmp_path / f"out{Path(name).suffix}"
    solid.file(tmp_path / name, out)
    wanted, found = shown(tmp_path / "grey.png"), shown(out)
    assert np.abs(wanted - found)[:, :140].max() <= (6 if name == "in.jpg" else 2)
    assert np.ptp(wanted[80, 75]) > 20, "brown"
    assert found[80, 240].max() < 12, "hidden"


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_sixteen_bits_and_their_profile_stay(
    scene: Image.Image, solid: Anonymiser, tmp_path: Path, suffix: str
) -> None:
    wide = np.asarray(in_profile(scene, DISPLAY_P3, "RGB")).astype(np.uint16) * 257
    wide[:, :140] += np.arange(140, dtype=np.uint16)[:, None]
    before, after = tmp_path / f"in.{suffix}", tmp_path / f"out.{suffix}"
    if suffix == "png":
        stored = [np.frombuffer(DISPLAY_P3, np.uint8)]
        kinds = [cv2.IMAGE_METADATA_ICCP]
        ok, content = cv2.imencodeWithMetadata(".png", wide[:, :, ::-1], kinds, stored)
        assert ok
        before.write_bytes(content.tobytes())
    else:
        tifffile.imwrite(before, wide, photometric="rgb", iccprofile=DISPLAY_P3)
    solid.file(before, after)
    read = cv2.imread(str(after), cv2.IMREAD_UNCHANGED)
    assert read is not None
    assert np.array_equal(read[:, :140, ::-1], wide[:, :140])
    check(before, after)


def test_a_channel_that_is_no_transparency_is_left_out(
    scene: Image.Image, solid: Anonymiser, tmp_path: Path
) -> None:
    wide = np.asarray(scene).astype(np.uint16) * 257
    four = np.dstack([wide, wide[:, :, 0]])
    extra: dict[str, Any] = {"photometric": "rgb", "extrasamples": ["unspecified"]}
    tifffile.imwrite(tmp_path / "in.tiff", four, **extra)
    solid.file(tmp_path / "in.tiff", tmp_path / "out.tiff")
    assert np.array_equal(tifffile.imread(tmp_path / "out.tiff")[:, :140], wide[:, :140])


def test_depth_that_is_lost_and_films_of_motion_photos_are_said(
    scene: Image.Image, solid: Anonymiser, tmp_path: Path, face_clip: Path
) -> None:
    wide = np.asarray(scene).astype(np.uint16) * 257
    assert cv2.imwrite(str(tmp_path / "in.jp2"), wide[:, :, ::-1])
    assert solid.file(tmp_path / "in.jp2", tmp_path / "out.jp2").changes == ()
    read = cv2.imread(str(tmp_path / "out.jp2"), cv2.IMREAD_UNCHANGED)
    assert read is not None
    assert read.dtype == np.uint16
    planes = np.moveaxis(wide, 2, 0)
    tifffile.imwrite(tmp_path / "in.tiff", planes, photometric="rgb", planarconfig="separate")
    changes = solid.file(tmp_path / "in.tiff", tmp_path / "out.tiff").changes
    assert changes == ("16 bits become 8",)
    scene.save(tmp_path / "in.jpg", quality=95)
    with (tmp_path / "in.jpg").open("ab") as file:
        file.write(face_clip.read_bytes())
    changes = solid.file(tmp_path / "in.jpg", tmp_path / "out.jpg").changes
    assert changes == ("the film of a motion photo stays behind",)
    check(tmp_path / "in.jpg", tmp_path / "out.jpg")


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_sixteen_bits_whose_colours_a_table_defines_become_srgb(
    scene: Image.Image, solid: Anonymiser, tmp_path: Path, suffix: str
) -> None:
    icc = swapped_rgb()
    wide = np.asarray(scene).astype(np.uint16) * 257
    tifffile.imwrite(tmp_path / "in.tiff", wide, photometric="rgb", iccprofile=icc)
    scene.save(tmp_path / "same.png", icc_profile=icc)
    after = tmp_path / f"out.{suffix}"
    (change,) = solid.file(tmp_path / "in.tiff", after).changes
    assert change == "16 bits become 8: its colours, which a table defines, become sRGB"
    check(tmp_path / "same.png", after)


@pytest.mark.parametrize("name", ["a.bmp", "a.jfif", "a.jpe", "a.jp2", "a.avif"])
def test_less_usual_formats(
    scene: Image.Image, solid: Anonymiser, tmp_path: Path, name: str
) -> None:
    scene.save(tmp_path / name)
    solid.file(tmp_path / name, tmp_path / f"out{name}")
    check(tmp_path / name, tmp_path / f"out{name}")
    with Image.open(tmp_path / name) as before, Image.open(tmp_path / f"out{name}") as after:
        assert before.format == after.format


def test_heic(scene: Image.Image, solid: Anonymiser, tmp_path: Path) -> None:
    heif = pytest.importorskip("pillow_heif", reason="the extra heic is not installed")
    heif.register_heif_opener()
    wide = in_profile(scene, DISPLAY_P3, "RGB")
    heif.from_pillow(wide).save(tmp_path / "in.heic", quality=95, chroma=444)
    for name in ("out.heic", "out.jpg"):
        solid.file(tmp_path / "in.heic", tmp_path / name)
        check(tmp_path / "in.heic", tmp_path / name, within=4)


@pytest.mark.parametrize("suffix", ["webp", "png", "avif"])
def test_an_animation_keeps_pictures_and_times(
    scene: Image.Image, solid: Anonymiser, tmp_path: Path, suffix: str
) -> None:
    pictures = [scene.copy() for _ in range(3)]
    for index, picture in enumerate(pictures):
        picture.paste((250, 10, 80 * index), (0, 0, 30, 30))
    options: dict[str, Any] = {"lossless": True} if suffix == "webp" else {}
    before, after = tmp_path / f"in.{suffix}", tmp_path / f"out.{suffix}"
    pictures[0].save(
        before, save_all=True, append_images=pictures[1:], duration=[100, 250, 400], **options
    )
    report = solid.file(before, after)
    assert report.ledger.people == 1
    with Image.open(after) as image:
        assert len(list(ImageSequence.Iterator(image))) == 3
        for index, duration in enumerate([100, 250, 400]):
            check(before, after, index, within=4)
            image.seek(index)
            image.load()
            assert image.info["duration"] == duration


def test_an_animation_can_become_a_video(
    scene: Image.Image, solid: Anonymiser, tmp_path: Path
) -> None:
    scene.save(tmp_path / "in.png", save_all=True, append_images=[scene.rotate(1)], duration=200)
    solid.file(tmp_path / "in.png", tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as video:
        assert len(list(video.decode(video=0))) == 2


def test_pages_of_any_size_stay_pages(
    scene: Image.Image, solid: Anonymiser, tmp_path: Path
) -> None:
    blank = Image.new("RGB", (100, 300), (9, 9, 200))
    scene.save(tmp_path / "in.tiff", save_all=True, append_images=[blank, scene])
    report = solid.file(tmp_path / "in.tiff", tmp_path / "out.tif")
    assert (report.ledger.frames, report.ledger.people) == (3, 2)
    check(tmp_path / "in.tiff", tmp_path / "out.tif", 0, within=0)
    assert np.array_equal(shown(tmp_path / "in.tiff", 1), shown(tmp_path / "out.tif", 1))
    check(tmp_path / "in.tiff", tmp_path / "out.tif", 2, within=0)
    with pytest.raises(UsageError, match="holds 3 pictures"):
        solid.file(tmp_path / "in.tiff", tmp_path / "out.jpg")


def test_the_preview_of_an_mpo_stays_behind(
    scene: Image.Image, solid: Anonymiser, tmp_path: Path
) -> None:
    more = [scene, scene.resize((80, 40))]
    scene.save(tmp_path / "in.mpo", save_all=True, append_images=more, quality=95)
    solid.file(tmp_path / "in.mpo", tmp_path / "out.mpo")
    with Image.open(tmp_path / "out.mpo") as image:
        assert len(list(ImageSequence.Iterator(image))) == 2
    for page in range(2):
        check(tmp_path / "in.mpo", tmp_path / "out.mpo", page)


def test_the_content_counts_and_not_the_name(
    scene: Image.Image, solid: Anonymiser, tmp_path: Path, face_clip: Path
) -> None:
    scene.save(tmp_path / "jpeg.png", "JPEG", quality=95)
    scene.save(tmp_path / "bmp.mp4", "BMP")
    (tmp_path / "clip.jpg").write_bytes(face_clip.read_bytes())
    solid.file(tmp_path / "jpeg.png", tmp_path / "a.png")
    check(tmp_path / "jpeg.png", tmp_path / "a.png")
    solid.file(tmp_path / "bmp.mp4", tmp_path / "b.png")
    check(tmp_path / "bmp.mp4", tmp_path / "b.png")
    assert solid.file(tmp_path / "clip.jpg", tmp_path / "c.mp4").ledger.frames == 16


def test_a_folder_takes_what_files_hold_and_counts_the_rest(
    scene: Image.Image, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    scene.save(folder / "no suffix", "PNG")
    scene.save(folder / "photo.heic", "JPEG")
    scene.save(folder / "a.AVIF", "AVIF")
    for name in ("raw.nef", "raw.dng"):
        scene.save(folder / name, "TIFF")
    for name in ("a.txt", "b.TXT", "c.pdf", "none", ".hidden"):
        (folder / name).write_text("BM, a text")
    (folder / "lost.mp4").symlink_to("nowhere")
    (folder / "loop.mp4").symlink_to("loop.mp4")
    jobs = {job.input.name: job.output.name for job in plan([folder], tmp_path / "out")}
    assert jobs == {"no suffix": "no suffix.jpg", "photo.heic": "photo.heic", "a.AVIF": "a.AVIF"}
    assert left_out([folder], tmp_path / "out") == {
        ".txt": 2, ".pdf": 1, ".nef": 1, ".dng": 1, "without a suffix": 1,
        ".mp4 that is no file": 2,
    }  # fmt: skip


def test_a_raw_photograph_is_refused(scene: Image.Image, solid: Anonymiser, tmp_path: Path) -> None:
    scene.save(tmp_path / "in.tif", tiffinfo={50706: b"\1\4\0\0"})
    with pytest.raises(MediaError, match="raw photograph"):
        solid.file(tmp_path / "in.tif", tmp_path / "out.tif")


@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_a_picture_that_is_cut_off_is_named_in_one_line(
    scene: Image.Image, solid: Anonymiser, tmp_path: Path, share: float
) -> None:
    for name in ("a.jpg", "a.png", "a.webp", "a.tif", "a.bmp", "a.jp2", "a.avif"):
        scene.save(tmp_path / name)
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[: round(len(whole) * share)])
        with pytest.raises(MediaError) as caught:
            solid.file(tmp_path / name, tmp_path / f"out{name}")
        assert "\n" not in str(caught.value)
        assert not (tmp_path / f"out{name}").exists()


def test_a_profile_tells_nothing_but_colours(
    scene: Image.Image, solid: Anonymiser, tmp_path: Path
) -> None:
    secret = b"text\0\0\0\0taken by Ann with serial 4711\0"
    old = DISPLAY_P3
    (count,) = struct.unpack_from(">I", old, 128)
    table = 132 + 12 * count
    entries = b"".join(
        struct.pack(">4sII", name, start + 12, size)
        for name, start, size in struct.iter_unpack(">4sII", old[132:table])
    )
    new = old[:128] + struct.pack(">I", count + 1) + entries
    new += struct.pack(">4sII", b"dmnd", len(old) + 12, len(secret)) + old[table:] + secret
    new = struct.pack(">I", len(new)) + new[4:]
    scene.save(tmp_path / "in.png", icc_profile=new)
    solid.file(tmp_path / "in.png", tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as image:
        kept = image.info["icc_profile"]
    assert b"4711" not in kept
    assert b"4711" in new
    check(tmp_path / "in.png", tmp_path / "out.png", within=0)


@pytest.mark.parametrize(
    "options",
    [
        {"progressive": True},
        {"subsampling": 1, "optimize": True},
        {"restart_marker_rows": 1},
        {"mode": "L"},
        {"mode": "CMYK"},
    ],
)
def test_a_jpeg_of_any_kind_is_read(
    scene: Image.Image, solid: Anonymiser, tmp_path: Path, options: dict[str, Any]
) -> None:
    settings = {"quality": 95, **options}
    image = scene.convert(settings.pop("mode", "RGB"))
    image.save(tmp_path / "in.jpg", **settings)
    whole = (tmp_path / "in.jpg").read_bytes()
    (tmp_path / "in.jpg").write_bytes(whole + b"what a camera appends")
    solid.file(tmp_path / "in.jpg", tmp_path / "out.jpg")
    check(tmp_path / "in.jpg", tmp_path / "out.jpg", within=6)


@pytest.mark.parametrize("at", [0.5, 0.7])
def test_a_jpeg_with_a_hole_is_refused(
    scene: Image.Image, solid: Anonymiser, tmp_path: Path, at: float
) -> None:
    scene.save(tmp_path / "in.jpg", quality=95)
    content = bytearray((tmp_path / "in.jpg").read_bytes())
    start = round(len(content) * at)
    content[start : start + 400] = bytes(400)
    (tmp_path / "in.jpg").write_bytes(content)
    with pytest.raises(MediaError, match="data are damaged"):
        solid.file(tmp_path / "in.jpg", tmp_path / "out.jpg")


@pytest.mark.slow
def test_fifty_megapixels_fit_into_memory(scene: Image.Image, tmp_path: Path) -> None:
    large = Image.new("RGB", (8660, 5774), GREEN)
    large.paste(scene.resize((3200, 1600)), (2000, 2000))
    large.save(tmp_path / "in.jpg", quality=90)
    program = (
        "import pathlib, re, sys, streamanon\n"
        "report = streamanon.anonymise(*sys.argv[1:], streamanon.Config(method='mosaic'))\n"
        "status = pathlib.Path('/proc/self/status').read_text()\n"
        "print(re.search(r'VmHWM:\\s+(\\d+)', status)[1], report.ledger.replaced)"
    )
    done = python("-c", program, tmp_path / "in.jpg", tmp_path / "out.jpg", check=True)
    used_kb, faces = map(int, done.stdout.split())
    assert faces
    assert used_kb < 1_200_000
