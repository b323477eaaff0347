import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from rimkit.data import bsds300

IMAGES = {"train/2.jpg": b"two", "train/10.jpg": b"ten", "test/3.jpg": b"three"}


def archive(path: Path, images: dict[str, bytes], *, below: str = "BSDS300/images/") -> str:
    with tarfile.open(path, "w:gz") as bundle:
        for name, content in images.items():
            info = tarfile.TarInfo(f"{below}{name}")
            info.size = len(content)
            bundle.addfile(info, io.BytesIO(content))
    return path.as_uri()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A data set of three "images", and an empty cache folder."""
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(IMAGES.items())}
    monkeypatch.setattr(bsds300, "checksums", lambda: sums)
    monkeypatch.setenv(bsds300.CACHE, str(tmp_path / "cache"))
    monkeypatch.delenv(bsds300.LOCAL_COPY, raising=False)
    return tmp_path


def test_downloads_checks_and_finds(small: Path) -> None:
    folder = bsds300.fetch(url=archive(small / "images.tgz", IMAGES))
    assert bsds300.find() == folder
    assert [path.name for path in bsds300.image_paths("train")] == ["10.jpg", "2.jpg"]
    assert list(folder.parent.iterdir()) == [folder]


def test_nothing_but_the_images_is_unpacked(small: Path) -> None:
    others = {"../../evil.txt": b"!", "train/notes.txt": b"!", "train/11.jpg": b"!"}
    folder = bsds300.fetch(url=archive(small / "images.tgz", {**others, **IMAGES}, below="a/../"))
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert found == set(IMAGES)
    assert not list(small.rglob("evil.txt"))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ({**IMAGES, "train/2.jpg": b"TWO"}, "wrong checksum"),
        ({"train/2.jpg": b"two"}, "missing"),
        ({"notes.txt": b"nothing"}, "no folder train"),
    ],
    ids=["changed", "missing", "other"],
)
def test_a_bad_download_leaves_nothing(small: Path, images: dict[str, bytes], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        bsds300.fetch(url=archive(small / "images.tgz", images))
    assert bsds300.find() is None
    assert list((small / "cache").iterdir()) == []


def test_a_download_that_is_cut_short(small: Path) -> None:
    url = archive(small / "images.tgz", IMAGES)
    path = small / "images.tgz"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match="could not be downloaded"):
        bsds300.fetch(url=url)


def test_no_download_says_where_from(small: Path) -> None:
    with pytest.raises(ValueError, match="could not be downloaded"):
        bsds300.fetch(url=(small / "none.tgz").as_uri())


def test_a_cache_that_cannot_be_written_says_what_to_do(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (small / "file").touch()
    monkeypatch.setenv(bsds300.CACHE, str(small / "file" / "cache"))
    with pytest.raises(ValueError, match=r"cache cannot be written .*: set RIMKIT_CACHE to anoth"):
        bsds300.fetch(url=(small / "none.tgz").as_uri())


def test_absent_data_says_what_to_do(small: Path) -> None:
    with pytest.raises(ValueError, match=r"set RIMKIT_BSDS300 .*rimkit data bsds300"):
        bsds300.image_paths("test")


def test_a_copy_that_is_not_where_it_is_said_is_no_matter_of_the_cache(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (bsds300.cache_folder() / "bsds300" / "train").mkdir(parents=True)
    monkeypatch.setenv(bsds300.LOCAL_COPY, str(small / "nowhere"))
    with pytest.raises(ValueError, match=r"RIMKIT_BSDS300 is .*nowhere, which holds no folder"):
        bsds300.image_paths("train")


def test_an_incomplete_copy_is_named(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (small / "copy" / "train").mkdir(parents=True)
    monkeypatch.setenv(bsds300.LOCAL_COPY, str(small / "copy"))
    with pytest.raises(ValueError, match=r"not a complete copy.*10\.jpg"):
        bsds300.image_paths("train")


def test_the_manifest_has_200_and_100_images() -> None:
    names = list(bsds300.checksums())
    assert sum(name.startswith("train/") for name in names) == 200
    assert sum(name.startswith("test/") for name in names) == 100
    assert names == sorted(names)


@pytest.mark.data
def test_the_copy_at_hand_is_the_original() -> None:
    root = bsds300.find()
    assert root is not None
    bsds300.verify(root)
    train, test = bsds300.image_paths("train"), bsds300.image_paths("test")
    assert not {path.name for path in train} & {path.name for path in test}
