"""By which names the server may be called, and where it says it is."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest
from tests.processes import started

from rimkit.cli.main import main
from rimkit.cli.values import host_name
from rimkit.web.guards import Guards, _check_host, _Refused
from rimkit.web.limits import Limits
from rimkit.web.uploads import Uploads


@pytest.mark.parametrize("name", ["a*b", "", "a b", "a:80", "http://a", "a..b", "[", "*."])
def test_names_that_no_browser_sends_are_refused(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "--name", name])
    assert "expected a host name" in capsys.readouterr().err


HOSTS = [
    ("localhost", "localhost:8000", True),
    ("::1", "[::1]:8000", True),
    ("[::1]", "[::1]", True),
    ("Rim.Example", "rim.example:80", True),
    ("*.example", "a.example", True),
    ("*.example", "example", False),
    ("*", "anything", True),
    ("a.example", "b.a.example", False),
    ("a.example", "", False),
]


@pytest.mark.parametrize(("name", "host", "taken"), HOSTS)
def test_names_are_compared_as_browsers_send_them(name: str, host: str, taken: bool) -> None:
    assert host_name(name) == name
    scope = {"headers": [(b"host", host.encode())]}
    with contextlib.nullcontext() if taken else pytest.raises(_Refused, match="is not called"):
        _check_host(scope, Guards(_nothing, hosts=[name], longest={}, seconds=1)._hosts)


async def _nothing(*_: object) -> None: ...


def served(*options: str) -> contextlib.AbstractContextManager[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "rimkit", "serve", "--port", "0", *options]
    return started(
        [*command, "--model", "denoise-gray"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # What runs these tests may have told all below it to ignore the end of its terminal.
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    )


@pytest.mark.parametrize(
    ("host", "options"),
    [("127.0.0.2", ()), ("::1", ()), ("0.0.0.0", ("--name", "rim.example.org"))],  # noqa: S104
)
def test_the_address_that_is_printed_answers(host: str, options: tuple[str, ...]) -> None:
    with served("--host", host, *options) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[0]
        assert host in url
        assert httpx.get(f"{url}/api/about", timeout=30).status_code == 200
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


def test_a_server_ends_with_its_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with served() as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert list(tmp_path.glob("rimkit-*"))
        process.send_signal(signal.SIGHUP)
        process.communicate(timeout=30)
    assert not list(tmp_path.glob("rimkit-*"))


def test_a_host_that_nobody_knows_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--host", "nowhere.invalid", "--model", "denoise-gray"]) == 1
    assert "cannot listen on nowhere.invalid port" in capsys.readouterr().err


def test_every_limit_reaches_what_it_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, object] = {}

    def create(models: Sequence[str], *, limits: Limits, hosts: Sequence[str]) -> None:
        given.update(dataclasses.asdict(limits), models=models, hosts=hosts)

    def bounded(*, most: int, seconds: float) -> type:
        given["connections"] = most
        raise ValueError("enough is known")

    monkeypatch.setattr("rimkit.cli.serve.create_app", create)
    monkeypatch.setattr("rimkit.cli.serve.bounded_protocol", bounded)
    words = "--pixels 1000 --memory 2GB --seconds 3 --upload 4MB --waiting 5 --kept 6MB"
    words += " --connections 7 --model denoise-gray --name rim.example.org"
    assert main(["serve", *words.split()]) == 1
    expected = {"pixels": 1000, "memory": 2e9, "seconds": 3, "upload_bytes": 4e6, "waiting": 5}
    expected |= {"kept_bytes": 6e6, "connections": 7}
    assert {name: given[name] for name in expected} == expected
    assert given["models"] == ["denoise-gray"]
    assert given["hosts"] == ["localhost", "127.0.0.1", "::1", "127.0.0.1", "rim.example.org"]


def test_a_server_that_could_take_no_image_does_not_start(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["serve", "--port", "0", "--memory", "20MB", "--model", "denoise-gray"]) == 1
    assert "20 MB of memory are not enough: denoise-gray needs" in capsys.readouterr().err


def test_a_server_that_cannot_start_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_: object, *__: object) -> None:
        raise RuntimeError("no place for uploads")

    monkeypatch.setattr(Uploads, "__init__", broken)
    try:
        code = main(["serve", "--port", "0", "--model", "denoise-gray"])
    except SystemExit as exit_:  # newer versions of uvicorn
        code = int(exit_.code or 0)
    assert code != 0
    assert "http://" not in capsys.readouterr().out
