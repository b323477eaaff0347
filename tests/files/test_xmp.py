"""XMP: what describes a picture is carried from format to format, what describes a file is not."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.ExifTags import Base
from PIL.PngImagePlugin import PngInfo

from rimkit.files.jobs import plan
from rimkit.files.metadata import Metadata
from rimkit.files.outcome import Outcome
from rimkit.files.picture import Picture, read_picture, write_picture
from rimkit.files.run import Wishes, restore_files
from rimkit.files.xmp import read
from rimkit.restoring.denoiser import Denoiser
from rimkit.rim import RIM

PACKET = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:tiff="http://ns.adobe.com/tiff/1.0/"
    xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:video="http://ns.google.com/photos/1.0/camera/"
    xmp:Rating="5" tiff:Orientation="6" exif:PixelXDimension="9000" video:MotionPhoto="1">
   <dc:title><rdf:Alt><rdf:li xml:lang="x-default">L\u00e4rche</rdf:li></rdf:Alt></dc:title>
   <xmp:Thumbnails><rdf:Alt><rdf:li>AAAA</rdf:li></rdf:Alt></xmp:Thumbnails>
  </rdf:Description>
  <rdf:Description rdf:about="" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:ImageWidth="9000"/>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>""".encode()

Chunk = tuple[bytes, bytes]


def described(packet: bytes) -> bytes:
    return read(packet).description


def restored(source: Path, target: Path, model: RIM, *, strip: bool = False) -> Outcome:
    wishes = Wishes(sigma=0.1, overwrite=True, strip_metadata=strip)
    (outcome,) = restore_files(plan([source], target), Denoiser(model), wishes)
    assert outcome.status == "restored", outcome.reason
    return outcome


def test_what_describes_the_picture_stays_and_what_describes_the_file_does_not() -> None:
    kept = described(PACKET + b"   \n\0")
    said = kept.decode()
    assert "Lärche" in said
    assert 'xmp:Rating="5"' in said
    for gone in ("Orientation", "9000", "MotionPhoto", "Thumbnails", "AAAA"):
        assert gone not in said
    assert described(kept) == kept
    assert described(b" \0") == described(b"<a/>") == b""


@pytest.mark.parametrize(
    "packet",
    [
        b"no packet",
        PACKET[:-200],
        b"\xff\xfe<\x00a\x00",
        b'<?xml version="1.0" encoding="klingon"?><a/>',
        b"<!DOCTYPE a [<!ENTITY b 'bb'>"
        + b"".join(b"<!ENTITY %c '&%c;&%c;'>" % (c + 1, c, c) for c in range(98, 121))
        + b"]><a>&y;&y;&y;&y;</a>",
    ],
    ids=["no XML", "cut", "no text", "no encoding", "a bomb"],
)
def test_what_is_damaged_is_refused(packet: bytes) -> None:
    with pytest.raises(ValueError, match="damaged XMP"):
        described(packet)


@pytest.mark.parametrize("source", [".jpg", ".png", ".tif", ".webp"])
@pytest.mark.parametrize(
    ("target", "depth"),
    [(".jpg", 8), (".webp", 8), (".png", 8), (".png", 16), (".tif", 8), (".tif", 16)],
)
def test_from_format_to_format(tmp_path: Path, source: str, target: str, depth: int) -> None:
    values = np.random.default_rng(0).integers(0, 256, (12, 16, 3)).astype(np.uint8)
    options = {"xmp": PACKET}
    if source == ".png":
        info = PngInfo()
        info.add_itxt("XML:com.adobe.xmp", PACKET.decode())
        options = {"pnginfo": info}
    elif source == ".tif":
        options = {"tiffinfo": {700: PACKET}}
    Image.fromarray(values).save(tmp_path / f"a{source}", **options)  # type: ignore[arg-type]
    picture = read_picture(tmp_path / f"a{source}")
    if depth == 16:
        picture = Picture(picture.values.astype(np.uint16) * 257, picture.metadata)
    write_picture(picture, tmp_path / f"b{target}")
    back = read_picture(tmp_path / f"b{target}").metadata
    assert back.xmp == picture.metadata.xmp == described(PACKET)
    with Image.open(tmp_path / f"b{target}") as image:
        found = image.getexif()[700] if target == ".tif" else image.info["xmp"]
    assert found == back.xmp


def test_what_cannot_be_carried_on_is_told(tmp_path: Path, model: RIM) -> None:
    values = np.eye(16, dtype=np.uint8)
    info = PngInfo()
    info.add_text("Title", "a tree", zip=True)
    info.add_text("Author", "anybody")
    info.add_itxt("XML:com.adobe.xmp", PACKET.decode())
    source = tmp_path / "a.png"
    Image.fromarray(values).save(source, pnginfo=info)
    assert restored(source, tmp_path / "b.png", model).warnings == ()
    with Image.open(tmp_path / "b.png") as image:
        assert (image.info["Title"], image.info["Author"]) == ("a tree", "anybody")
    warnings = restored(source, tmp_path / "b.jpg", model).warnings
    assert warnings == ("its texts are left out, since only PNG can hold them: Title, Author",)
    assert restored(source, tmp_path / "b.bmp", model).warnings == (
        "its XMP is left out, since BMP cannot hold it",
        *warnings,
    )
    assert restored(source, tmp_path / "c.png", model, strip=True).warnings == ()
    assert read_picture(tmp_path / "c.png").metadata == Metadata()
    Image.fromarray(values).save(source, pnginfo=_with_xmp(PACKET.replace(b"rche", b"r" * 70_000)))
    assert "XMP is left out" in restored(source, tmp_path / "b.jpg", model).warnings[0]
    Image.fromarray(values).save(source, pnginfo=_with_xmp(PACKET[:-200]))
    assert restored(source, tmp_path / "b.png", model).warnings == (
        "its XMP is damaged, and is left out",
    )


