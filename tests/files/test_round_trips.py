"""Every kind of file with every one of its features: what goes in comes out."""

import dataclasses
import io
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms, ImageOps
from PIL.ExifTags import GPS, IFD, Base
from PIL.PngImagePlugin import PngInfo

from rimkit.files.losses import what_is_lost
from rimkit.files.metadata import Metadata, profile_name, upright
from rimkit.files.picture import Picture, read_picture, write_picture

RNG = np.random.default_rng(0)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()

DEPTHS = {"8": np.uint8, "16": np.uint16, "float": np.float32}
CHANNELS = {"grey": 1, "grey-alpha": 2, "colour": 3, "colour-alpha": 4}


def pixels(depth: str, channels: int) -> np.ndarray:
    shape = (9, 14) if channels == 1 else (9, 14, channels)
    if depth == "float":
        return RNG.random(shape, dtype=np.float32) * 1.2 - 0.1
    kind = DEPTHS[depth]
    return RNG.integers(0, np.iinfo(kind).max, shape, dtype=kind, endpoint=True)


def save(path: Path, values: np.ndarray) -> None:
    if path.suffix == ".tif":
        extra = ["unassalpha"] if values.ndim == 3 and values.shape[2] in (2, 4) else None
        colour = values.ndim == 3 and values.shape[2] > 2
        tifffile.imwrite(
            path, values, photometric="rgb" if colour else "minisblack", extrasamples=extra
        )
    elif path.suffix == ".png":
        path.write_bytes(imagecodecs.png_encode(values))
    else:
        Image.fromarray(values).save(path, lossless=True, exact=True)


def load(path: Path) -> np.ndarray:
    if path.suffix == ".tif":
        return tifffile.imread(path)
    if path.suffix == ".png":
        return imagecodecs.png_decode(path.read_bytes())
    return np.asarray(Image.open(path))


KEPT = [
    (suffix, depth, channels)
    for suffix, depths in ((".png", ("8", "16")), (".tif", ("8", "16", "float")), (".webp", ("8",)))
    for depth in depths
    for channels in CHANNELS
    # WebP has no grey; its own way of alpha with grey does not exist.
    if not (suffix == ".webp" and channels.startswith("grey"))
]


@pytest.mark.parametrize(("suffix", "depth", "channels"), KEPT)
def test_pixels_come_back_to_the_bit(
    tmp_path: Path, suffix: str, depth: str, channels: str
) -> None:
    values = pixels(depth, CHANNELS[channels])
    source, target = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    save(source, values)
    picture = read_picture(source)
    assert picture.colours.shape[2] == (3 if channels.startswith("colour") else 1)
    assert (picture.alpha is not None) == channels.endswith("alpha")
    write_picture(picture, target)
    back = load(target)
    assert back.dtype == values.dtype
    assert np.array_equal(back, values)


def camera() -> Image.Exif:
    exif = Image.Exif()
    exif[Base.Make] = "a maker"
    exif[Base.Copyright] = "somebody"
    directory = exif.get_ifd(IFD.Exif)
    directory[Base.ISOSpeedRatings] = 400
    directory[Base.DateTimeOriginal] = "2020:02:02 20:20:20"
    directory[Base.FNumber] = 2.8
    exif.get_ifd(IFD.GPSInfo)[GPS.GPSLatitude] = (52.0, 30.0, 0.0)
    return exif


DEEP_OR_NOT = [
    (".jpg", "8"),
    (".webp", "8"),
    (".png", "8"),
    (".png", "16"),
    (".tif", "8"),
    (".tif", "16"),
    (".tif", "float"),
]


