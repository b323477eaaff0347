import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps
from PIL.ExifTags import IFD

from rimkit.files.metadata import Metadata, resized
from rimkit.files.picture import Picture, read_picture, size_of, write_picture

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (9, 12), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (9, 12, 3), dtype=np.uint8)


def packet(said: str) -> bytes:
    """An XMP packet with some attributes."""
    spaces = (
        'xmlns:x="adobe:ns:meta/"',
        'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"',
        'xmlns:xmp="http://ns.adobe.com/xap/1.0/"',
        'xmlns:tiff="http://ns.adobe.com/tiff/1.0/"',
    )
    x, rdf, xmp, tiff = spaces
    inner = f'<rdf:RDF {rdf}><rdf:Description rdf:about="" {xmp} {tiff} {said}/></rdf:RDF>'
    return f"<x:xmpmeta {x}>{inner}</x:xmpmeta>".encode()


def round_trip(path: Path, image: Image.Image, **options: object) -> Image.Image:
    image.save(path, **options)
    written = path.with_stem("written")
    write_picture(read_picture(path), written)
    back = Image.open(written)
    back.load()
    return back


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
@pytest.mark.parametrize(
    ("image", "mode"),
    [
        (Image.fromarray(GREY), "L"),
        (Image.fromarray(COLOUR), "RGB"),
        (Image.fromarray(COLOUR).quantize(16), "RGB"),
    ],
    ids=["grey", "colour", "palette"],
)
def test_eight_bits_stay_what_they_are(
    tmp_path: Path, suffix: str, image: Image.Image, mode: str
) -> None:
    back = round_trip(tmp_path / f"a{suffix}", image)
    assert back.mode == mode
    assert np.array_equal(np.asarray(back), np.asarray(image.convert(mode)))


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bit_grey_stays_sixteen_bit(tmp_path: Path, suffix: str) -> None:
    values = RNG.integers(0, 65536, (9, 12), dtype=np.uint16)
    back = round_trip(tmp_path / f"a{suffix}", Image.fromarray(values))
    assert back.mode.startswith("I;16")
    assert np.array_equal(np.asarray(back), values)


