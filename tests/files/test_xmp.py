"""XMP: what describes a picture is carried from format to format, what describes a file is not."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from rimkit.denoiser import Denoiser
from rimkit.files.jobs import plan
from rimkit.files.metadata import Metadata
from rimkit.files.picture import Picture, read_picture, write_picture
from rimkit.files.run import Outcome, Wishes, restore_files
from rimkit.files.xmp import described
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
        b"\xff\xfe\x00",
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
    assert warnings == ("its texts are left out, which only PNG can hold: Title, Author",)
    assert restored(source, tmp_path / "b.bmp", model).warnings == (
        "its XMP is left out, which BMP cannot hold",
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
    assert told == ("it has texts of IPTC without XMP, which are left out",)