@pytest.mark.parametrize(("suffix", "depth"), DEEP_OR_NOT)
def test_camera_profile_and_resolution_are_kept(tmp_path: Path, suffix: str, depth: str) -> None:
    source, target = tmp_path / "in.png", tmp_path / f"out{suffix}"
    Image.fromarray(pixels("8", 3)).save(
        source, exif=camera(), icc_profile=SRGB, dpi=(300.0, 200.0)
    )
    picture = read_picture(source)
    colours = 1 if depth == "float" else 3  # Pillow, which looks below, opens no float colour
    values = pixels(depth, colours).reshape(9, 14, colours)
    picture = dataclasses.replace(picture, values=values)
    write_picture(picture, target)
    again = tmp_path / f"again{suffix}"
    write_picture(read_picture(target), again)  # what we write we can read
    for path in (target, again):
        with Image.open(path) as image:
            assert image.info["icc_profile"] == SRGB
            if suffix != ".webp":
                assert image.info["dpi"] == pytest.approx((300, 200), abs=0.1)
            exif = image.getexif()
            assert exif[Base.Make] == "a maker"
            assert exif[Base.Copyright] == "somebody"
            entries = exif.get_ifd(IFD.Exif)
            assert entries[Base.ISOSpeedRatings] == 400
            assert entries[Base.DateTimeOriginal] == "2020:02:02 20:20:20"
            assert float(entries[Base.FNumber]) == pytest.approx(2.8)
            assert exif.get_ifd(IFD.GPSInfo)[GPS.GPSLatitude] == (52.0, 30.0, 0.0)


def test_dots_per_centimetre_are_read_as_per_inch(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, pixels("8", 1), resolution=(100, 50), resolutionunit="CENTIMETER")
    assert read_picture(path).metadata.dpi == pytest.approx((254, 127))


@pytest.mark.parametrize("depth", ["8", "16"])
def test_gamma_is_kept(tmp_path: Path, depth: str) -> None:
    source, linear = tmp_path / "in.png", PngInfo()
    linear.add(b"gAMA", (100_000).to_bytes(4, "big"))
    Image.fromarray(pixels("8", 3)).save(source, pnginfo=linear)
    picture = dataclasses.replace(read_picture(source), values=pixels(depth, 3))
    write_picture(picture, tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as image:
        assert image.info["gamma"] == 1


@pytest.mark.parametrize("depth", ["8", "16"])
def test_primary_colours_are_kept(tmp_path: Path, depth: str) -> None:
    source, said = tmp_path / "in.png", PngInfo()
    chunks = ((b"cHRM", bytes(range(32))), (b"cICP", bytes((12, 13, 0, 1))))
    for name, content in chunks:
        said.add(name, content)
    Image.fromarray(pixels("8", 3)).save(source, pnginfo=said)
    picture = dataclasses.replace(read_picture(source), values=pixels(depth, 3))
    write_picture(picture, tmp_path / "out.png")
    assert read_picture(tmp_path / "out.png").metadata.primaries == chunks


def test_long_profiles_come_back(tmp_path: Path) -> None:
    profile = np.random.default_rng(0).bytes(1_500_000)
    picture = Picture(pixels("8", 3), Metadata(icc=profile))
    write_picture(picture, tmp_path / "a.png")
    assert read_picture(tmp_path / "a.png").metadata.icc == profile


def test_a_profile_that_is_a_number_is_none(tmp_path: Path) -> None:
    tag = (34675, 4, 1, 60_000_000, True)
    tifffile.imwrite(tmp_path / "a.tif", pixels("float", 1)[..., 0], extratags=[tag])
    assert read_picture(tmp_path / "a.tif").metadata.icc == b""


def test_of_tags_that_are_not_carried_on_it_is_told(tmp_path: Path) -> None:
    tags = [
        (37724, 7, 12, b"8BIM of ours", True),
        (33550, "d", 3, (1.0, 1.0, 0.0), True),
        (318, "2I", 2, (31270, 100_000, 32900, 100_000), True),
        (65000, "H", 1, 7, True),
        (65001, "H", 1, 7, True),
        (315, "s", 3, "me", True),
    ]
    tifffile.imwrite(tmp_path / "a.tif", pixels("8", 3), photometric="rgb", extratags=tags)
    layers, place, colours, unknown = read_picture(tmp_path / "a.tif").metadata.lost
    assert "layers" in layers
    assert "map" in place
    assert "primary colours" in colours
    assert unknown.endswith("left out: 65000, 65001")


def test_what_webp_cannot_hold_is_told(tmp_path: Path) -> None:
    grey = bytes(16) + b"GRAY" + bytes(108)
    Image.fromarray(pixels("8", 1)[..., 0]).save(
        tmp_path / "a.png", dpi=(300, 300), icc_profile=grey
    )
    picture = read_picture(tmp_path / "a.png")
    assert [text for text in what_is_lost(picture.metadata, "PNG") if "left out" in text] == []
    told = list(what_is_lost(picture.metadata, "WEBP"))
    assert told[0].startswith("its resolution is left out")
    assert told[-1].endswith("WEBP cannot hold it")
    write_picture(picture, tmp_path / "a.webp")
    with Image.open(tmp_path / "a.webp") as image:
        assert "icc_profile" not in image.info
    with_exif = Image.Exif()
    with_exif[0x011A] = 300.0
    Image.fromarray(pixels("8", 1)[..., 0]).save(tmp_path / "b.jpg", dpi=(300, 300), exif=with_exif)
    assert list(what_is_lost(read_picture(tmp_path / "b.jpg").metadata, "WEBP")) == []


def test_a_band_that_is_no_transparency_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", pixels("8", 4), photometric="rgb", extrasamples=[0])
    with pytest.raises(ValueError, match="a band that is neither colour nor transparency"):
        read_picture(tmp_path / "a.tif")


def test_a_tiff_that_says_its_order_wrongly_is_refused(tmp_path: Path) -> None:
    Image.fromarray(pixels("8", 1)[..., 0]).save(tmp_path / "a.tif")
    content = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "b.tif").write_bytes(b"II\0*" + content[4:])
    with pytest.raises(ValueError, match=r"b\.tif: "):
        read_picture(tmp_path / "b.tif")


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_what_else_a_photograph_says_is_kept(tmp_path: Path, suffix: str) -> None:
    exif = Image.Exif()
    exif[Base.XPTitle] = "a title".encode("utf-16-le")
    exif[Base.Rating] = 4
    exif[Base.Orientation] = 1
    source, target = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    Image.fromarray(pixels("8", 3)).save(source, exif=exif)
    write_picture(read_picture(source), target)
    with Image.open(target) as image:
        kept = image.getexif()
    assert bytes(kept[Base.XPTitle]) == "a title".encode("utf-16-le")
    assert kept[Base.Rating] == 4
    assert Base.Orientation not in kept


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg"])
def test_orientation_is_applied_once(tmp_path: Path, orientation: int, suffix: str) -> None:
    exif = Image.Exif()
    exif[Base.Orientation] = orientation
    values = np.kron(pixels("8", 3)[:4, :6], np.ones((8, 8, 1), np.uint8))
    source = tmp_path / f"in{suffix}"
    Image.fromarray(values).save(source, exif=exif)
    # Pillow turns a TIFF as it loads it, and only a TIFF.
    stored = tifffile.imread(source) if suffix == ".tif" else np.asarray(Image.open(source))
    image = Image.fromarray(stored)
    image.getexif()[Base.Orientation] = orientation
    expected = np.asarray(ImageOps.exif_transpose(image))
    assert np.array_equal(upright(stored, orientation), expected)
    for name in ("once", "twice"):
        picture = read_picture(source)
        assert np.array_equal(picture.values, expected)
        source = tmp_path / f"{name}.png"
        write_picture(picture, source)


