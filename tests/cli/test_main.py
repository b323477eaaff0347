import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
import torch
from PIL import Image

import rimkit
from rimkit import RIM, RIMConfig, weights
from rimkit.cli.main import main
from rimkit.networks import CompactConfig


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out == f"rimkit {rimkit.__version__}\n"
    assert metadata.version("rimkit") == rimkit.__version__


def test_without_a_command_it_says_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([])
    assert stopped.value.code == 2
    assert "COMMAND" in capsys.readouterr().err


def test_models_lists_and_shows_cards(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    listed = capsys.readouterr().out
    places = {line.index(weights.card(line.split()[0]).summary) for line in listed.splitlines()}
    assert len(places) == 1  # one column
    for name in weights.model_names():
        assert name in listed
        assert main(["models", name]) == 0
        card = capsys.readouterr().out
        assert weights.card(name).licence in card
        assert not re.search(r"SSIM.*dB", card)
    assert main(["models", "nothing"]) == 1


def test_models_tells_what_a_file_says_of_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.safetensors"
    training = {
        "task": {"name": "denoising"},
        "recipe": {"start_from": "runs/before.safetensors", "optimizer": {"updates": 20}},
        "images": "3 for training, 1 held out",
        "read": {"bsds300": 0, "other": 4},
        "updates": 10,
        "finished": False,
        "seconds": 90.0,
        "precision": "32-true",
    }
    model = RIM(RIMConfig(network=CompactConfig(channels=3, features=8, blocks=1), steps=7))
    weights.save(model, path, training=training)
    assert main(["models", str(path)]) == 0
    summary, *lines = capsys.readouterr().out.splitlines()
    count = sum(parameter.numel() for parameter in model.parameters())
    assert summary.startswith(f"{path}: compact network, {count:,} parameters")
    assert "10 of 20 updates, 2 minutes of training" in summary
    assert dict(line.split(maxsplit=1) for line in lines) == {
        "channels": "3",
        "steps": "7",
        "task": "denoising",
        "images": "3 for training, 1 held out; 4 other images",
        "precision": "32-true",
        "start": "runs/before.safetensors",
        "sha256": weights.sha256(path),
    }
    weights.save(model, path)  # of which nothing is known
    assert main(["models", str(path)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 4
    path.write_bytes(b"no weights")
    assert main(["models", str(path)]) == 1
    assert "is not a safetensors file" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["restore", "evaluate", "train"])
def test_a_precision_that_is_emulated_is_said(
    command: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("rimkit.precision.computes_in_bfloat16", lambda: False)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    Image.new("L", (32, 32)).save("a.png")
    what = {"restore": ["a.png"], "evaluate": ["nothing"], "train": ["denoise-gray"]}[command]
    what += ["--data", "."] if command == "train" else []
    name = "bf16-mixed" if command == "train" else "bfloat16"
    main([command, *what, "--precision", name])
    assert "does not multiply in bfloat16" in capsys.readouterr().err
    main([command, *what])
    assert "does not multiply" not in capsys.readouterr().err


EMPTY = os.devnull


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "denoise-grey"], 'did you mean "denoise-gray"'),
        (["train", "denoise-gray", "--set", "optimizer.raet=1"], 'did you mean "rate"'),
        (["train", "denoise-gray", "--data", "/nowhere/at/all"], "is not a folder"),
        (["train", "denoise-gray", "--data", "."], "images"),
        (["reproduce", "table2", "--images", "1"], "name a folder for it with --output DIR"),
        (["experiments", "recipe", "--figure", "."], "Is a directory"),
        (["experiments", "recipe", "--from", EMPTY], f"{EMPTY}: it holds no lines of a study"),
        (["evaluate", "nothing"], 'no "nothing"'),
        (["bench", "train", "--scale", "2"], "--scale is an option of bench restore"),
        (["bench", "restore", "--compiled"], "--compiled is an option of bench train"),
        (["serve", "--onnxruntime-web", "."], "can only be used with --export"),
        (["evaluate", "none.safetensors"], "there are no weights"),
        (["evaluate", "."], "the path of weights must end in .safetensors"),
        (["evaluate", "super-resolution"], "is trained for super-resolution, not for denoising"),
    ],
    ids=str,
)
def test_mistakes_are_one_line(
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert error.startswith("rimkit: ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["restore", "a.png", "--sgima", "25"],
            "--sgima 25; did you mean --sigma? (see rimkit res",
        ),
        (["restore", "a.png", "--scael=2"], "--scael=2; did you mean --scale? (see rimkit restore"),
        (["train", "denoise-gray", "--import", "m.py"], "m.py; it goes before the command (see ri"),
        (["models", "denoise-gray", "zzz"], "unrecognized arguments: zzz (see rimkit models --he"),
        (
            ["restore", "-dash.png"],
            "; -dash.png was read as an option: write ./-dash.png for the file (see ",
        ),
        (["--zzz", "models"], "unrecognized arguments: --zzz (see rimkit --help)"),
        (["restore", ""], "the path is empty"),
        (["restore", "a.png", "--missing", ""], "the path is empty"),
        (["restore", "a.png", "-o", ""], "the path is empty"),
        (["evaluate", "denoise-gray", "--per-image", "a.jfif"], "the name is that of an image"),
        (["experiments", "paper", "--text", "-"], "- is not a file"),
        (["restore", "a.png", "--memory", "500"], "less than a megabyte (did you mean 500MB?)"),
        (["restore", "a.png", "--memory", "500K"], '"500K" is less than a megabyte (see'),
    ],
    ids=str,
)
def test_wrong_arguments_are_told_in_one_line(
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("-dash.png").touch()
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_an_extra_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "import sys; sys.modules['lightning'] = None\n"
        "from rimkit.cli.main import main; sys.exit(main(['train', 'denoise-gray']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == (
        "rimkit: this needs lightning, from the extra train: run pip install '.[train]' in a copy "
        "of the repository\n"
    )


@pytest.mark.parametrize("size", [10**16, 10**18])
def test_too_little_memory_is_one_line(
    size: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("rimkit.cli.models.run", lambda _: torch.empty(size, dtype=torch.uint8))
    assert main(["models"]) == 1
    assert capsys.readouterr().err == "rimkit: not enough memory\n"


def test_other_errors_of_torch_are_shown_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rimkit.cli.models.run", lambda _: torch.ones(2) + torch.ones(3))
    with pytest.raises(RuntimeError, match="must match"):
        main(["models"])


@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5"])
def test_numbers_are_checked(value: str) -> None:
    with pytest.raises(SystemExit):
        main(["restore", "a.png", f"--steps={value}"])


def test_names_of_files_do_not_command_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["restore", "x\x1b[31m\nred.png"]) == 1
    assert capsys.readouterr().err.startswith(r"rimkit: x\x1b[31m red.png: there is no such file")
