"""``rimkit``: the commands and their options. Nothing heavy is imported before a command runs."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

import rimkit
from rimkit import extensions
from rimkit.allocation import is_lack_of_memory
from rimkit.cli.options import research, using
from rimkit.cli.options.parser import Parser

_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    0: done, 1: failed, 2: wrong arguments, 130: interrupted.
    """
    options = build_parser().parse_args(arguments)
    try:
        extensions.load(options.imports)
        command = importlib.import_module(f"rimkit.cli.{options.command}")
        code: int = command.run(options)
        if sys.stdout is not None:  # it may have been closed
            sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        return fail(
            f"this needs {error.name}, from the extra {extra}: run pip install '.[{extra}]' "
            "in a copy of the repository"
        )
    except (ValueError, OSError, MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not is_lack_of_memory(error):
            raise
        return fail(_explained(error))
    except KeyboardInterrupt:
        fail("interrupted")
        return _INTERRUPTED
    return code


def _explained(error: Exception) -> str:
    if is_lack_of_memory(error):
        return "not enough memory"
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror or error}"
    return "; ".join([str(error), *getattr(error, "__notes__", ())])


def fail(message: str) -> int:
    """Print one line to standard error and return 1."""
    say(message)
    return 1


def say(message: str) -> None:
    """Print one line to standard error, unless that is closed."""
    if sys.stderr is not None:
        print("rimkit:", in_one_line(message), file=sys.stderr)


def in_one_line(text: str) -> str:
    """Return text that a terminal shows but does not interpret: file names may hold anything."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in " ".join(text.split()))


_EXTRAS = {
    "fastapi": "web",
    "lightning": "train",
    "matplotlib": "plot",
    "onnx": "onnx",
    "onnxruntime": "onnx",
    "onnxscript": "onnx",
    "pytorch_optimizer": "train",
    "skimage": "baselines",
    "uvicorn": "web",
}


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = Parser(
        prog="rimkit",
        description="Restore images with Recurrent Inference Machines.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"rimkit {rimkit.__version__}")
    parser.add_argument(
        "--import",
        metavar="MODULE",
        dest="imports",
        action="append",
        default=[],
        help="first import a module of your own, by its name or its .py file, to add its networks "
        "and tasks; repeatable",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    using.add(commands)
    research.add(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
