from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from rimkit.data.images import list_images, load_bytes, rgb2gray
from rimkit.files.picture import Picture, write_picture


def test_grey_is_that_of_matlab() -> None:
    rgb = np.array([[[255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255], [10, 200, 31]]])
    assert rgb2gray(rgb.astype(np.uint8)).tolist() == [[255, 76, 150, 29, 124]]
    near = np.array([[[177, 10, 208], [232, 240, 11]]])  # coefficients of three digits: 83 and 212
    assert rgb2gray(near.astype(np.uint8)).tolist() == [[82, 211]]


def test_loads_grey_and_colour(tmp_path: Path) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    Image.fromarray(rgb).save(tmp_path / "a.png")
    assert np.array_equal(load_bytes(tmp_path / "a.png", channels=3), rgb.transpose(2, 0, 1))
    assert np.array_equal(load_bytes(tmp_path / "a.png", channels=1)[0], rgb2gray(rgb))


def test_other_depths_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.full((9, 9), 60_000, dtype=np.uint16)).save(tmp_path / "deep.png")
    Image.fromarray(np.full((9, 9), 0.5, dtype=np.float32)).save(tmp_path / "float.tif")
    for name in ("deep.png", "float.tif"):
        with pytest.raises(ValueError, match=f"{name} has mode"):
            load_bytes(tmp_path / name, channels=1)


def test_sixteen_bits_of_colour_are_not_cut_to_eight(tmp_path: Path) -> None:
    deep = np.full((9, 12, 3), 300, np.uint16)
    tifffile.imwrite(tmp_path / "deep.tif", deep)
    write_picture(Picture(deep), tmp_path / "deep.png")
    for name in ("deep.tif", "deep.png"):
        with pytest.raises(ValueError, match=f"{name} is 16-bit"):
            load_bytes(tmp_path / name, channels=3)


def test_lists_below_and_sorted(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "folder.png").mkdir()
    for name in ("c.PNG", "b/a.jpg", "notes.txt", ".hidden.png"):
        (tmp_path / name).touch()
    assert [path.name for path in list_images(tmp_path)] == ["a.jpg", "c.PNG"]


def test_a_folder_that_cannot_be_listed_is_said(
    tmp_path: Path, forbid_listing: Callable[[Path], None]
) -> None:
    (tmp_path / "closed").mkdir()
    (tmp_path / "a.png").touch()
    forbid_listing(tmp_path / "closed")
    with pytest.raises(PermissionError, match="closed"):
        list_images(tmp_path)
    found: list[OSError] = []
    assert list_images(tmp_path, on_error=found.append) == [tmp_path / "a.png"]
    assert [error.filename for error in found] == [str(tmp_path / "closed")]


def test_bad_folders_and_files(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no images below"):
        list_images(tmp_path)
    with pytest.raises(ValueError, match="is not a folder"):
        list_images(tmp_path / "none")
    (tmp_path / "text.png").write_text("hello")
    with pytest.raises(ValueError, match="cannot be read as an image"):
        load_bytes(tmp_path / "text.png", channels=1)


def test_files_have_one_channel_or_three(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match="images are read with 1 or 3 channels, not 4"):
        load_bytes(tmp_path / "a.png", channels=4)