def test_floats_stay_floats(tmp_path: Path) -> None:
    values = RNG.random((9, 12), dtype=np.float32) * 1.2 - 0.1
    back = round_trip(tmp_path / "a.tif", Image.fromarray(values))
    assert np.array_equal(np.asarray(back), values)


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_alpha_is_carried_through(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray(GREY if mode == "LA" else COLOUR)
    image.putalpha(Image.fromarray(GREY[::-1].copy()))
    back = round_trip(tmp_path / "a.png", image)
    assert back.mode == mode
    assert np.array_equal(np.asarray(back), np.asarray(image))


def test_profile_and_exif_stay_and_orientation_is_applied_once(tmp_path: Path) -> None:
    image = Image.fromarray(COLOUR)
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees
    exif[0x010F] = "a camera"
    back = round_trip(tmp_path / "a.png", image, exif=exif, icc_profile=b"profile")
    assert back.size == (9, 12)
    assert np.array_equal(np.asarray(back), np.rot90(COLOUR, -1))
    assert back.getexif().get(0x0112, 1) == 1
    assert back.getexif()[0x010F] == "a camera"
    assert back.info["icc_profile"] == b"profile"


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_lossy_formats_stay_close(tmp_path: Path, suffix: str) -> None:
    smooth = Image.fromarray(COLOUR).resize((96, 72), Image.Resampling.BICUBIC)
    back = round_trip(tmp_path / f"a{suffix}", smooth, quality=95)
    difference = np.asarray(back).astype(int) - np.asarray(Image.open(tmp_path / f"a{suffix}"))
    assert np.abs(difference).mean() < 3


def test_what_would_be_cut_is_refused(tmp_path: Path) -> None:
    Image.fromarray(COLOUR).convert("CMYK").save(tmp_path / "press.jpg")
    with pytest.raises(ValueError, match="CMYK"):
        read_picture(tmp_path / "press.jpg")


def test_files_that_are_no_images(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none.png: there is no such file"):
        read_picture(tmp_path / "none.png")
    (tmp_path / "text.png").write_text("this is no image")
    with pytest.raises(ValueError, match=r"text.png: cannot be read as an image \(no known"):
        read_picture(tmp_path / "text.png")
    (tmp_path / "empty.png").touch()
    with pytest.raises(ValueError, match=r"empty.png: this file is empty"):
        read_picture(tmp_path / "empty.png")
    Image.fromarray(COLOUR).resize((200, 200)).save(tmp_path / "cut.jpg")
    whole = (tmp_path / "cut.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"cut.jpg: cannot be read.*truncated"):
        read_picture(tmp_path / "cut.jpg")


def picture() -> Picture:
    return Picture(GREY[..., None])


@pytest.mark.parametrize("name", ["a.xyz", "a", "a.txt"])
def test_endings_that_name_no_format(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="is not that of a format that can be written"):
        write_picture(picture(), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("dtype", "channels", "name", "message"),
    [
        (np.float32, 1, "a.png", "PNG cannot hold floats"),
        (np.float32, 1, "a.webp", "WEBP holds 8 bits"),
        (np.uint16, 1, "a.jpg", "JPEG holds 8 bits"),
        (np.uint16, 3, "a.bmp", "BMP holds 8 bits"),
        (np.uint8, 2, "a.jpg", "cannot hold transparency"),
        (np.uint8, 4, "a.jpg", "cannot hold transparency"),
    ],
)
def test_a_format_that_cannot_hold_the_picture_says_so(
    tmp_path: Path, dtype: type, channels: int, name: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        write_picture(Picture(np.zeros((9, 9, channels), dtype)), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_failing_write_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"earlier")

    def full(self: Image.Image, file: object, **_: object) -> None:
        file.write(b"half")  # type: ignore[attr-defined]
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(OSError, match="No space left"):
        write_picture(picture(), path)
    assert path.read_bytes() == b"earlier"
    assert list(tmp_path.iterdir()) == [path]


def test_previews_beside_an_image_are_passed_over(tmp_path: Path) -> None:
    small = GREY[::2, ::2].copy()
    for name, pages in {"first": (small, GREY), "last": (GREY, small)}.items():
        path = tmp_path / f"{name}.tif"
        with tifffile.TiffWriter(path) as file:
            for values in pages:
                file.write(values, subfiletype=int(values is small), photometric="minisblack")
        assert np.array_equal(read_picture(path).values[..., 0], GREY)
        assert size_of(path) == GREY.shape
    with tifffile.TiffWriter(tmp_path / "alone.tif") as file:
        file.write(small, subfiletype=1, photometric="minisblack")
    assert np.array_equal(read_picture(tmp_path / "alone.tif").values[..., 0], small)


def test_a_preview_is_not_taken_for_what_a_camera_saw(tmp_path: Path) -> None:
    version = (50706, 1, 4, b"\x01\x04\x00\x00", True)  # DNGVersion
    with tifffile.TiffWriter(tmp_path / "raw.dng") as file:
        file.write(GREY, subfiletype=1, photometric="minisblack", extratags=[version])
    with pytest.raises(ValueError, match=r"raw.dng: only a preview is developed"):
        read_picture(tmp_path / "raw.dng")
    with tifffile.TiffWriter(tmp_path / "within.tif") as file:
        file.write(GREY[::2, ::2], subfiletype=1, photometric="minisblack", subifds=1)
        file.write(GREY, photometric="minisblack")
    with pytest.raises(ValueError, match=r"within.tif: only a preview is developed"):
        read_picture(tmp_path / "within.tif")


def test_files_of_several_images_are_refused(tmp_path: Path) -> None:
    frames = [Image.fromarray(GREY), Image.fromarray(GREY[::-1].copy())]
    frames[0].save(tmp_path / "two.tif", save_all=True, append_images=frames[1:])
    with pytest.raises(ValueError, match=r"two.tif: files of several images"):
        read_picture(tmp_path / "two.tif")


def test_other_formats_are_refused(tmp_path: Path) -> None:
    Image.fromarray(COLOUR).save(tmp_path / "a.ppm")
    with pytest.raises(ValueError, match="PPM files are not supported"):
        read_picture(tmp_path / "a.ppm")


def test_grey_with_a_transparent_level_stays_grey(tmp_path: Path) -> None:
    back = round_trip(tmp_path / "a.png", Image.fromarray(GREY), transparency=int(GREY[0, 0]))
    assert back.mode == "LA"
    assert np.array_equal(np.asarray(back)[..., 0], GREY)
    assert back.getpixel((0, 0))[1] == 0  # type: ignore[index]


def test_floats_in_grey_levels_are_refused(tmp_path: Path) -> None:
    Image.fromarray(GREY.astype(np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(ValueError, match="divide it by its white level"):
        read_picture(tmp_path / "a.tif")


def test_levels_below_zero_are_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.full((9, 12), -5, np.int16))
    with pytest.raises(ValueError, match="between 0 and 65535, but these range from -5 to -5"):
        read_picture(tmp_path / "a.tif")


@pytest.mark.parametrize("kind", [np.int8, np.int16, np.int32, np.int64, ">i4", np.uint32])
def test_levels_of_8_bits_in_another_kind_are_refused(tmp_path: Path, kind: str) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.full((9, 12), 120, kind))
    with pytest.raises(
        ValueError, match="with a maximum of 120 are not supported; convert to uint8 or"
    ):
        read_picture(tmp_path / "a.tif")


@pytest.mark.parametrize("kind", [np.int16, np.int32, np.uint32])
def test_levels_of_16_bits_in_another_kind_are_read(tmp_path: Path, kind: str) -> None:
    levels = np.arange(200, 308).reshape(9, 12)
    tifffile.imwrite(tmp_path / "a.tif", levels.astype(kind))
    values = read_picture(tmp_path / "a.tif").values
    assert values.dtype == np.uint16
    np.testing.assert_array_equal(values[..., 0], levels)


@pytest.mark.filterwarnings("ignore:.*writing zero-size array")
@pytest.mark.parametrize("size", [(0, 40), (40, 0), (0, 40, 3)])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int16, np.float32])
def test_an_image_without_pixels_is_refused(
    tmp_path: Path, size: tuple[int, ...], kind: type
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros(size, kind))
    with pytest.raises(ValueError, match=r"a\.tif: "):
        read_picture(tmp_path / "a.tif")


def test_exif_that_jpeg_cannot_hold_is_refused(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010E] = "x" * 70_000  # description
    long = Picture(GREY[..., None], Metadata(exif=exif.tobytes()))
    with pytest.raises(ValueError, match="too long for JPEG"):
        write_picture(long, tmp_path / "a.jpg")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a.jpg", "a.bmp"])
def test_transparency_is_refused_where_it_would_be_lost(tmp_path: Path, name: str) -> None:
    for channels in (2, 4):
        with pytest.raises(ValueError, match="cannot hold transparency"):
            write_picture(Picture(np.zeros((9, 9, channels), np.uint8)), tmp_path / name)


def packed(values: np.ndarray, bits: int) -> np.ndarray:
    """Rows of whole numbers, each of so many bits, one behind the other."""
    whole = np.unpackbits(values.astype(">u2").view(np.uint8), axis=1)
    kept = whole.reshape(*values.shape, 16)[..., 16 - bits :]
    return np.packbits(kept.reshape(len(values), -1), axis=1)


@pytest.mark.parametrize(("depth", "level"), [(2, 1), (4, 5), (16, 777)])
def test_a_transparent_level_of_any_depth(tmp_path: Path, depth: int, level: int) -> None:
    values = RNG.integers(0, 2**depth, (9, 8), dtype=np.uint16)
    values[0, 0] = level
    rows = packed(values, depth)
    header = struct.pack(">IIBBBBB", 8, 9, depth, 0, 0, 0, 0)
    content = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    chunks = [(b"IHDR", header), (b"tRNS", struct.pack(">H", level)), (b"IDAT", content)]
    data = b"\x89PNG\r\n\x1a\n"
    for kind, body in (*chunks, (b"IEND", b"")):
        data += struct.pack(">I", len(body)) + kind + body
        data += struct.pack(">I", zlib.crc32(kind + body))
    (tmp_path / "a.png").write_bytes(data)
    grey, alpha = np.moveaxis(read_picture(tmp_path / "a.png").values, 2, 0)
    full = 65535 if depth == 16 else 255
    assert np.array_equal(grey, values.astype(int) * full // (2**depth - 1))
    assert np.array_equal(alpha == 0, values == level)
    assert alpha.max() == full


def save_tiff(path: Path, values: np.ndarray, bits: int, *, palette: bytes = b"") -> None:
    """Whole numbers (H, W) of so many bits, as they are; with a palette they are its colours."""
    height, width = values.shape
    data = packed(values, bits).tobytes()
    end = 14 + 12 * (10 if palette else 9)
    tags = [
        (256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, bits), (259, 3, 1, 1),
        (262, 3, 1, 3 if palette else 1), (273, 4, 1, end + len(palette)), (277, 3, 1, 1),
        (278, 4, 1, height), (279, 4, 1, len(data)), (320, 3, len(palette) // 2, end),
    ]  # fmt: skip
    entries = [struct.pack("<HHII", *tag) for tag in tags if tag[2]]
    header = b"II*\0" + struct.pack("<IH", 8, len(entries)) + b"".join(entries) + bytes(4)
    path.write_bytes(header + palette + data)


@pytest.mark.parametrize(("bits", "full"), [(1, 255), (4, 255), (12, 65535)])
def test_a_tiff_of_any_depth_reaches_from_black_to_white(
    tmp_path: Path, bits: int, full: int
) -> None:
    values = RNG.integers(0, 2**bits, (9, 8), dtype=np.uint16)
    save_tiff(tmp_path / "a.tif", values, bits)
    read = read_picture(tmp_path / "a.tif").values[..., 0]
    assert np.array_equal(read, values.astype(int) * full // (2**bits - 1))


@pytest.mark.parametrize("bits", [1, 4])
def test_a_tiff_of_few_bits_may_have_a_palette(tmp_path: Path, bits: int) -> None:
    values = RNG.integers(0, 2**bits, (9, 8), dtype=np.uint16)
    colours = RNG.integers(0, 65536, (3, 2**bits), dtype=np.uint16)
    save_tiff(tmp_path / "a.tif", values, bits, palette=colours.astype("<u2").tobytes())
    read = read_picture(tmp_path / "a.tif").values
    assert np.array_equal(read, np.moveaxis(colours[:, values] >> 8, 0, 2))


@pytest.mark.parametrize("kind", ["minisblack", "miniswhite", "group4"])
def test_a_page_of_black_and_white_stays_black_and_white(tmp_path: Path, kind: str) -> None:
    white, path = RNG.random((9, 12)) > 0.5, tmp_path / "a.tif"
    if kind == "group4":
        Image.fromarray(white).save(path, compression="group4")
    else:
        tifffile.imwrite(path, white ^ (kind == "miniswhite"), photometric=kind)
    assert np.array_equal(read_picture(path).values[..., 0], np.where(white, 255, 0))


def test_a_tiff_that_is_white_at_zero_keeps_its_alpha(tmp_path: Path) -> None:
    values = RNG.integers(0, 256, (9, 12, 2), dtype=np.uint8)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, values, photometric="miniswhite", extrasamples=["unassalpha"])
    read = read_picture(path).values
    assert np.array_equal(read[..., 0], 255 - values[..., 0])
    assert np.array_equal(read[..., 1], values[..., 1])


def said(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("latin-1")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
def test_names_that_are_not_ascii_stay(tmp_path: Path, suffix: str) -> None:
    exif = Image.Exif()
    exif[0x8298] = "© 2024 José".encode()  # copyright, in UTF-8
    exif[0x013B] = "René".encode("latin-1")  # artist
    exif.get_ifd(IFD.Exif)[0xA433] = "Müller".encode()  # maker of the lens
    image = Image.fromarray(COLOUR)
    image.save(tmp_path / f"before{suffix}", exif=exif)
    with Image.open(tmp_path / f"before{suffix}") as opened:
        before = opened.getexif()
        before.get_ifd(IFD.Exif)
    back = round_trip(tmp_path / f"a{suffix}", image, exif=exif).getexif()
    assert said(back[0x8298]) == said(before[0x8298]) == "© 2024 José".encode()
    assert said(back[0x013B]) == said(before[0x013B]) == "René".encode("latin-1")
    lens, lens_before = (each.get_ifd(IFD.Exif) for each in (back, before))
    assert lens == lens_before


@pytest.mark.parametrize("suffix", [".png", ".jpg"])  # Pillow writes no camera into TIFF
def test_what_is_said_of_width_and_height_is_turned_too(tmp_path: Path, suffix: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(IFD.Exif).update({0xA002: 12, 0xA003: 9})
    image = Image.fromarray(COLOUR)
    back = round_trip(tmp_path / f"a{suffix}", image, exif=exif, dpi=(200, 100))
    assert back.size == (9, 12)
    said = back.getexif().get_ifd(IFD.Exif)
    assert (said[0xA002], said[0xA003]) == (9, 12)
    assert [round(float(each)) for each in back.info["dpi"]] == [100, 200]


@pytest.mark.parametrize("source", [".jpg", ".png", ".webp"])
@pytest.mark.parametrize("target", [".jpg", ".png", ".webp", ".tif"])
def test_what_a_camera_says_of_its_colours_is_kept(
    tmp_path: Path, source: str, target: str
) -> None:
    """Of a camera's JPEG in Adobe RGB nothing else tells that it is: it has no profile."""
    exif = Image.Exif()
    exif.get_ifd(IFD.Exif).update({0xA001: 65535, IFD.Interop: {1: "R03", 2: b"0100"}})
    path = tmp_path / f"b{target}"
    Image.fromarray(COLOUR).save(tmp_path / f"a{source}", exif=exif.tobytes())
    write_picture(read_picture(tmp_path / f"a{source}"), path)
    for metadata in (read_picture(path).metadata, resized(read_picture(path).metadata, 3, 4)):
        assert not metadata.lost
        back = Image.Exif()
        back.load(metadata.exif)
        assert back.get_ifd(IFD.Exif)[0xA001] == 65535
        assert back.get_ifd(IFD.Interop)[1] == "R03"


def test_what_was_turned_is_not_turned_again_by_its_xmp(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x02BC] = packet('tiff:Orientation="6" xmp:Rating="4"')
    back = round_trip(tmp_path / "a.tif", Image.fromarray(COLOUR), exif=exif)
    assert back.getexif()[0x0112] == 1
    assert np.array_equal(np.asarray(ImageOps.exif_transpose(back)), np.rot90(COLOUR, -1))
    assert b"Orientation" not in back.getexif()[0x02BC]
    assert b'Rating="4"' in back.getexif()[0x02BC]