def _with_xmp(packet: bytes) -> PngInfo:
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", packet.decode(errors="ignore"))
    return info


@pytest.mark.parametrize("ending", ["jpg", "tif"])
def test_texts_of_iptc_are_told(tmp_path: Path, model: RIM, ending: str) -> None:
    source = tmp_path / f"a.{ending}"
    image = Image.fromarray(np.eye(16, dtype=np.uint8))
    text = b"\x1c\x02\x78\x00\x04tree"
    if ending == "tif":
        image.save(source, tiffinfo={33723: text})
    else:
        stream = io.BytesIO()
        image.save(stream, "JPEG")
        block = b"8BIM\x04\x04\0\0" + len(text).to_bytes(4, "big") + text + b"\0"
        segment = b"Photoshop 3.0\0" + block
        data = stream.getvalue()
        marker = b"\xff\xed" + (len(segment) + 2).to_bytes(2, "big") + segment
        source.write_bytes(data[:2] + marker + data[2:])
    told = restored(source, tmp_path / f"b.{ending}", model).warnings
    assert told == ("its IPTC texts are left out, and are not repeated in XMP",)


def _png(
    path: Path, *chunks: tuple[bytes, bytes], late: tuple[tuple[bytes, bytes], ...] = ()
) -> Path:
    """A PNG with chunks before its pixels, and behind them."""
    stream = io.BytesIO()
    Image.fromarray(np.eye(16, dtype=np.uint8) * 255).save(stream, "PNG")
    data = stream.getvalue()
    end = data.index(b"IEND") - 4
    parts = [data[:33], *map(_chunk, chunks), data[33:end], *map(_chunk, late), data[end:]]
    path.write_bytes(b"".join(parts))
    return path


def _chunk(said: Chunk) -> bytes:
    name, content = said
    return (
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
    )


@pytest.mark.parametrize(
    "keyword",
    ["gamma", "icc_profile", "dpi", "xmp", "exif", "photoshop", "transparency", "interlace"],
)
def test_a_text_is_not_taken_for_what_it_is_called(
    tmp_path: Path, model: RIM, keyword: str
) -> None:
    text = (b"tEXt", keyword.encode() + b"\0" + b"300")
    source = _png(tmp_path / "a.png", (b"gAMA", struct.pack(">I", 45455)), text)
    assert restored(source, tmp_path / "b.png", model).warnings == ()
    back = read_picture(tmp_path / "b.png").metadata
    assert back == Metadata(gamma=0.45455, texts=(text,))


def test_what_stands_behind_the_pixels_is_read_and_behind_the_end_is_not(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    said = (b"iTXt", b"XML:com.adobe.xmp" + bytes(5) + PACKET)
    first = (b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))
    source = _png(tmp_path / "a.png", first, late=(said,))
    source.write_bytes(source.read_bytes() + _chunk((b"tEXt", b"Ghost\0of another file")))
    metadata = read_picture(source).metadata
    assert metadata.xmp == described(PACKET)
    assert metadata.texts == ()
    assert b"a camera" in metadata.exif
    packed = b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(PACKET)
    source = _png(tmp_path / "b.png", (b"iTXt", packed))
    assert read_picture(source).metadata.xmp == described(PACKET)


