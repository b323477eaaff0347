from pathlib import Path

import pytest

from rimkit.evaluation.images import load_test_images


@pytest.mark.data
def test_the_68_images_are_the_first_of_the_100() -> None:
    names = [image.name for image in load_test_images(100)]
    assert len(names) == 100
    assert names[:3] == ["101085", "101087", "102061"]
    assert [image.name for image in load_test_images(68)] == names[:68]
    first = next(load_test_images(1)).x
    assert first.shape == (1, 1, *first.shape[2:])
    assert sorted(first.shape[2:]) == [321, 481]


def test_data_are_read_where_the_variable_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RIMKIT_BSDS300", str(tmp_path))
    with pytest.raises(ValueError, match="RIMKIT_BSDS300"):
        list(load_test_images(1))
