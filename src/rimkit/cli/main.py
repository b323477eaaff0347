"""``rimkit``: the commands and their options. Nothing heavy is imported before a command runs."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import rimkit
from rimkit.cli import values

_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0 done, 1 failed, 2 wrong arguments."""
    options = build_parser().parse_args(arguments)
    try:
        command = importlib.import_module(f"rimkit.cli.{options.command}")
        code: int = command.run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        return fail(f'this needs {error.name}: pip install "rimkit[{extra}]"')
    except ValueError as error:
        return fail(str(error))
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return fail(f"{where}{error.strerror or error}")
    except KeyboardInterrupt:
        fail("interrupted")
        return _INTERRUPTED
    return code


def fail(message: str) -> int:
    """Print one line to standard error and return 1."""
    print("rimkit:", " ".join(message.split()), file=sys.stderr)
    return 1


_EXTRAS = {
    "lightning": "train",
    "matplotlib": "plot",
    "pytorch_optimizer": "train",
    "skimage": "baselines",
}


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line; parsers of commands are of the same class."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"rimkit: {message} (see {self.prog} --help)\n")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = _Parser(
        prog="rimkit",
        description="Restore images with Recurrent Inference Machines.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"rimkit {rimkit.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _add_restore(commands)
    _add_models(commands)
    _add_train(commands)
    _add_evaluate(commands)
    _add_experiments(commands)
    _add_bench(commands)
    _add_data(commands)
    return parser


_Commands = argparse._SubParsersAction  # the type has no public name


def _add_restore(commands: _Commands[_Parser]) -> None:
    parser = commands.add_parser(
        "restore",
        help="restore a noisy image, or a folder of them",
        description="Restore a noisy image, or every image of a folder. Files are written whole or "
        "not at all; in a folder, outputs that exist are skipped.",
        allow_abbrev=False,
    )
    parser.add_argument("source", metavar="IN", type=Path, help="image file or folder")
    parser.add_argument(
        "-o", "--output", metavar="OUT", type=Path, help="file or folder (default: IN-restored)"
    )
    parser.add_argument(
        "--sigma",
        type=values.sigma,
        default="auto",
        help="noise standard deviation in grey levels of 255, or auto: estimated (default)",
    )
    parser.add_argument(
        "--model",
        default="denoise-gray",
        help="a name from `rimkit models`, or a .safetensors file (default: %(default)s)",
    )
    parser.add_argument(
        "--steps", type=values.positive, help="number of steps (default: the model's)"
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="in a folder, write outputs that exist again"
    )
    parser.add_argument(
        "--memory",
        type=values.size,
        default="2GB",
        help="the most that the process may hold, such as 800MB: what does not fit is solved in "
        "tiles (default: %(default)s)",
    )
    parser.add_argument(
        "--precision",
        default="float32",
        choices=["float32", "bfloat16"],
        help="in which the network computes (default: %(default)s)",
    )
    parser.add_argument(
        "--report", metavar="FILE", type=Path, help="write what became of each file as JSON"
    )
    parser.add_argument(
        "--strip-metadata",
        action="store_true",
        help="leave camera, position, author and date out (the colour profile stays)",
    )
    parser.add_argument("--quiet", action="store_true", help="no progress, no summary")


def _add_models(commands: _Commands[_Parser]) -> None:
    parser = commands.add_parser(
        "models", help="list the models in the package", allow_abbrev=False
    )
    parser.add_argument("name", nargs="?", help="print the card of one model")


def _add_train(commands: _Commands[_Parser]) -> None:
    parser = commands.add_parser(
        "train",
        help="train a model on clean images",
        description="Train a model by a recipe. Only clean images are needed: measurements are "
        "simulated.",
        allow_abbrev=False,
    )
    parser.add_argument("recipe", help="name of a recipe (denoise-gray), or a .toml file")
    _add_images(parser)
    parser.add_argument("--output", metavar="DIR", type=Path, help="default: runs/RECIPE")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument(
        "--set",
        metavar="KEY=VALUE",
        dest="overrides",
        action="append",
        default=[],
        help="override a value of the recipe, such as optimizer.updates=1000; repeatable",
    )
    parser.add_argument(
        "--minutes", type=values.minutes, help="stop, with a checkpoint, after so long"
    )
    parser.add_argument("--devices", default="1", help="how many, or which: Lightning's devices")
    parser.add_argument("--nodes", type=values.positive, default=1, help="number of machines")
    parser.add_argument("--accelerator", default="auto", help="cpu, gpu, ... (default: auto)")
    parser.add_argument("--strategy", default="auto", help="Lightning's strategy (default: auto)")
    parser.add_argument(
        "--precision",
        default="auto",
        choices=["auto", "32-true", "bf16-mixed"],
        help="default: bf16-mixed where the processor computes in bf16",
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def _add_evaluate(commands: _Commands[_Parser]) -> None:
    parser = commands.add_parser(
        "evaluate",
        help="score a denoiser on the test images, beside the published rows",
        allow_abbrev=False,
    )
    parser.add_argument("model", help="a name from `rimkit models`, or a .safetensors file")
    parser.add_argument(
        "--images", type=int, choices=[68, 100], default=100, help="how many (default: %(default)s)"
    )
    parser.add_argument(
        "--steps", type=values.positive, help="number of steps (default: the model's)"
    )
    parser.add_argument(
        "--precision",
        default="float32",
        choices=["float32", "bfloat16"],
        help="in which the network computes (default: %(default)s)",
    )
    parser.add_argument("--csv", metavar="FILE", type=Path, help="write the rows to a file, too")
    parser.add_argument(
        "--per-image", metavar="FILE", type=Path, help="write the score of every image to a file"
    )


def _add_experiments(commands: _Commands[_Parser]) -> None:
    parser = commands.add_parser(
        "experiments",
        help="train many variants of a recipe for a short time each, and compare them",
        description="Run a study: a short training for each of its choices, all with the same "
        "budget, scored on held-out training images. What has finished is not trained again.",
        allow_abbrev=False,
    )
    parser.add_argument("study", help="name of a study (recipe), or a .toml file")
    _add_images(parser)
    parser.add_argument(
        "--output", metavar="DIR", type=Path, help="default: runs/experiments/STUDY"
    )
    parser.add_argument(
        "--jobs", type=values.positive, default=1, help="trainings at a time (default: %(default)s)"
    )
    parser.add_argument("--seeds", type=values.positive, help="at most so many of every choice")
    parser.add_argument("--text", metavar="FILE", type=Path, help="write the table to a file, too")
    parser.add_argument("--csv", metavar="FILE", type=Path, help="write every look to a file")
    parser.add_argument(
        "--figure",
        metavar="FILE",
        type=Path,
        help="draw gains, or curves where a study looks more than once, to a PNG",
    )


def _add_bench(commands: _Commands[_Parser]) -> None:
    parser = commands.add_parser(
        "bench",
        help="measure what training and restoring cost on this machine",
        description="train: throughput of every update network against a plain implementation and "
        "against its convolutions alone, where an update's time goes, and peak memory by steps. "
        "restore: megapixels a second beside other methods that are installed, and memory and time "
        "against the size of an image.",
        allow_abbrev=False,
    )
    parser.add_argument("what", choices=["train", "restore"])
    parser.add_argument(
        "--rounds", type=values.positive, default=5, help="of all timings (default: %(default)s)"
    )
    parser.add_argument("--text", metavar="FILE", type=Path, help="write what is printed to a file")
    train = parser.add_argument_group("train")
    train.add_argument(
        "--networks",
        nargs="+",
        choices=["paper", "atrous", "compact"],
        default=["paper", "atrous", "compact"],
        help="which (default: all)",
    )
    train.add_argument(
        "--compiled", action="store_true", help="time torch.compile, too (needs a C++ compiler)"
    )
    train.add_argument(
        "--no-memory", dest="memory", action="store_false", help="leave the memory out"
    )
    restore = parser.add_argument_group("restore")
    restore.add_argument(
        "--megapixels",
        nargs="*",
        type=values.positive,
        default=[1, 4, 10, 25, 50, 100],
        help="sizes of images for memory and time (default: %(default)s)",
    )
    restore.add_argument("--figure", metavar="FILE", type=Path, help="draw both to a PNG")


def _add_data(commands: _Commands[_Parser]) -> None:
    parser = commands.add_parser(
        "data", help="download a data set into the cache folder", allow_abbrev=False
    )
    parser.add_argument("name", choices=["bsds300"])


def _add_images(parser: _Parser) -> None:
    parser.add_argument(
        "--data",
        metavar="DIR",
        type=Path,
        help="folder of clean images (default: the training images of BSDS300)",
    )


if __name__ == "__main__":
    sys.exit(main())