def test_profiles_in_digits_are_read(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "a camera", 6
    for kind, content in ((b"exif", exif.tobytes()), (b"APP1", exif.tobytes()), (b"xmp", PACKET)):
        text = b"\n%s\n%8d\n%s\n" % (kind, len(content), content.hex().encode())
        source = _png(tmp_path / "a.png", (b"tEXt", b"Raw profile type " + kind + b"\0" + text))
        picture = read_picture(source)
        assert picture.metadata.texts == ()
        assert (b"a camera" in picture.metadata.exif) == (kind != b"xmp")
        assert bool(picture.metadata.xmp) == (kind == b"xmp")
    source = _png(tmp_path / "a.png", (b"tEXt", b"Raw profile type exif\0\nexif\n2\nno digits"))
    assert read_picture(source).metadata.lost == (
        "a profile among its texts is damaged, and is left out",
    )


def test_a_profile_of_colours_that_is_damaged_is_told(tmp_path: Path) -> None:
    source = _png(tmp_path / "a.png", (b"iCCP", b"a profile\0\0" + zlib.compress(b"x" * 99)[:-9]))
    metadata = read_picture(source).metadata
    assert (metadata.icc, len(metadata.lost)) == (b"", 1)


@pytest.mark.parametrize("ending", ["jpg", "png", "tif", "webp"])
def test_an_orientation_in_xmp_alone_is_applied_once(tmp_path: Path, ending: str) -> None:
    values = np.random.default_rng(0).integers(0, 256, (12, 16, 3)).astype(np.uint8)
    source = tmp_path / f"a.{ending}"
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", PACKET.decode())
    Image.fromarray(values).save(source, xmp=PACKET, pnginfo=info, tiffinfo={700: PACKET})
    picture = read_picture(source)
    assert picture.values.shape == (16, 12, 3)
    write_picture(picture, tmp_path / f"b.{ending}")
    assert read_picture(tmp_path / f"b.{ending}").values.shape == (16, 12, 3)


@pytest.mark.parametrize("ending", ["jpg", "png", "tif", "webp"])
def test_who_is_upright_by_exif_is_not_turned_by_an_older_xmp(tmp_path: Path, ending: str) -> None:
    values = np.random.default_rng(0).integers(0, 256, (12, 16, 3)).astype(np.uint8)
    source, info, exif = tmp_path / f"a.{ending}", PngInfo(), Image.Exif()
    info.add_itxt("XML:com.adobe.xmp", PACKET.decode())
    exif[Base.Orientation] = 1
    tags = {700: PACKET, 274: 1}
    Image.fromarray(values).save(source, xmp=PACKET, pnginfo=info, tiffinfo=tags, exif=exif)
    assert b"rientation" in source.read_bytes()
    assert read_picture(source).values.shape == values.shape


def test_packets_of_two_bytes_a_letter_and_what_is_nested_too_deeply() -> None:
    said = PACKET.decode().partition("\n")[2].rpartition("\n")[0]
    for kind in ("utf-16", "utf-16-le", "utf-16-be"):
        assert described(said.encode(kind)) == described(PACKET)
    head, tail = PACKET.split(b"<dc:title>")
    nested = b"<dc:a>" * 5000 + b"</dc:a>" * 5000
    with pytest.raises(ValueError, match="damaged XMP"):
        described(head + nested + b"<dc:title>" + tail)


def test_comments_and_texts_of_windows_go_along(tmp_path: Path, model: RIM) -> None:
    exif = Image.Exif()
    exif[0x9C9B], exif[0x4746] = "tree\0".encode("utf-16-le"), 4
    source = tmp_path / "a.jpg"
    Image.fromarray(np.eye(16, dtype=np.uint8)).save(source, exif=exif, comment=b"of mine")
    assert restored(source, tmp_path / "b.jpg", model).warnings == ()
    with Image.open(tmp_path / "b.jpg") as image:
        assert image.info["comment"] == b"of mine"
    told = restored(source, tmp_path / "b.tif", model).warnings
    assert told == ("its comment is left out, since only JPEG can hold it",)
    with Image.open(tmp_path / "b.tif") as image:
        assert (image.getexif()[0x9C9B], image.getexif()[0x4746]) == (exif[0x9C9B], 4)


def test_resolution_is_not_made_up(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    stream = io.BytesIO()
    Image.fromarray(np.eye(16, dtype=np.uint8)).save(stream, "JPEG", exif=exif)
    (tmp_path / "a.jpg").write_bytes(stream.getvalue())
    assert read_picture(tmp_path / "a.jpg").metadata.dpi is None


@pytest.mark.parametrize("tag", [(0, "2.2.0.0"), (4, "far"), (7, "noon")])
def test_a_position_that_is_damaged_is_left_out(
    tmp_path: Path, model: RIM, tag: tuple[int, str]
) -> None:
    number, value = tag
    said = value.encode() + b"\0"
    maker = b"a maker\0"
    main = struct.pack("<H", 2) + struct.pack("<HHII", 271, 2, len(maker), 38)
    main += struct.pack("<HHII", 0x8825, 4, 1, 46) + bytes(4)
    place = struct.pack("<H", 1) + struct.pack("<HHII", number, 2, len(said), 64) + bytes(4)
    exif = b"II*\0" + struct.pack("<I", 8) + main + maker + place + said.ljust(16, b"\0")
    source = tmp_path / "a.png"
    Image.fromarray(np.eye(16, dtype=np.uint8)).save(source, exif=exif)
    outcome = restored(source, tmp_path / "b.png", model)
    assert outcome.warnings == ("some of its EXIF is damaged, and is left out",)
    with Image.open(tmp_path / "b.png") as image:
        assert image.getexif()[271] == "a maker"


@pytest.mark.parametrize("ending", ["jpg", "png", "webp"])
def test_exif_that_is_cut_is_told(tmp_path: Path, model: RIM, ending: str) -> None:
    exif = Image.Exif()
    exif[0x010E] = "a description that is long enough"
    source = tmp_path / f"a.{ending}"
    Image.fromarray(np.eye(16, dtype=np.uint8)).save(source, exif=exif.tobytes()[:-12])
    outcome = restored(source, tmp_path / f"b.{ending}", model)
    assert "some of its EXIF is damaged, and is left out" in outcome.warnings
