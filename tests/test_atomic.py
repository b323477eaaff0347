"""What may happen while a file is claimed."""

import signal
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