def test_deep_orientation(tmp_path: Path) -> None:
    values = pixels("16", 3)
    tifffile.imwrite(
        tmp_path / "a.tif", values, photometric="rgb", extratags=[(274, 3, 1, 6, True)]
    )
    picture = read_picture(tmp_path / "a.tif")
    assert np.array_equal(picture.values, np.rot90(values, -1))


def test_colours_multiplied_with_alpha_are_divided(tmp_path: Path) -> None:
    colours = pixels("16", 3)
    alpha = RNG.integers(30000, 65536, (9, 14, 1), dtype=np.uint16)
    alpha[0, 0] = 0
    stored = np.rint(colours.astype(float) * alpha / 65535).astype(np.uint16)
    tifffile.imwrite(
        tmp_path / "a.tif",
        np.concatenate([stored, alpha], 2),
        photometric="rgb",
        extrasamples=["assocalpha"],
    )
    picture = read_picture(tmp_path / "a.tif")
    read = picture.colours.astype(float)
    assert np.abs(read - colours)[1:].max() < 2.5
    assert (read[0, 0] == 0).all()


def test_floats_multiplied_with_alpha_are_divided_and_not_rounded(tmp_path: Path) -> None:
    values = RNG.uniform(0.2, 0.8, (9, 14, 4)).astype(np.float32)
    stored = np.concatenate([values[..., :3] * values[..., 3:], values[..., 3:]], 2)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, stored, photometric="rgb", extrasamples=["assocalpha"])
    np.testing.assert_allclose(read_picture(path).values, values, rtol=1e-5)


