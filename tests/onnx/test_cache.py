"""A model that is asked for by name is exported once, whoever asks."""

import threading
import time
from pathlib import Path

import pytest

from rimkit import atomic
from rimkit.onnx import cache
from rimkit.onnx.cache import cached, place
from rimkit.weights import store


@pytest.fixture(autouse=True)
def _empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIMKIT_CACHE", str(tmp_path / "cache"))


def test_the_place_is_that_of_the_weights(weights_file: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(weights_file.read_bytes())
    assert place(copy) == place(weights_file)
    assert place(weights_file).is_relative_to(tmp_path / "cache")
    other = tmp_path / "other.safetensors"
    store.save(store.read(copy), other, training={"updates": 8})
    assert place(other) != place(weights_file)


def test_many_ask_and_one_exports(weights_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Path] = []

    def slow(model: Path, path: Path) -> None:
        calls.append(path)
        time.sleep(0.5)
        with atomic.replacing(path) as file:
            file.write(b"a graph")

    monkeypatch.setattr(cache, "_export", slow)
    found: list[bytes] = []
    askers = [
        threading.Thread(target=lambda: found.append(cached(weights_file).read_bytes()))
        for _ in range(3)
    ]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert found == [b"a graph"] * 3
    assert calls == [place(weights_file)]
    assert cached(weights_file) == place(weights_file)
    assert [path.name for path in place(weights_file).parent.iterdir()] == [calls[0].name]


def test_what_the_export_says_is_passed_on(tmp_path: Path) -> None:
    (tmp_path / "bad.safetensors").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"^\S*bad.safetensors is not a safetensors file"):
        cached(tmp_path / "bad.safetensors")
    assert not list((tmp_path / "cache" / "onnx").iterdir())
