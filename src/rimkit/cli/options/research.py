"""Options of the commands that train and measure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rimkit.cli import values
from rimkit.reproduction.catalogue import REPRODUCTIONS

if TYPE_CHECKING:
    from rimkit.cli.options.parser import Commands, Parser


def add(commands: Commands) -> None:
    """Add the commands that train, evaluate, compare and measure."""
    _add_train(commands)
    _add_evaluate(commands)
    _add_reproduce(commands)
    _add_experiments(commands)
    _add_bench(commands)
    _add_data(commands)


def _add_train(commands: Commands) -> None:
    parser = commands.add_parser(
        "train",
        help="train a model on clean images",
        description="Train a model by a recipe. Only clean images are needed: measurements are "
        "simulated.",
        allow_abbrev=False,
    )
    parser.add_argument("recipe", help="name of a recipe (denoise-gray), or a .toml file")
    _add_images(parser)
    parser.add_argument(
        "--output",
        metavar="DIR",
        type=values.path,
        help="default: runs/RECIPE, or runs/RECIPE-MODEL",
    )
    parser.add_argument(
        "--model",
        choices=["rim", "gdn", "ffn", "ffn-wide"],
        help="the recipe's network, or one without a part: gdn does not see the estimate, ffn has "
        "no state, ffn-wide none either but as many parameters; with --resume, names the folder",
    )
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
    parser.add_argument("--quiet", action="store_true", help="say nothing of how it goes")


def _add_evaluate(commands: Commands) -> None:
    parser = commands.add_parser(
        "evaluate",
        help="score a denoiser on the test images, or a model on images of your own",
        description="Score a denoiser on the test images of BSDS300 and print its row beside the "
        "published ones; or with --data any model on images of your own, in the problems that its "
        "training is watched on.",
        allow_abbrev=False,
    )
    parser.add_argument("model", help="a name from `rimkit models`, or a .safetensors file")
    parser.add_argument(
        "--data", metavar="DIR", type=values.path, help="clean images of your own, below a folder"
    )
    parser.add_argument(
        "--images", type=int, choices=[68, 100], help="how many test images (default: 100)"
    )
    parser.add_argument(
        "--steps", type=values.positive, help="number of steps (default: the model's)"
    )
    parser.add_argument(
        "--self-ensemble", action="store_true", help="in eight orientations, and the mean of them"
    )
    parser.add_argument(
        "--precision",
        default="float32",
        choices=["float32", "bfloat16"],
        help="in which the network computes (default: %(default)s)",
    )
    parser.add_argument(
        "--quantised", action="store_true", help="also from images that were rounded to 8 bits"
    )
    parser.add_argument(
        "--csv", metavar="FILE", type=values.written, help="write the rows to a file, too"
    )
    parser.add_argument(
        "--per-image",
        metavar="FILE",
        type=values.written,
        help="write the score of every image to a file",
    )


def _add_reproduce(commands: Commands) -> None:
    parser = commands.add_parser(
        "reproduce",
        help="measure a table or figure of the paper, and what goes past it",
        description="Measure a table or a figure, and write it with the commit, the machine and "
        "the time into a folder. Scores of single images that are there already are not measured "
        "again.",
        allow_abbrev=False,
    )
    parser.add_argument("what", choices=sorted(REPRODUCTIONS), metavar="WHAT", help=_listed())
    parser.add_argument(
        "--output",
        metavar="DIR",
        type=values.path,
        help="where the results are written (default: results; --images asks for another place)",
    )
    parser.add_argument(
        "--images",
        type=values.test_images,
        help="only the first so many test images: a look, not a result",
    )
    parser.add_argument(
        "--only-ours",
        dest="others",
        action="store_false",
        help="leave out what other packages do, which takes hours",
    )
    parser.add_argument(
        "--add",
        metavar="MODEL",
        dest="models",
        action="append",
        default=[],
        help="a further model (.safetensors) as a row of its own; repeatable",
    )


def _listed() -> str:
    return "; ".join(f"{name}: {what.title}" for name, what in sorted(REPRODUCTIONS.items()))


def _add_experiments(commands: Commands) -> None:
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
        "--output", metavar="DIR", type=values.path, help="default: runs/experiments/STUDY"
    )
    parser.add_argument(
        "--jobs", type=values.positive, default=1, help="trainings at a time (default: %(default)s)"
    )
    parser.add_argument("--seeds", type=values.positive, help="at most so many of every choice")
    parser.add_argument(
        "--only",
        metavar="CHOICE",
        action="append",
        default=[],
        help="leave the other choices out; repeatable",
    )
    parser.add_argument(
        "--text", metavar="FILE", type=values.written, help="write the table to a file, too"
    )
    parser.add_argument(
        "--csv", metavar="FILE", type=values.written, help="write every look to a file"
    )
    parser.add_argument(
        "--from",
        dest="read",
        metavar="FILE",
        type=values.path,
        help="train nothing: make table and figure of what --csv wrote",
    )
    parser.add_argument(
        "--again",
        metavar="CHOICE",
        action="append",
        default=[],
        help="with --from, train this choice all the same, and put it in its place; repeatable",
    )
    parser.add_argument(
        "--figure",
        metavar="FILE",
        type=values.path,
        help="draw gains, or curves where a study looks more than once, to a PNG",
    )


def _add_bench(commands: Commands) -> None:
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
    parser.add_argument(
        "--text", metavar="FILE", type=values.written, help="write what is printed to a file"
    )
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
    restore.add_argument(
        "--scale",
        type=values.scale,
        help="measure memory and time of rimkit restore --scale instead; sizes are the results'",
    )
    restore.add_argument("--figure", metavar="FILE", type=values.path, help="draw both to a PNG")


def _add_data(commands: Commands) -> None:
    parser = commands.add_parser(
        "data", help="download a data set into the cache folder", allow_abbrev=False
    )
    parser.add_argument("name", choices=["bsds300"])


def _add_images(parser: Parser) -> None:
    parser.add_argument(
        "--data",
        metavar="DIR",
        action="append",
        default=[],
        help="folder of clean images, repeatable; bsds300 stands for its training images, which "
        "are the default, and of which alone some are held out where they stand among others",
    )