@pytest.mark.parametrize("compression", ["lzw", "zlib", "packbits", "zstd", "lzma", "none"])
@pytest.mark.parametrize("layout", ["contig", "separate"])
@pytest.mark.parametrize(("byteorder", "big"), [("<", True), (">", True), (">", False)])
def test_tiffs_of_other_programs(
    tmp_path: Path, compression: str, layout: str, byteorder: str, big: bool
) -> None:
    values = pixels("16", 3)
    stored: Any = np.moveaxis(values, 2, 0) if layout == "separate" else values
    tifffile.imwrite(
        tmp_path / "a.tif",
        stored,
        photometric="rgb",
        planarconfig=layout,
        compression=compression,
        byteorder=byteorder,
        bigtiff=big,
    )
    picture = read_picture(tmp_path / "a.tif")
    assert np.array_equal(picture.values, values)


@pytest.mark.parametrize("size", [{}, {"rowsperstrip": 16}, {"tile": (32, 32)}])
def test_tiffs_may_be_jpegs_inside(tmp_path: Path, size: dict[str, Any]) -> None:
    values = np.full((61, 83, 3), 100, np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb", compression="jpeg", **size)
    read = read_picture(tmp_path / "a.tif").values
    assert read.shape == values.shape
    assert np.array_equal(read[:48, :64], values[:48, :64])  # the last tiles are filled up


TOO_MUCH: dict[str, tuple[dict[str, Any], tuple[int, ...], str]] = {
    "channels": ({"photometric": "minisblack", "planarconfig": "contig"}, (8, 8, 5), "5 channels"),
    "volume": ({"volumetric": True, "tile": (16, 16, 16)}, (16, 16, 16), "depth 16"),
    "png inside": ({"compression": "png"}, (16, 16), "compressed by PNG"),
    "large tiles": ({"tile": (2048, 1024)}, (16, 16), "tiles of 1024x2048 are too large"),
}


@pytest.mark.parametrize("kind", TOO_MUCH)
def test_tiffs_that_could_take_much_are_refused(tmp_path: Path, kind: str) -> None:
    options, shape, expected = TOO_MUCH[kind]
    tifffile.imwrite(tmp_path / "a.tif", np.zeros(shape, np.uint8), **options)
    with pytest.raises(ValueError, match=rf"a\.tif: .*{expected}"):
        read_picture(tmp_path / "a.tif")


def test_what_the_memory_cannot_hold_is_an_error_of_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: object) -> None:
        raise MemoryError("Unable to allocate 7 GiB")

    tifffile.imwrite(tmp_path / "a.tif", np.zeros((16, 16), np.uint8))
    monkeypatch.setattr(tifffile.TiffPage, "asarray", no_room)
    with pytest.raises(ValueError, match=r"a\.tif: cannot be read as an image \(Unable"):
        read_picture(tmp_path / "a.tif")


def test_white_may_be_zero(tmp_path: Path) -> None:
    values = pixels("16", 1)
    tifffile.imwrite(tmp_path / "a.tif", 65535 - values, photometric="miniswhite")
    picture = read_picture(tmp_path / "a.tif")
    assert np.array_equal(picture.values[..., 0], values)


def test_ycbcr_without_jpeg_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", pixels("8", 3), photometric="ycbcr")
    with pytest.raises(ValueError, match="YCbCr is only read if"):
        read_picture(tmp_path / "a.tif")


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_deep_files_that_are_cut_short(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    save(path, RNG.integers(0, 65536, (40, 40, 3), dtype=np.uint16))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(ValueError, match=rf"a{suffix}: cannot be read as an image"):
        read_picture(path)


def test_profiles_have_names() -> None:
    assert "sRGB" in profile_name(SRGB)
    assert profile_name(b"nonsense") == ""
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    assert "sRGB" not in profile_name(lab)
    assert profile_name(io.BytesIO(b"").getvalue()) == ""
