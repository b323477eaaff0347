import os
from collections.abc import Callable
from pathlib import Path

import pytest

from rimkit.files.jobs import Job, left_out, plan


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    for name in ("a.png", "deep/b.jpg", "notes.txt"):
        (folder / name).touch()
    return folder


def test_a_file_goes_beside_itself_or_where_it_is_told(folder: Path, tmp_path: Path) -> None:
    source = folder / "a.png"
    assert plan([source], None) == [Job(source, folder / "a-restored.png")]
    assert plan([source], tmp_path / "x.tif") == [Job(source, tmp_path / "x.tif")]
    assert plan([source], tmp_path) == [Job(source, tmp_path / "a.png")]
    assert plan([source], tmp_path / "new") == [Job(source, tmp_path / "new" / "a.png")]


def test_a_folder_is_mirrored(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert plan([folder], out) == [
        Job(folder / "a.png", out / "a.png", root=out),
        Job(folder / "deep" / "b.jpg", out / "deep" / "b.jpg", root=out),
    ]
    assert plan([folder], None)[0].target == tmp_path / "in-restored" / "a.png"


def test_an_output_inside_the_input_is_not_read_again(folder: Path) -> None:
    out = folder / "out"
    out.mkdir()
    (out / "a.png").touch()
    assert [job.source.name for job in plan([folder], out)] == ["a.png", "b.jpg"]


def test_inputs_are_never_overwritten(folder: Path) -> None:
    with pytest.raises(ValueError, match="overwrite"):
        plan([folder], folder)
    with pytest.raises(ValueError, match="overwrite an input"):
        plan([folder / "a.png"], folder / "a.png")
    (folder / "link.png").symlink_to(folder / "a.png")
    with pytest.raises(ValueError, match="overwrite an input"):
        plan([folder / "a.png"], folder / "link.png")


def test_links_that_lead_in_a_circle_are_not_followed(folder: Path) -> None:
    loop = folder / "loop.png"
    loop.symlink_to(loop)
    assert [job.target for job in plan([folder / "a.png"], loop)] == [loop]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_is_no_image(folder: Path) -> None:
    os.mkfifo(folder / "in.png")
    with pytest.raises(ValueError, match=r"in\.png: this is neither a file nor a folder"):
        plan([folder / "in.png"], None)


def test_nothing_to_do_is_an_error(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such file or folder"):
        plan([tmp_path / "none"], None)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no images below"):
        plan([tmp_path / "empty"], None)
    with pytest.raises(ValueError, match="must be a folder, not a file"):
        plan([folder], folder / "a.png")


def test_an_output_above_the_input_takes_nothing_away(folder: Path) -> None:
    sources = [job.source.name for job in plan([folder], folder.parent)]
    assert sources == ["a.png", "b.jpg"]


def test_a_folder_that_cannot_be_listed_stops_no_other(
    folder: Path, tmp_path: Path, forbid_listing: Callable[[Path], None]
) -> None:
    forbid_listing(folder / "deep")
    first, second = plan([folder], tmp_path / "out")
    assert (first.source, first.refusal) == (folder / "a.png", "")
    assert (second.source, second.refusal) == (folder / "deep", "Permission denied")


def test_hidden_folders_are_left_alone(folder: Path) -> None:
    (folder / ".thumbs").mkdir()
    (folder / ".thumbs" / "a.png").touch()
    assert [job.source.name for job in plan([folder], None)] == ["a.png", "b.jpg"]


def test_one_file_marks_the_holes_of_all_images(folder: Path, tmp_path: Path) -> None:
    marks = tmp_path / "mask.png"
    marks.touch()
    assert [job.marks for job in plan([folder], None, marks=marks)] == [marks, marks]
    assert plan([folder / "a.png"], None)[0].marks is None


def test_a_folder_marks_the_holes_of_images_by_their_names(folder: Path, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    (marks / "deep").mkdir(parents=True)
    for name in ("a.txt", "a.tif", "deep/b.png", "deep/b.b.png"):
        (marks / name).touch()
    jobs = plan([folder], None, marks=marks)
    assert [job.marks for job in jobs] == [marks / "a.tif", marks / "deep" / "b.png"]
    (marks / "deep" / "b.jpg").touch()  # the same name comes first
    (job,) = plan([folder / "deep" / "b.jpg"], None, marks=marks / "deep")
    assert job.marks == marks / "deep" / "b.jpg"
    (marks / "a.tif").unlink()
    assert plan([folder / "a.png"], None, marks=marks)[0].marks == marks / "a.png"  # is not there


def test_marks_among_the_images_are_not_restored_nor_written_over(folder: Path) -> None:
    marks = folder / "marks"
    marks.mkdir()
    (marks / "a.png").touch()
    assert [job.source.name for job in plan([folder], None, marks=marks)] == ["a.png", "b.jpg"]
    (folder / "mask.png").touch()
    jobs = plan([folder], None, marks=folder / "mask.png")
    assert "mask.png" not in [job.source.name for job in jobs]
    with pytest.raises(ValueError, match=r"mask.png: the output would overwrite an input"):
        plan([folder / "a.png"], folder / "mask.png", marks=folder / "mask.png")
    with pytest.raises(ValueError, match=r"gone.png: there is no such file"):
        plan([folder], None, marks=folder / "gone.png")


def test_marks_lie_in_a_folder_of_their_own(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for marks in (folder, tmp_path, out):
        with pytest.raises(ValueError, match="must be in a folder of their own"):
            plan([folder], out, marks=marks)
    marks = tmp_path / "marks"
    marks.mkdir()
    for name in ("a.bmp", "a.tif"):
        (marks / name).touch()
    with pytest.raises(ValueError, match=r"a.bmp and a.tif all mark a.png: keep only one"):
        plan([folder], out, marks=marks)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_marks_nothing(folder: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "marks.png")
    with pytest.raises(ValueError, match="neither a file nor a folder"):
        plan([folder], None, marks=tmp_path / "marks.png")


def test_a_folder_that_is_a_link_is_mirrored_beside_the_link(folder: Path, tmp_path: Path) -> None:
    link = tmp_path / "elsewhere" / "photos"
    link.parent.mkdir()
    link.symlink_to(folder)
    (job, *_) = plan([link], None)
    assert job.root == tmp_path / "elsewhere" / "photos-restored"
    with pytest.raises(ValueError, match="name the output with -o"):
        plan([Path("/")], None)


def test_standard_output_has_a_name(folder: Path) -> None:
    with pytest.raises(ValueError, match="-o - is not a file"):
        plan([folder / "a.png"], Path("-"))


def test_a_device_is_no_folder(folder: Path) -> None:
    (job,) = plan([folder / "a.png"], Path("/dev/stdout"))
    assert job.target == Path("/dev/stdout")


def test_photographs_that_are_not_read_are_counted(folder: Path) -> None:
    for name in ("one.HEIC", "deep/two.heic", "three.nef", ".four.heic", "notes.txt"):
        (folder / name).touch()
    assert left_out([folder]) == {".heic": 2, ".nef": 1}


def test_several_files_go_beside_themselves_or_into_a_folder(folder: Path, tmp_path: Path) -> None:
    sources = [folder / "a.png", folder / "deep" / "b.jpg"]
    assert plan(sources, None, name="x2") == [
        Job(sources[0], folder / "a-x2.png"),
        Job(sources[1], folder / "deep" / "b-x2.jpg"),
    ]
    out = tmp_path / "out"
    assert [job.target for job in plan(sources, out)] == [out / "a.png", out / "b.jpg"]
    assert plan([folder / "a.png", folder, folder / "a.png"], out) == [
        Job(folder / "a.png", out / "a.png"),
        Job(folder / "a.png", out / "in" / "a.png", root=out / "in"),
        Job(folder / "deep" / "b.jpg", out / "in" / "deep" / "b.jpg", root=out / "in"),
    ]


def test_what_was_restored_is_no_source_when_all_names_are_given_again(
    folder: Path, tmp_path: Path
) -> None:
    for name in ("a-restored.png", "a-x2-x3.png", "a-x2.png", "b-x2.png"):
        (folder / name).touch()
    names = ("a-restored.png", "a.png", "a-x2.png", "a-x2-x3.png", "b-x2.png")
    origins = {job.source.name: job.result_of for job in plan([folder / n for n in names], None)}
    assert origins == {
        "a-restored.png": folder / "a.png",
        "a.png": None,
        "a-x2.png": folder / "a.png",
        "a-x2-x3.png": folder / "a-x2.png",
        "b-x2.png": None,  # of something that was not named
    }
    (job,) = plan([folder / "a-restored.png"], None)
    assert job.target == folder / "a-restored-restored.png"
    jobs = plan([folder, tmp_path / "none.png"], None)  # whose results lie elsewhere
    assert {job.source.name for job in jobs if job.result_of is None} >= {*names, "b.jpg"}
    out = folder / "out.v2"
    (out / "in").mkdir(parents=True)
    (out / "a.png").touch()
    sources = [folder / "a.png", folder, out, out / "a.png"]
    assert {job.source.name for job in plan(sources, out)} == {*names, "b.jpg"}


def test_an_image_does_not_mark_its_own_pixels(folder: Path) -> None:
    image = next(iter(sorted(folder.rglob("*.png"))))
    for marks in (image, image.parent):
        with pytest.raises(ValueError, match="cannot mark its own missing pixels"):
            plan([image], None, marks=marks)


def test_files_go_to_a_folder_above_them(folder: Path) -> None:
    sources = [folder / "deep" / name for name in ("b.png", "c.tif")]
    for source in sources:
        source.touch()
    assert [job.source for job in plan(sources, folder)] == sources
    assert {job.target for job in plan(sources, folder)} == {folder / "b.png", folder / "c.tif"}
    jobs = plan([*sources, folder / "a.png"], folder)  # which would stay where it is
    assert [(job.source, bool(job.refusal)) for job in jobs] == [
        *((source, False) for source in sources),
        (folder / "a.png", True),
    ]
    (folder / "b.png").touch()  # which may be an original
    with pytest.raises(ValueError, match=r"in.b\.png: the output would overwrite an input"):
        plan([*sources, folder / "b.png"], folder)
    marked = plan(sources, None, marks=folder)
    assert [(job.source, job.marks) for job in marked] == [
        (sources[0], folder / "b.png"),
        (sources[1], folder / "c.png"),
    ]


def test_marks_are_no_sources(folder: Path) -> None:
    for name in ("mask.png", "masks/a.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    for marks in ("mask.png", "masks"):
        sources = [folder / "a.png", folder / "mask.png", folder / "masks", folder / "deep"]
        jobs = plan(sources, None, marks=folder / marks)
        kept = {source for source in sources if source != folder / marks}
        found = {parent for job in jobs for parent in (job.source, job.source.parent)}
        assert found & set(sources) == kept


def test_several_files_with_one_name_do_not_go_to_one_place(folder: Path, tmp_path: Path) -> None:
    (folder / "deep" / "a.png").touch()
    sources = [folder / "a.png", folder / "deep" / "a.png"]
    with pytest.raises(ValueError, match=r"out.a\.png: both .*in.a\.png and .*deep.a\.png"):
        plan(sources, tmp_path / "out")
    with pytest.raises(ValueError, match="output of several files must be a folder"):
        plan(sources, tmp_path / "out.png")
    (tmp_path / "link").symlink_to(folder)
    (job,) = plan([folder / "a.png", tmp_path / "link" / "a.png"], tmp_path / "out")
    assert job.target == tmp_path / "out" / "a.png"


def test_one_of_several_that_is_not_there_stops_no_other(
    folder: Path, tmp_path: Path, forbid_listing: Callable[[Path], None]
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "locked").mkdir()
    forbid_listing(tmp_path / "locked")
    sources = [tmp_path / name for name in ("none.png", "empty", "locked")]
    first, *refused = plan([folder / "a.png", *sources], None)
    assert (first.source, first.refusal) == (folder / "a.png", "")
    assert [job.source for job in refused] == sources
    for job, reason in zip(refused, ("no such file", "no images", "Permission"), strict=True):
        assert reason in job.refusal
