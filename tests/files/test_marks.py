"""Files that mark missing pixels."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from rimkit.files.marks import read_missing
from rimkit.files.picture import Picture

SIZE = (70, 84)
PICTURE = Picture(np.zeros((*SIZE, 3), np.uint8))
MARKED = np.zeros(SIZE, bool)
MARKED[60:68, 20:50] = True


def saved(values: np.ndarray, path: Path, **options: object) -> Path:
    Image.fromarray(values).save(path, **options)
    return path


@pytest.mark.parametrize("kind", ["grey", "bits", "colour", "16 bits", "floats", "layer", "turned"])
def test_white_is_missing_in_files_of_any_kind(kind: str, tmp_path: Path) -> None:
    levels = MARKED.astype(np.uint8) * 255
    path = tmp_path / ("mask.tif" if kind == "floats" else "mask.png")
    match kind:
        case "grey":
            saved(levels, path)
        case "bits":
            saved(MARKED, path)
        case "colour":
            saved(levels[..., None] * np.array([1, 0, 0], np.uint8), path)
        case "16 bits":
            saved(MARKED.astype(np.uint16) * 65535, path)
        case "floats":
            tifffile.imwrite(path, MARKED.astype(np.float32))
        case "layer":  # what is transparent marks nothing, whatever colour it hides
            saved(np.stack([np.full_like(levels, 255), levels], 2), path)
        case "turned":
            exif = Image.Exif()
            exif[274] = 6
            saved(np.rot90(levels), path, exif=exif)
    assert np.array_equal(read_missing(path, PICTURE), MARKED)


def test_soft_edges_are_missing_and_the_marks_of_jpeg_are_not(tmp_path: Path) -> None:
    soft = np.zeros(SIZE, np.uint8)
    soft[10:20, 10:30], soft[20, 10:30] = 255, 60
    missing = read_missing(saved(soft, tmp_path / "soft.png"), PICTURE)
    assert np.array_equal(missing, soft > 0)
    lossy = saved(MARKED.astype(np.uint8) * 255, tmp_path / "lossy.jpg", quality=90)
    missing = read_missing(lossy, PICTURE)
    assert missing[MARKED].all()
    assert not missing[:50].any()


def test_marks_must_fit_and_leave_something(tmp_path: Path) -> None:
    path = saved(np.full((84, 70), 255, np.uint8), tmp_path / "mask.png")
    with pytest.raises(ValueError, match=r"mask.png: .*70x84, but this one is 84x70"):
        read_missing(path, PICTURE)
    saved(np.full(SIZE, 255, np.uint8), path)
    with pytest.raises(ValueError, match=r"mask.png: it marks all pixels: white means missing"):
        read_missing(path, PICTURE)
    path.write_text("no image")
    with pytest.raises(ValueError, match=r"mask.png: cannot be read"):
        read_missing(path, PICTURE)


def test_marks_of_another_scale_are_refused(tmp_path: Path) -> None:
    labels = saved(MARKED.astype(np.uint8), tmp_path / "labels.png")
    with pytest.raises(
        ValueError, match=r"labels.png: it marks no pixels: its brightest is 0.39% of white"
    ):
        read_missing(labels, PICTURE)
    deep = saved(MARKED.astype(np.uint16) * 255, tmp_path / "deep.png")
    with pytest.raises(
        ValueError, match=r"deep.png: it marks no pixels: its brightest is 0.39% of white"
    ):
        read_missing(deep, PICTURE)
    tifffile.imwrite(tmp_path / "nan.tif", np.where(MARKED, np.nan, 0).astype(np.float32))
    with pytest.raises(ValueError, match=r"nan.tif: it holds NaN"):
        read_missing(tmp_path / "nan.tif", PICTURE)
    black = saved(np.zeros(SIZE, np.uint8), tmp_path / "black.png")
    assert not read_missing(black, PICTURE).any()


def test_a_file_of_another_size_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(np.zeros((9, 11), np.uint8), tmp_path / "small.png")
    monkeypatch.delattr("rimkit.files.marks.read_picture")
    with pytest.raises(ValueError, match="11x9, but this one is 84x70"):
        read_missing(path, PICTURE)
