"""What may happen while a file is claimed."""

import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import filelock
import pytest

from rimkit import atomic


def interrupt_within(monkeypatch: pytest.MonkeyPatch, owner: type, name: str) -> None:
    """Let Ctrl-C arrive within a method, the first time that it is called."""
    method = getattr(owner, name)

    def run(*arguments: object, **options: object) -> object:
        monkeypatch.setattr(owner, name, method)
        if name != "acquire":  # before it does anything
            signal.raise_signal(signal.SIGINT)
        result = method(*arguments, **options)
        if name == "acquire":  # once it is done
            signal.raise_signal(signal.SIGINT)
        return result

    monkeypatch.setattr(owner, name, run)


@pytest.mark.parametrize(
    ("owner", "name"),
    [(filelock.FileLock, "acquire"), (Path, "unlink"), (filelock.FileLock, "release")],
)
def test_an_interrupt_leaves_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: type, name: str
) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    interrupt_within(monkeypatch, owner, name)
    try:
        with pytest.raises(KeyboardInterrupt), atomic.claimed(tmp_path / "a.png"):
            pass
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert list(tmp_path.iterdir()) == []
    with atomic.claimed(tmp_path / "a.png") as mine:
        assert mine


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_the_claim_of_the_dead_is_removed_and_that_of_the_living_is_not(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(b"done")
    with atomic.claimed(path):
        (lock,) = (each for each in tmp_path.iterdir() if each != path)
        atomic.tidy(path)
        assert lock.exists()
        with atomic.claimed(path) as mine:
            assert not mine
    lock.touch()  # as a process leaves it that is killed before it has removed it
    atomic.tidy(path)
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b"done"


@pytest.mark.skipif(os.name == "nt", reason="files have modes elsewhere")
def test_who_may_read_a_file_stays_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    path.chmod(0o600)
    with atomic.replacing(path) as file:
        file.write(b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.skipif(os.name == "nt", reason="needs modes of files")
def test_a_new_file_is_read_by_nobody_who_could_not_read_another(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.write_bytes(b"first")
    private.chmod(0o400)
    for like, mode in (
        (private, 0o600),
        (tmp_path / "none", 0o666 & ~_umask()),
        (None, 0o666 & ~_umask()),
    ):
        path = tmp_path / "new"
        with atomic.replacing(path, like=like) as file:
            file.write(b"second")
        assert stat.S_IMODE(path.stat().st_mode) == mode
        path.unlink()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_a_pipe_stays_one_and_gets_all(tmp_path: Path) -> None:
    pipe = tmp_path / "report.json"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()), daemon=True)
    reader.start()
    with atomic.replacing(pipe) as file:
        file.write(b"0123")
        file.seek(1)  # as writers of pictures do
        file.write(b"9")
    reader.join(timeout=10)
    assert read == [b"0923"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert list(tmp_path.iterdir()) == [pipe]


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="standard output has no path here")
def test_standard_output_is_written_to_also_where_it_is_a_file(tmp_path: Path) -> None:
    before = os.lstat("/dev/stdout")
    program = (
        "import pathlib; from rimkit import atomic; print('first', flush=True)\n"
        "with atomic.replacing(pathlib.Path('/dev/stdout')) as file: file.write(b'second')"
    )
    output = tmp_path / "output.txt"
    with output.open("wb") as file:
        subprocess.run([sys.executable, "-c", program], stdout=file, check=True)
    assert output.read_bytes() == b"first\nsecond"
    assert os.lstat("/dev/stdout").st_ino == before.st_ino


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_nothing_goes_into_a_pipe_where_the_block_fails(tmp_path: Path) -> None:
    pipe = tmp_path / "report.json"
    os.mkfifo(pipe)
    with pytest.raises(TypeError), atomic.replacing(pipe) as file:
        file.write([b"half"])  # type: ignore[arg-type]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("written", [False, True])
def test_a_request_to_end_waits_until_what_is_written_was_told(
    tmp_path: Path, number: int, written: bool
) -> None:
    target, told = tmp_path / "a", []
    target.write_bytes(b"before")

    def work() -> None:
        with atomic.told_if_written(target):
            if written:
                with atomic.replacing(target) as file:
                    file.write(b"after")
            signal.raise_signal(number)
            told.append(target.read_bytes())

    handler = signal.signal(number, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            work()
        assert signal.getsignal(number) is signal.default_int_handler
    finally:
        signal.signal(number, handler)
    assert told == ([b"after"] if written else [])
