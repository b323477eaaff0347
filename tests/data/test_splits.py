"""Which images a training reads, and which of them it only looks at."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from rimkit.data import bsds300
from rimkit.data.splits import count_images, held_out_paths, split_images, training_paths

TRAIN = sorted(bsds300.names("train"))
TEST = sorted(bsds300.names("test"))
ROOT = Path(__file__).parents[2]


def touched(folder: Path, names: list[str]) -> Path:
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).touch()
    return folder


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of BSDS300 with nothing in its files."""
    for split, names in (("train", TRAIN), ("test", TEST)):
        touched(tmp_path / "bsds" / split, [f"{name}.jpg" for name in names])
    monkeypatch.setenv(bsds300.LOCAL_COPY, str(tmp_path / "bsds"))
    return tmp_path / "bsds"


def test_folders_follow_one_another_and_bsds300_is_a_word(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = touched(tmp_path / "more", ["b.png", "a.png"])
    protocol = bsds300.image_paths("train")
    assert training_paths() == training_paths("bsds300") == protocol
    assert training_paths(more, "bsds300") == [more / "a.png", more / "b.png", *protocol]
    monkeypatch.chdir(tmp_path)
    touched(tmp_path / "bsds300", ["c.png"])
    assert training_paths("./bsds300") == [Path("bsds300/c.png")]
    assert training_paths("bsds300") == protocol


@pytest.mark.parametrize("first", [True, False])
def test_held_out_images_are_those_of_the_protocol_whatever_stands_beside(
    copy: Path, tmp_path: Path, first: bool
) -> None:
    alone = split_images(training_paths(), held_out_every=20)
    more = touched(tmp_path / "more", [f"{number}.png" for number in range(200)])
    folders = ("bsds300", more) if first else (more, "bsds300")
    training, held_out = split_images(training_paths(*folders), held_out_every=20)
    assert held_out == alone[1]
    assert len(held_out) == 10
    assert set(training) == {*alone[0], *more.iterdir()}
    assert count_images([*training, *held_out]) == {"bsds300": 200, "other": 200}
    again = shutil.copytree(copy / "train", tmp_path / "copied")  # by their names, wherever
    training, held_out = split_images(training_paths(more, again), held_out_every=20)
    assert [path.name for path in held_out] == [path.name for path in alone[1]]
    assert len(training) == 390


@pytest.mark.parametrize("added", [0, 200])
def test_what_trainings_read_was_no_test_image(copy: Path, added: int) -> None:
    table = json.loads((ROOT / f"results/weights/inputs-{200 + added}.json").read_text())
    training, held_out = ([name for name, _ in table[part]] for part in ("training", "held_out"))
    split = split_images(training_paths(), held_out_every=20)
    assert held_out == [path.name for path in split[1]] == [p.name for p in held_out_paths()]
    assert {path.name for path in split[0]} <= set(training)
    assert len(set(training)) == len(training) == 190 + added
    assert not {Path(name).stem for name in training} & set(TEST)


def test_a_part_of_bsds300_is_a_folder_like_others(tmp_path: Path) -> None:
    folder = touched(tmp_path / "part", [*(f"{n}.jpg" for n in TRAIN[:30]), "a.png"])
    paths = training_paths(folder)
    assert split_images(paths, held_out_every=5)[1] == paths[::5]
    assert count_images(paths) == {"bsds300": 30, "other": 1}


@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_test_images_are_refused(copy: Path, tmp_path: Path, ending: str) -> None:
    folder = touched(tmp_path / "more" / "deep", ["a.png", f"{TEST[7]}.{ending}"])
    for folders in ((folder,), ("bsds300", folder.parent)):
        with pytest.raises(ValueError, match="training images must not be test images") as caught:
            split_images(training_paths(*folders), held_out_every=20)
        assert TEST[7] in str(caught.value)


def test_an_image_and_its_link_are_both_named(tmp_path: Path) -> None:
    folder = touched(tmp_path / "more", ["a.png", "b.png"])
    (folder / "c.png").symlink_to(folder / "a.png")
    with pytest.raises(ValueError, match=r"a\.png \(the same file as .*c\.png\) would be read"):
        split_images(training_paths(folder), held_out_every=20)


def test_no_image_is_there_twice(copy: Path, tmp_path: Path) -> None:
    folder = touched(tmp_path / "more", ["a.png", f"{TRAIN[20]}.png"])
    with pytest.raises(ValueError, match=f"of BSDS300 occurs twice: .*{TRAIN[20]}"):
        split_images(training_paths("bsds300", folder), held_out_every=20)
    for folders in ((folder, folder), (tmp_path / "more", Path(os.path.relpath(folder)))):
        with pytest.raises(ValueError, match=r"\.png.* would be read twice"):
            split_images(training_paths(*folders), held_out_every=20)
